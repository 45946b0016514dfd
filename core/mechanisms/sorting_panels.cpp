// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/sorting_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/mechanisms/assignment.h"
#include "core/mechanisms/block_sorting.h"
#include "core/mechanisms/plan_reading.h"

namespace attnscope {

namespace {

constexpr Index kMostBlocks = 1024;          // rows and columns of a picture of the matrix
constexpr Index kMostCoarseCells = 256;      // the same of one that is made coarse
constexpr Index kMostBlocksToPermute = 512;  // the best permutation takes their third power
constexpr float kSmallestError = 1e-9F;      // float32 has no better sums to show on a logarithmic axis

// A matrix of destination by source blocks with its sums, and the blocks that its rows and columns are.
InsidePanel blockMatrix(const std::string& title, const std::string& caption, std::span<const float> matrix,
                        Index blocks, const TokenGroups& groups) {
  const Index side = std::min(blocks, kMostBlocks);
  InsidePanel panel;
  panel.title = title;
  panel.caption = caption;
  if (side < blocks) panel.caption += fmt::format(" The first {} of {} blocks.", side, blocks);
  panel.xTitle = "source block";
  panel.yTitle = "destination block";
  panel.values = Tensor(DType::F32, {side, side});
  auto cells = panel.values.mutableValues<float>();
  for (Index u = 0; u < side; ++u) std::copy_n(matrix.begin() + u * blocks, side, cells.begin() + u * side);
  panel.groups = groups;
  for (Index u = 0; u < side; ++u) panel.rowGroup.push_back(static_cast<std::int32_t>(u));
  panel.columnGroup = panel.rowGroup;
  panel.diverging = std::any_of(cells.begin(), cells.end(), [](float x) { return x < 0.0F; });
  return panel;
}

void addSums(InsidePanel& panel, std::span<const float> matrix, Index blocks) {
  if (panel.values.dim(0) < blocks) return;
  panel.rowSums.assign(static_cast<std::size_t>(blocks), 0.0);
  panel.columnSums = panel.rowSums;
  for (Index u = 0; u < blocks; ++u)
    for (Index v = 0; v < blocks; ++v) {
      const double share = matrix[static_cast<std::size_t>(u * blocks + v)];
      panel.rowSums[static_cast<std::size_t>(u)] += share;
      panel.columnSums[static_cast<std::size_t>(v)] += share;
    }
}

double meanEntropy(std::span<const float> matrix, Index blocks) {
  double sum = 0.0;
  for (const float p : matrix)
    if (p > 0.0F) sum -= static_cast<double>(p) * std::log(static_cast<double>(p));
  return sum / static_cast<double>(blocks);
}

// P on its way to balance: after a half-iteration, with the sums of its rows and columns.
InsidePanel iterationPanel(Index half, std::span<const float> errors, std::span<const float> matrix,
                           Index blocks, const TokenGroups& groups) {
  const auto at = static_cast<std::size_t>(half);
  InsidePanel panel = blockMatrix(
      fmt::format("Iteration {}, {}", half / 2 + 1, half % 2 == 0 ? "rows" : "columns"),
      half % 2 == 0 ? fmt::format("Rows were just scaled to sum 1; column sums are off by at most {:.2g}.",
                                  errors[2 * at + 1])
                    : fmt::format("Columns were just scaled to sum 1; row sums are off by at most {:.2g}.",
                                  errors[2 * at]),
      matrix, blocks, groups);
  panel.series = "Half-iterations";
  addSums(panel, matrix, blocks);
  return panel;
}

std::vector<InsidePanel> keptIterations(const Tensor& halves, std::span<const float> errors, Index head,
                                        const TokenGroups& groups) {
  std::vector<InsidePanel> panels;
  const Index blocks = halves.dim(2);
  const auto size = static_cast<std::size_t>(blocks * blocks);
  for (Index half = 0; half < halves.dim(1); ++half)
    panels.push_back(iterationPanel(
        half, errors, halves.slice<float>(head).subspan(static_cast<std::size_t>(half) * size, size), blocks,
        groups));
  return panels;
}

// Of so many blocks that the half-iterations of all heads are not kept: those of one head again, from its
// scores, with several blocks in a cell.
Result<std::vector<InsidePanel>> coarseIterations(const InsidesRequest& request,
                                                  std::span<const float> scores,
                                                  std::span<const float> errors, Index blocks) {
  std::vector<double> logits(scores.begin(), scores.end());
  for (const ParamTensor& tensor : request.plan.plan().params)
    if (tensor.name == "gumbel") {
      const Tensor noise = tensor.make();
      const auto of = noise.slice<float>(request.head);
      for (std::size_t at = 0; at < logits.size(); ++at) logits[at] += of[at];
    }
  for (double& logit : logits) logit /= request.params.real("temperature");
  const Index fold = ceilDiv(blocks, kMostCoarseCells);
  const Index side = ceilDiv(blocks, fold);
  std::vector<InsidePanel> panels;
  const auto draw = [&](Index half, std::span<const double> matrix) {
    std::vector<double> sums(static_cast<std::size_t>(side * side), 0.0);
    for (Index u = 0; u < blocks; ++u)
      for (Index v = 0; v < blocks; ++v)
        sums[static_cast<std::size_t>(u / fold * side + v / fold)] +=
            matrix[static_cast<std::size_t>(u * blocks + v)];
    std::vector<float> cells;
    for (Index cell = 0; cell < side * side; ++cell) {
      const Index rows = std::min(fold, blocks - cell / side * fold);
      cells.push_back(static_cast<float>(sums[static_cast<std::size_t>(cell)] / static_cast<double>(rows)));
    }
    InsidePanel panel = iterationPanel(half, errors, cells, side, {});
    panel.rowGroup.clear();
    panel.columnGroup.clear();
    if (fold > 1) {
      panel.caption += fmt::format(
          " One cell is {0} x {0} blocks: what its rows take from its columns, on average.", fold);
      panel.xTitle += fmt::format(" / {}", fold);
      panel.yTitle += fmt::format(" / {}", fold);
    }
    panels.push_back(std::move(panel));
  };
  ATTN_TRY(sinkhorn(std::move(logits), blocks, std::ssize(errors) / 4, request.job, draw));
  return panels;
}

InsidePanel balancing(std::span<const float> errors) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Balancing";
  panel.caption =
      "Largest distance of a row sum and of a column sum from 1: each half-iteration mends one and spoils "
      "the "
      "other a little less.";
  panel.xTitle = "half-iteration (rows, columns, ...)";
  panel.yTitle = "largest error";
  panel.logY = true;
  InsidePanel::Curve rows{"rows", {}, {}};
  InsidePanel::Curve columns{"columns", {}, {}};
  for (std::size_t half = 0; 2 * half < errors.size(); ++half) {
    const auto x = static_cast<double>(half + 1);
    rows.x.push_back(x);
    rows.y.push_back(std::max(kSmallestError, errors[2 * half]));
    columns.x.push_back(x);
    columns.y.push_back(std::max(kSmallestError, errors[2 * half + 1]));
  }
  panel.curves = {std::move(rows), std::move(columns)};
  return panel;
}

// How much of each source block arrives anywhere: with balanced columns all the same.
InsidePanel sums(std::span<const float> matrix, Index blocks, const TokenGroups& groups) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Sums of P";
  panel.caption =
      "Row: how much arrives at a block. Column: how often a block is used; a permutation has 1 everywhere.";
  panel.xTitle = "block";
  panel.yTitle = "sum";
  InsidePanel::Curve rows{"row", {}, std::vector<double>(static_cast<std::size_t>(blocks), 0.0)};
  for (Index u = 0; u < blocks; ++u) rows.x.push_back(static_cast<double>(u));
  InsidePanel::Curve columns{"column", rows.x, rows.y};
  for (Index u = 0; u < blocks; ++u)
    for (Index v = 0; v < blocks; ++v) {
      const double share = matrix[static_cast<std::size_t>(u * blocks + v)];
      rows.y[static_cast<std::size_t>(u)] += share;
      columns.y[static_cast<std::size_t>(v)] += share;
    }
  panel.groups = groups;
  for (Index u = 0; u < std::min<Index>(blocks, std::ssize(*groups)); ++u)
    panel.itemGroup.push_back(static_cast<std::int32_t>(u));
  panel.curves = {std::move(rows), std::move(columns)};
  return panel;
}

// The source that a destination gets most of; where it can be, a permutation.
struct Rounded {
  std::vector<std::int32_t> sources;
  bool permutation = false;
};

Result<Rounded> roundedSources(const InsidesRequest& request, std::span<const float> soft, Index blocks) {
  const std::vector<double> matrix(soft.begin(), soft.end());
  const bool asked = request.params.choice("hard") != "argmax";
  if (!asked || request.plan.plan().causal || blocks > kMostBlocksToPermute)
    return Rounded{largestOfRows(matrix, blocks), false};
  ATTN_ASSIGN(best, bestPermutation(matrix, blocks, request.job));
  return Rounded{std::move(best), true};
}

InsidePanel rounding(const Rounded& rounded, Index blocks, const TokenGroups& groups) {
  std::vector<float> matrix(static_cast<std::size_t>(blocks * blocks), 0.0F);
  for (Index u = 0; u < blocks; ++u)
    if (const auto v = rounded.sources[static_cast<std::size_t>(u)]; v >= 0)
      matrix[static_cast<std::size_t>(u * blocks + v)] = 1.0F;
  return blockMatrix("P, rounded",
                     rounded.permutation
                         ? "The permutation that is closest to P: each block goes to one place."
                         : "The largest of each row: a block may go to several places.",
                     matrix, blocks, groups);
}

// Tokens coloured by block, in their own order and as the rounded sorting lays them.
InsidePanel strips(const Rounded& rounded, Index n, Index block, const TokenGroups& groups) {
  const auto blocks = static_cast<Index>(rounded.sources.size());
  const Index width = blocks * block;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Strips;
  panel.title = "Blocks, sorted";
  panel.caption =
      "Above the text, below the block that is mostly brought to each place: a query reads both, at its own "
      "place.";
  panel.xTitle = "position";
  panel.stripGroup = Tensor(DType::I32, {2, width});
  panel.stripToken = Tensor(DType::I32, {2, width});
  auto group = panel.stripGroup.mutableValues<std::int32_t>();
  auto token = panel.stripToken.mutableValues<std::int32_t>();
  for (Index p = 0; p < width; ++p) {
    const auto source = static_cast<Index>(rounded.sources[static_cast<std::size_t>(p / block)]);
    const Index arrived = source < 0 ? n : source * block + p % block;
    const auto own = static_cast<std::size_t>(p);
    const auto below = static_cast<std::size_t>(width + p);
    group[own] = p < n ? static_cast<std::int32_t>(p / block) : -1;
    token[own] = p < n ? static_cast<std::int32_t>(p) : -1;
    group[below] = arrived < n ? static_cast<std::int32_t>(source) : -1;
    token[below] = arrived < n ? static_cast<std::int32_t>(arrived) : -1;
  }
  std::vector<Index> borders;
  for (Index b = block; b < width; b += block) borders.push_back(b);
  panel.stripsMove = true;
  panel.groups = groups;
  for (const std::int32_t source : group)
    panel.itemGroup.push_back(source < std::ssize(*groups) ? source : -1);
  panel.stripNames = {"text", "sorted"};
  panel.stripBorders = {borders, borders};
  return panel;
}

}  // namespace

namespace {

// What a sorting keeps of one head.
struct Kept {
  Tensor scores;  // (H, blocks, blocks), as the next
  Tensor soft;
  Tensor errors;  // empty where nothing is balanced
  Index blocks = 0;
  Index block = 1;
  TokenGroups groups;

  [[nodiscard]] InsidePanel scored(Index head) const {
    return blockMatrix("Raw scores R", "How well each source block fits each destination.",
                       scores.slice<float>(head), blocks, groups);
  }
  [[nodiscard]] InsidePanel balanced(Index head) const {
    const auto matrix = soft.slice<float>(head);
    InsidePanel panel = blockMatrix(
        "P, balanced",
        fmt::format("{} Entropy of a row: {:.2f} of at most {:.2f} nats.",
                    errors.empty() ? "Row u says which earlier blocks are mixed for block u."
                                   : "Row u says of which blocks the block brought to u is mixed.",
                    meanEntropy(matrix, blocks), std::log(static_cast<double>(blocks))),
        matrix, blocks, groups);
    addSums(panel, matrix, blocks);
    return panel;
  }
};

Kept keptBy(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  Kept kept{traceOf(plan, "sort_scores"),    traceOf(plan, "sort_soft"),
            traceOf(plan, "sort_errors"),    0,
            request.params.integer("block"), nullptr};
  kept.blocks = kept.scores.dim(1);
  kept.groups = std::make_shared<const std::vector<TokenGroup>>(groupsByBlock(
      plan.shape.nK, kept.block, kMostBlocks, [](Index b) { return fmt::format("block {}", b); }));
  return kept;
}

// How the scores became shares, in a sentence.
std::string balancingText(const Kept& kept, Index head) {
  if (kept.errors.empty())
    return "Each row becomes a softmax over the earlier blocks: a later block is never a source.";
  const auto errors = kept.errors.slice<float>(head);
  return fmt::format(
      "The exponentials of the scores are scaled to rows of sum 1, then to columns of sum 1, {} times over; "
      "row sums are off by at most {:.2g} in the end.",
      errors.size() / 4, errors[errors.size() - 2]);
}

}  // namespace

Result<std::vector<Decision>> sortingDecisions(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const Kept kept = keptBy(request);
  const Index step = stepOf<ProjectStep>(plan);
  const auto soft = kept.soft.slice<float>(request.head);
  Decision score{step,
                 "score the blocks",
                 fmt::format("Each of {} blocks of {} tokens is scored as a source for the place of each.",
                             kept.blocks, kept.block),
                 {kept.scored(request.head)}};
  Decision balance{step,
                   kept.errors.empty() ? "weigh the earlier blocks" : "balance",
                   balancingText(kept, request.head),
                   {kept.balanced(request.head)}};
  if (!kept.errors.empty()) balance.panels.push_back(balancing(kept.errors.slice<float>(request.head)));
  if (!request.job.advance(0)) return cancelled();
  ATTN_ASSIGN(rounded, roundedSources(request, soft, kept.blocks));
  Decision bring{step,
                 "what is brought where",
                 request.params.choice("hard") == "none"
                     ? "At each place arrives a mix of blocks, with the shares of its row; the picture shows "
                       "the block with the largest part in it."
                     : "At each place arrives the one block that the rounded matrix names.",
                 {strips(rounded, plan.shape.nK, kept.block, kept.groups)}};
  return std::vector<Decision>{std::move(score), std::move(balance), std::move(bring)};
}

Result<std::vector<InsidePanel>> sortingPanels(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const Kept kept = keptBy(request);
  const auto& [scores, softOfHeads, errors, blocks, block, groups] = kept;
  const auto soft = softOfHeads.slice<float>(request.head);
  std::vector<InsidePanel> panels{kept.scored(request.head), kept.balanced(request.head)};
  if (!errors.empty()) panels.push_back(balancing(errors.slice<float>(request.head)));
  if (!request.job.advance(0)) return cancelled();
  ATTN_ASSIGN(rounded, roundedSources(request, soft, blocks));
  panels.push_back(rounding(rounded, blocks, groups));
  panels.push_back(strips(rounded, plan.shape.nK, block, groups));
  panels.push_back(sums(soft, blocks, groups));
  if (errors.empty()) return panels;
  const auto errorsOfHead = errors.slice<float>(request.head);
  const Tensor halves = traceOf(plan, "sort_iterations");
  std::vector<InsidePanel> series;
  if (halves.empty()) {
    ATTN_ASSIGN(coarse, coarseIterations(request, scores.slice<float>(request.head), errorsOfHead, blocks));
    series = std::move(coarse);
  } else {
    series = keptIterations(halves, errorsOfHead, request.head, groups);
  }
  for (InsidePanel& panel : series) panels.push_back(std::move(panel));
  return panels;
}

}  // namespace attnscope
