// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/rule_panels.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/params/param_spec.h"

namespace attnscope {

namespace {

constexpr Index kMostLayerCells = 192;
constexpr Index kMostLayerRows = 4096;  // that are counted
constexpr Index kFoldedQueries = 9;     // pictures of single queries
constexpr Index kMostFolded = 4096;     // tokens in such a picture
constexpr Index kMostStripTokens = 4096;

}  // namespace

InsidePanel keysByRule(const FrozenPlan& plan, Index head) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Keys by rule";
  panel.caption = "How many keys each query reads, and which rule lets them in.";
  panel.xTitle = "query";
  panel.yTitle = "keys";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Queries;
  for (const Label& label : plan.plan().labels) panel.curves.push_back({label.name, {}, {}});
  const Pattern& support = *plan.support(head);
  const Index stride = std::max<Index>(1, support.rows() / 512);
  RunList runs;
  for (Index i = 0; i < support.rows(); i += stride) {
    support.row(i, runs);
    std::vector<double> counts(panel.curves.size(), 0.0);
    for (const Run& run : runs) counts[run.label] += static_cast<double>(run.count());
    for (std::size_t label = 0; label < counts.size(); ++label) {
      panel.curves[label].x.push_back(static_cast<double>(i));
      panel.curves[label].y.push_back(counts[label]);
    }
  }
  return panel;
}

InsidePanel pairsByRule(const FrozenPlan& plan, Index head, const std::string& caption) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Pairs by rule";
  panel.caption = caption;
  panel.yTitle = "pairs";
  const Pattern& support = *plan.support(head);
  panel.bars.assign(plan.plan().labels.size(), 0.0);
  RunList runs;
  for (Index i = 0; i < support.rows(); ++i) {
    support.row(i, runs);
    for (const Run& run : runs) panel.bars[run.label] += static_cast<double>(run.count());
  }
  for (const Label& label : plan.plan().labels) panel.barNames.push_back(label.name);
  return panel;
}

std::vector<InsidePanel> ruleLayers(const FrozenPlan& plan, Index head) {
  const std::vector<Label>& labels = plan.plan().labels;
  const Pattern& support = *plan.support(head);
  const Index queries = plan.plan().shape.nQ;
  const Index keys = plan.plan().shape.nK;
  std::vector<InsidePanel> layers;
  if (labels.size() < 2 || queries < 1 || keys < 1) return layers;
  const Index rows = std::min(queries, kMostLayerCells);
  const Index cols = std::min(keys, kMostLayerCells);
  const Index stride = ceilDiv(queries, kMostLayerRows);
  for (const Label& label : labels) {
    InsidePanel panel;
    panel.series = "Rules";
    panel.title = "Only " + label.name;
    panel.caption = fmt::format("Pairs for this reason: {}.", label.why);
    if (stride > 1) panel.caption += fmt::format(" One query in {} is counted.", stride);
    if (rows < queries || cols < keys)
      panel.caption += fmt::format(" {} x {} cells, each the share of its pairs.", rows, cols);
    panel.xTitle = "key";
    panel.yTitle = "query";
    panel.xTokens = {InsidePanel::AxisTokens::Keys, 0, keys};
    panel.yTokens = {InsidePanel::AxisTokens::Queries, 0, queries};
    panel.values = Tensor::zeros(DType::F32, {rows, cols});
    layers.push_back(std::move(panel));
  }
  std::vector<double> counted(static_cast<std::size_t>(rows), 0.0);
  RunList runs;
  // Cell c holds the tokens [ceil(c n / cells), ceil((c + 1) n / cells)).
  const auto firstKey = [&](Index column) { return ceilDiv(column * keys, cols); };
  for (Index i = 0; i < queries; i += stride) {
    const Index row = i * rows / queries;
    counted[static_cast<std::size_t>(row)] += 1.0;
    support.row(i, runs);
    for (const Run& run : runs) {
      if (run.begin >= keys || run.begin >= run.end) continue;
      auto cells = layers[run.label].values.mutableSlice<float>(row);
      const Index end = std::min(run.end, keys);
      for (Index c = run.begin * cols / keys; c < cols && firstKey(c) < end; ++c) {
        // How many keys of the run lie before a token.
        const auto before = [&](Index token) {
          const Index cut = std::clamp(token, run.begin, end);
          return ceilDiv(cut - run.begin, run.stride);
        };
        cells[static_cast<std::size_t>(c)] +=
            static_cast<float>(before(firstKey(c + 1)) - before(firstKey(c)));
      }
    }
  }
  for (InsidePanel& layer : layers)
    for (Index row = 0; row < rows; ++row) {
      auto cells = layer.values.mutableSlice<float>(row);
      for (Index c = 0; c < cols; ++c)
        cells[static_cast<std::size_t>(c)] /=
            static_cast<float>(std::max(1.0, counted[static_cast<std::size_t>(row)] *
                                                 static_cast<double>(firstKey(c + 1) - firstKey(c))));
    }
  return layers;
}

std::vector<InsidePanel> foldedReading(const FrozenPlan& plan, Index head, Index width) {
  const Shape& shape = plan.plan().shape;
  const Index lines = ceilDiv(shape.nK, width);
  std::vector<InsidePanel> panels;
  if (shape.nK > kMostFolded || shape.nQ != shape.nK || width < 1) return panels;
  RunList runs;
  const Index count = std::min(kFoldedQueries, shape.nQ - shape.nQ / 2);
  for (Index t = 0; t < count; ++t) {
    // From the middle of the text to its end: these have the most keys.
    const Index query = shape.nQ / 2 + t * (shape.nQ - 1 - shape.nQ / 2) / std::max<Index>(1, count - 1);
    InsidePanel panel;
    panel.series = "Queries";
    panel.title = fmt::format("What token {} reads, in lines of {}", query, width);
    panel.caption = "Strongest: the token. Then, weaker and weaker:";
    for (std::size_t label = 0; label < plan.plan().labels.size(); ++label)
      panel.caption += (label == 0 ? " " : ", ") + plan.plan().labels[label].name;
    panel.caption += ".";
    panel.xTitle = fmt::format("token modulo {}", width);
    panel.yTitle = "line";
    panel.cellsAreTokens = true;
    panel.values = Tensor::zeros(DType::F32, {lines, width});
    auto cells = panel.values.mutableValues<float>();
    plan.support(head)->row(query, runs);
    const auto steps = static_cast<float>(plan.plan().labels.size()) + 1.0F;
    for (const Run& run : runs)
      for (Index j = run.begin; j < std::min(run.end, shape.nK); j += run.stride)
        cells[static_cast<std::size_t>(j)] = 1.0F - static_cast<float>(run.label + 1) / steps;
    cells[static_cast<std::size_t>(query)] = 1.0F;
    panels.push_back(std::move(panel));
  }
  return panels;
}

TokenRanges keysReadBy(const FrozenPlan& plan, Index head, Index begin, Index end) {
  std::vector<std::int32_t> keys;
  RunList runs;
  const Index n = plan.plan().shape.nK;
  for (Index i = begin; i < end; ++i) {
    plan.support(head)->row(i, runs);
    for (const Run& run : runs)
      for (Index j = run.begin; j < std::min(run.end, n); j += run.stride)
        keys.push_back(static_cast<std::int32_t>(j));
  }
  return rangesOf(std::move(keys));
}

InsidePanel blockStrip(const FrozenPlan& plan, Index head, Index block) {
  const Index n = std::min(plan.plan().shape.nQ, kMostStripTokens);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Strips;
  panel.title = "Blocks of queries";
  panel.caption =
      "Each colour is one block; all its queries read the same keys, save for those that are later.";
  if (n < plan.plan().shape.nQ) panel.caption += fmt::format(" The first {} tokens.", n);
  panel.xTitle = "query";
  panel.stripGroup = Tensor(DType::I32, {1, n});
  panel.stripToken = Tensor(DType::I32, {1, n});
  auto group = panel.stripGroup.mutableValues<std::int32_t>();
  auto token = panel.stripToken.mutableValues<std::int32_t>();
  std::vector<TokenGroup> groups;
  std::vector<Index> borders;
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = std::min(begin + block, n);
    if (begin > 0) borders.push_back(begin);
    for (Index i = begin; i < end; ++i) {
      group[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(begin / block);
      token[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i);
      panel.itemGroup.push_back(static_cast<std::int32_t>(begin / block));
    }
    groups.push_back({fmt::format("block {} and its memory", begin / block),
                      rangeWithin(begin, end, n),
                      keysReadBy(plan, head, begin, end),
                      {}});
  }
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
  panel.stripNames = {"block"};
  panel.stripBorders = {std::move(borders)};
  return panel;
}

}  // namespace attnscope
