// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/synthetic_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/mechanisms/synthetic_logits.h"

namespace attnscope {

namespace {

constexpr Index kMostDrawn = 512;  // tokens in a picture
constexpr Index kMostColumns = 4096;

std::string cutText(Index shown, Index all, const char* what) {
  return shown < all ? fmt::format(" (first {} {})", shown, what) : std::string();
}

Result<InsidePanel> logitsPanel(const InsidesRequest& request, const SyntheticLogits& logits) {
  const Shape shape = request.input.shape();
  const Index rows = std::min(shape.nQ, kMostDrawn);
  const Index cols = std::min(shape.nK, kMostDrawn);
  InsidePanel panel;
  panel.title = "B, the synthesised logits";
  const bool fromTokens = logits.tensor("w1") != nullptr || logits.tensor("w_a") != nullptr;
  panel.caption = fmt::format(
      "{}{}.",
      fromTokens ? "Row i is what token i alone gives each key before the softmax"
                 : "Row i is what place i gives each key before the softmax, whatever token stands there",
      cutText(std::max(rows, cols), std::max(shape.nQ, shape.nK), "tokens"));
  panel.xTitle = "key";
  panel.yTitle = "query";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Keys;
  panel.yTokens.tokens = InsidePanel::AxisTokens::Queries;
  panel.diverging = true;
  panel.values = Tensor(DType::F32, {rows, cols});
  for (Index i = 0; i < rows; ++i) {
    if (!request.job.advance(0)) return cancelled();
    const std::vector<double> row = logits.row(i);
    std::copy_n(row.begin(), cols, panel.values.mutableSlice<float>(i).begin());
  }
  return panel;
}

// Softmax of the first `end` logits.
void toWeights(std::vector<double>& logits, Index end) {
  logits.resize(static_cast<std::size_t>(end));
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (double& x : logits) sum += x = std::exp(x - largest);
  for (double& x : logits) x /= sum;
}

double effectiveKeys(const std::vector<double>& weights) {
  double entropy = 0.0;
  for (const double w : weights)
    if (w > 0.0) entropy -= w * std::log(w);
  return std::exp(entropy);
}

struct Comparison {
  InsidePanel keys;
  InsidePanel overlap;
};

Comparison emptyComparison() {
  Comparison made;
  made.keys.kind = made.overlap.kind = InsidePanel::Kind::Curves;
  made.keys.title = "How many keys count";
  made.keys.caption =
      "exp(entropy) of each query's weights: by comparing it with the keys (s = 1/\u221ad), and from B "
      "alone.";
  made.keys.yTitle = "keys";
  made.keys.curves = {{"compared", {}, {}}, {"synthesised", {}, {}}};
  made.overlap.title = "Overlap with ordinary attention";
  made.overlap.caption = "Share of each query's weight that both give to the same keys: 1 where they agree.";
  made.overlap.yTitle = "share";
  made.overlap.curves = {{"overlap", {}, {}}};
  made.keys.xTitle = made.overlap.xTitle = "query";
  made.keys.xTokens.tokens = made.overlap.xTokens.tokens = InsidePanel::AxisTokens::Queries;
  return made;
}

std::vector<double> comparedRow(const InsidesRequest& request, Index i, Index end) {
  const AttentionInput& input = request.input;
  const auto d = static_cast<std::size_t>(input.q.dim(2));
  const auto q = input.q.slice<float>(request.head).subspan(static_cast<std::size_t>(i) * d, d);
  const auto k = input.k.slice<float>(input.kvHead(request.head));
  std::vector<double> logits;
  for (Index j = 0; j < end; ++j) {
    double dot = 0.0;
    for (std::size_t c = 0; c < d; ++c)
      dot += static_cast<double>(q[c]) * k[static_cast<std::size_t>(j) * d + c];
    logits.push_back(dot / std::sqrt(static_cast<double>(d)));
  }
  return logits;
}

Result<Comparison> compared(const InsidesRequest& request, const SyntheticLogits& logits) {
  const Shape shape = request.input.shape();
  Comparison made = emptyComparison();
  const Index stride = std::max<Index>(1, shape.nQ / 256);
  for (Index i = 0; i < shape.nQ; i += stride) {
    if (!request.job.advance(0)) return cancelled();
    const Index end = request.plan.plan().causal ? std::min(shape.nK, i + shape.nK - shape.nQ + 1) : shape.nK;
    if (end <= 0) continue;
    std::vector<double> p = comparedRow(request, i, end);
    std::vector<double> w = logits.row(i);
    toWeights(p, end);
    toWeights(w, end);
    double both = 0.0;
    for (std::size_t j = 0; j < p.size(); ++j) both += std::min(p[j], w[j]);
    for (auto* curve : {&made.keys.curves[0], &made.keys.curves[1], &made.overlap.curves[0]})
      curve->x.push_back(static_cast<double>(i));
    made.keys.curves[0].y.push_back(effectiveKeys(p));
    made.keys.curves[1].y.push_back(effectiveKeys(w));
    made.overlap.curves[0].y.push_back(both);
  }
  return made;
}

InsidePanel rowsPanel(Index rows, Index cols, const std::string& title, const std::string& caption) {
  InsidePanel panel;
  panel.title = title;
  panel.caption = caption;
  panel.diverging = true;
  panel.values = Tensor(DType::F32, {rows, cols});
  return panel;
}

InsidePanel hiddenPanel(const SyntheticLogits& logits, Index queries) {
  const Index rows = std::min(queries, kMostDrawn);
  const Index units = std::min(logits.tensor("w1")->dim(2), kMostColumns);
  InsidePanel panel = rowsPanel(
      rows, units, "Hidden layer",
      fmt::format("What each token becomes before it writes its row{}.", cutText(rows, queries, "tokens")));
  panel.diverging = false;
  panel.xTitle = "unit";
  panel.yTitle = "query";
  panel.yTokens.tokens = InsidePanel::AxisTokens::Queries;
  for (Index i = 0; i < rows; ++i) {
    const std::vector<double> hidden = logits.affine(i, "w1", "b1", true);
    std::copy_n(hidden.begin(), units, panel.values.mutableSlice<float>(i).begin());
  }
  return panel;
}

InsidePanel factorPanel(const Tensor& factor, Index head, Index tokens, bool ofQueries) {
  const Index rows = std::min(tokens, kMostDrawn);
  const Index cols = std::min(factor.dim(2), kMostColumns);
  InsidePanel panel = rowsPanel(
      rows, cols, ofQueries ? "Factor of the queries" : "Factor of the keys",
      fmt::format("One of the two thin tables whose product is B: the rank of B is at most their width{}.",
                  cutText(rows, tokens, "tokens")));
  panel.xTitle = "component";
  panel.yTitle = ofQueries ? "query" : "key";
  panel.yTokens.tokens = ofQueries ? InsidePanel::AxisTokens::Queries : InsidePanel::AxisTokens::Keys;
  for (Index r = 0; r < rows; ++r)
    std::copy_n(factor.slice<float>(head).begin() + r * factor.dim(2), cols,
                panel.values.mutableSlice<float>(r).begin());
  return panel;
}

InsidePanel foldedPanel(const SyntheticLogits& logits, Index token) {
  const std::vector<double> a = logits.affine(token, "w_a", "b_a", false);
  const std::vector<double> b = logits.affine(token, "w_b", "b_b", false);
  InsidePanel panel =
      rowsPanel(static_cast<Index>(a.size()), static_cast<Index>(b.size()),
                fmt::format("Row of token {}, folded", token),
                "Two short vectors give a whole row: key j stands in row j div b and column j "
                "mod b, and all rows look alike up to a factor.");
  panel.xTitle = "j mod b";
  panel.yTitle = "j div b";
  auto cells = panel.values.mutableValues<float>();
  for (std::size_t r = 0; r < a.size(); ++r)
    for (std::size_t c = 0; c < b.size(); ++c) cells[r * b.size() + c] = static_cast<float>(a[r] * b[c]);
  return panel;
}

}  // namespace

Result<std::vector<InsidePanel>> syntheticPanels(const InsidesRequest& request) {
  const SyntheticLogits logits(request.plan.plan(), request.input, request.head);
  std::vector<InsidePanel> panels;
  ATTN_ASSIGN(table, logitsPanel(request, logits));
  panels.push_back(std::move(table));
  const Shape shape = request.input.shape();
  if (logits.tensor("w1") != nullptr) panels.push_back(hiddenPanel(logits, shape.nQ));
  if (const Tensor* a = logits.tensor("logits_a"))
    panels.push_back(factorPanel(*a, request.head, shape.nQ, true));
  if (const Tensor* b = logits.tensor("logits_b"))
    panels.push_back(factorPanel(*b, request.head, shape.nK, false));
  if (logits.tensor("w_a") != nullptr) panels.push_back(foldedPanel(logits, shape.nQ / 2));
  ATTN_ASSIGN(comparison, compared(request, logits));
  panels.push_back(std::move(comparison.keys));
  panels.push_back(std::move(comparison.overlap));
  return panels;
}

}  // namespace attnscope
