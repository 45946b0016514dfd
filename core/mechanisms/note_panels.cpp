// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/note_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/softmax.h"

namespace attnscope {

namespace {

constexpr Index kMostCells = 1000000;

// First tokens of each note, and n at the end; empty if notes have values of the user's own.
std::vector<Index> boundsOf(const Plan& plan) {
  for (const Step& step : plan.steps)
    if (const auto* project = std::get_if<ProjectStep>(&step))
      if (const auto* reduce = std::get_if<SegmentReduce>(&project->weight)) return reduce->bounds;
  return {};
}

// A note stands for the tokens that it is the mean of, and for one column beside the tokens.
TokenGroups groupsOf(const std::vector<Index>& bounds, Index n) {
  std::vector<TokenGroup> groups;
  for (std::size_t a = 0; a + 1 < bounds.size(); ++a) {
    const TokenRanges own = rangeWithin(bounds[a], bounds[a + 1], n);
    const auto note = static_cast<Index>(a);
    groups.push_back({fmt::format("note {}", a), own, own, {{note, note + 1}}});
  }
  return std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
}

void nameRows(InsidePanel& panel, const TokenGroups& groups) {
  panel.groups = groups;
  for (Index a = 0; a < std::min<Index>(panel.values.dim(0), std::ssize(*groups)); ++a)
    panel.rowGroup.push_back(static_cast<std::int32_t>(a));
}

InsidePanel structurePanel(const std::vector<Index>& bounds, const TokenGroups& groups) {
  const Index n = std::min<Index>(bounds.back(), 4096);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Strips;
  panel.title = "Notes and their tokens";
  panel.caption = "Each colour is one note: the mean of its sentence or block stands on the board.";
  panel.xTitle = "token";
  panel.stripGroup = Tensor(DType::I32, {1, n});
  panel.stripToken = Tensor(DType::I32, {1, n});
  auto group = panel.stripGroup.mutableValues<std::int32_t>();
  auto token = panel.stripToken.mutableValues<std::int32_t>();
  std::size_t note = 0;
  for (Index j = 0; j < n; ++j) {
    while (j >= bounds[note + 1]) ++note;
    group[static_cast<std::size_t>(j)] = static_cast<std::int32_t>(note);
    token[static_cast<std::size_t>(j)] = static_cast<std::int32_t>(j);
    panel.itemGroup.push_back(static_cast<std::int32_t>(note));
  }
  panel.groups = groups;
  panel.stripNames = {"note"};
  std::vector<Index> borders;
  for (const Index at : bounds)
    if (at > 0 && at < n) borders.push_back(at);
  panel.stripBorders = {borders};
  return panel;
}

// Content scores of the notes over all tokens, as weights: where each note would look without labels.
InsidePanel readingPanel(const InsidesRequest& request, const Tensor& queries, double scale) {
  const Shape shape = request.input.shape();
  const Index count = queries.dim(1);
  const Index n = std::min<Index>(shape.nK, std::max<Index>(1, kMostCells / count));
  const auto q = queries.slice<float>(request.head);
  const auto k = request.input.k.slice<float>(request.input.kvHead(request.head));
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = "What notes look for";
  panel.caption = n < shape.nK ? fmt::format("Softmax of each note over the first {} tokens.", n)
                               : std::string("Softmax of each note over all tokens, by content alone.");
  panel.xTitle = "token";
  panel.yTitle = "note";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Keys;
  const auto weights = softmaxProducts(q, k.first(static_cast<std::size_t>(n * shape.d)), shape.d, scale);
  const std::vector<float> narrow(weights.begin(), weights.end());
  panel.values = Tensor::fromFloats({count, n}, narrow);
  return panel;
}

// What a note would be that reads the tokens of its own segment only: (count, d_v).
std::vector<double> ownEncodings(const InsidesRequest& request, const Tensor& queries,
                                 const std::vector<Index>& bounds, double scale) {
  const Shape shape = request.input.shape();
  const auto count = static_cast<Index>(bounds.size()) - 1;
  const auto q = queries.slice<float>(request.head);
  const auto k = request.input.k.slice<float>(request.input.kvHead(request.head));
  const auto v = request.input.v.slice<float>(request.input.kvHead(request.head));
  std::vector<double> encodings(static_cast<std::size_t>(count * shape.dV), 0.0);
  for (Index a = 0; a < count; ++a) {
    const Index begin = bounds[static_cast<std::size_t>(a)];
    const Index length = bounds[static_cast<std::size_t>(a) + 1] - begin;
    if (length == 0) continue;
    const auto own = static_cast<std::size_t>(begin * shape.d);
    const auto row =
        softmaxProducts(q.subspan(static_cast<std::size_t>(a * shape.d), static_cast<std::size_t>(shape.d)),
                        k.subspan(own, static_cast<std::size_t>(length * shape.d)), shape.d, scale);
    for (Index t = 0; t < length; ++t)
      for (Index c = 0; c < shape.dV; ++c)
        encodings[static_cast<std::size_t>(a * shape.dV + c)] +=
            row[static_cast<std::size_t>(t)] * v[static_cast<std::size_t>((begin + t) * shape.dV + c)];
  }
  return encodings;
}

InsidePanel contrastPanel(const std::vector<double>& context, const std::vector<double>& targets,
                          Index width) {
  const Index count = static_cast<Index>(context.size()) / width;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = "Which sentence is it? (CPC)";
  panel.caption = fmt::format(
      "Products of notes that read everything with notes that read their own segment only. The contrastive "
      "loss of "
      "this layer is {:.3f}; guessing gives {:.3f}.",
      contrastiveLoss(context, targets, width), std::log(static_cast<double>(count)));
  panel.xTitle = "note of its own segment";
  panel.yTitle = "note";
  panel.diverging = true;
  panel.values = Tensor(DType::F32, {count, count});
  auto cells = panel.values.mutableValues<float>();
  for (Index s = 0; s < count; ++s)
    for (Index u = 0; u < count; ++u) {
      double sum = 0.0;
      for (Index c = 0; c < width; ++c)
        sum += context[static_cast<std::size_t>(s * width + c)] *
               targets[static_cast<std::size_t>(u * width + c)];
      cells[static_cast<std::size_t>(s * count + u)] = static_cast<float>(sum);
    }
  return panel;
}

}  // namespace

double contrastiveLoss(const std::vector<double>& context, const std::vector<double>& targets, Index width) {
  const Index count = static_cast<Index>(context.size()) / width;
  double loss = 0.0;
  std::vector<double> row(static_cast<std::size_t>(count));
  for (Index s = 0; s < count; ++s) {
    for (Index u = 0; u < count; ++u) {
      row[static_cast<std::size_t>(u)] = 0.0;
      for (Index c = 0; c < width; ++c)
        row[static_cast<std::size_t>(u)] += context[static_cast<std::size_t>(s * width + c)] *
                                            targets[static_cast<std::size_t>(u * width + c)];
    }
    const double largest = *std::max_element(row.begin(), row.end());
    double total = 0.0;
    for (const double x : row) total += std::exp(x - largest);
    loss += (largest + std::log(total) - row[static_cast<std::size_t>(s)]) / static_cast<double>(count);
  }
  return loss;
}

std::vector<InsidePanel> notePanels(const InsidesRequest& request) {
  std::vector<InsidePanel> panels;
  const std::vector<Index> bounds = boundsOf(request.plan.plan());
  const TokenGroups groups = groupsOf(bounds, request.input.shape().nK);
  if (!bounds.empty()) panels.push_back(structurePanel(bounds, groups));
  const Tensor queries = request.buffer("q_global");
  const Tensor rows = request.buffer("out_global");
  if (queries.empty() || rows.empty()) return panels;
  double scale = 1.0;
  for (const Step& step : request.plan.plan().steps)
    if (const auto* attend = std::get_if<AttendStep>(&step)) scale = attend->scale;
  panels.push_back(readingPanel(request, queries, scale));
  nameRows(panels.back(), groups);
  const Index count = queries.dim(1);
  if (bounds.empty() || count < 2 || count > 512) return panels;
  const auto context = rows.slice<float>(request.head);
  panels.push_back(contrastPanel({context.begin(), context.end()},
                                 ownEncodings(request, queries, bounds, scale), request.input.shape().dV));
  nameRows(panels.back(), groups);
  return panels;
}

}  // namespace attnscope
