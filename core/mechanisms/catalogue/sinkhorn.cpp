// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse Sinkhorn attention: Tay, Bahri, Yang, Metzler, Juan, arXiv 2002.11296.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/assignment.h"
#include "core/mechanisms/block_sorting.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/sorting_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kOwn = 0, kSorted = 1 };

// P after each half-iteration is kept for all heads up to so many cells: 32 MB.
constexpr double kMostHalfCells = 8e6;

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "sinkhorn";
  card.name = "Sparse Sinkhorn";
  card.family = Family::LearnablePatterns;
  card.paper = "Sparse Sinkhorn Attention";
  card.authors = "Tay, Bahri, Yang, Metzler, Juan";
  card.year = 2020;
  card.arxiv = "2002.11296";
  card.surveyComplexity = "O(b\u00b2)";
  card.countedComplexity = "2 n B pairs; T (n/B)\u00b2 to balance, 2 n (n/B) d to mix; SortCut: n c B pairs";
  card.anyLengths = false;
  card.summary =
      "Local attention is cheap but blind, so sort the blocks of keys first and let every block of queries "
      "read the block that was brought to it. Balancing rows and columns makes the sorting a soft "
      "permutation that can be learned.";
  card.formula =
      "P = Sinkhorn(R/\u03c4),  K\u2032\u1d64 = \u03a3\u1d65 P\u1d64\u1d65 K\u1d65,  o\u1d62 = softmax(s "
      "q\u1d62 [K\u2032\u1d64; K\u1d64]\u1d40) [V\u2032\u1d64; V\u1d64]";
  card.ours =
      "Scores of blocks from their mean queries and keys unless a sorting net is asked for. One softmax over "
      "the sorted and the own block. Causal: only earlier blocks are mixed and only rows are normalised, "
      "since a column's sum runs over later blocks. A short last block takes no part in slots that it lacks.";
  return card;
}

std::vector<ParamSpec> sortingParams() {
  std::vector<ParamSpec> params;
  params.push_back(choiceParam(
      "score", "How blocks are compared.", {"sim", "net"},
      {"mean query of one with the mean key of the other", "two relu layers on the sum of a block's queries"},
      "sim"));
  params.back().paperText = "net, learned";
  params.push_back(intParam(
      "iterations", "T", "Times that rows and columns are balanced in turn (not when causal).", 1,
      [](const Shape&) { return 1000.0; }, [](const Shape&) { return Index{20}; }, "20"));
  params.back().paperValue = ParamValue{Index{7}};
  params.back().paperText = "7, with a temperature of 0.75";
  params.push_back(realParam(
      "temperature", "\u03c4", "Divides the scores: small makes the permutation hard.", 0.01, 100.0,
      [](const Shape&) { return 0.75; }, "0.75"));
  params.back().paperValue = ParamValue{0.75};
  params.push_back(boolParam("noise", "Add Gumbel noise to the scores, as in training.", false));
  params.push_back(choiceParam(
      "hard", "Round the balanced matrix.", {"none", "argmax", "hungarian"},
      {"mix the blocks", "the largest of each row", "the best permutation (not causal)"}, "none"));
  // The third is refused when causal.
  params.back().examples = [](const Shape&) { return std::vector<std::string>{"none", "argmax"}; };
  return params;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "block", "B", "Tokens in a block.", 1, toN, [](const Shape& s) { return ceilSqrt(s.nK); },
      "ceil(sqrt n)"));
  params.back().unit = "tokens";
  for (ParamSpec& param : sortingParams()) params.push_back(std::move(param));
  params.push_back(intParam(
      "sortcut", "c", "All queries read the first c sorted blocks instead; 0 is off (not causal).", 0, toN,
      [](const Shape&) { return Index{0}; }, "0"));
  params.back().unit = "blocks";
  params.back().paperText = "2, encoders only";
  // Its end depends on the block, and it is refused when causal.
  params.back().examples = [](const Shape&) { return std::vector<std::string>{"0"}; };
  params.push_back(boolParam("sortcut_own", "With sortcut, also read the own block.", false));
  return params;
}

// Sizes and switches of one call.
struct Setting {
  Shape shape;
  Index block = 1;
  Index blocks = 1;   // N_B
  Index mixed = 1;    // mixed blocks that are made and read
  Index sortcut = 0;  // 0: off
  bool causal = false;
};

Result<Setting> settle(const LoweringRequest& request) {
  const Shape shape = request.input.shape();
  const Index block = request.params.integer("block");
  const Index blocks = ceilDiv(shape.nK, block);
  const Index sortcut = request.params.integer("sortcut");
  const bool causal = request.options.causal;
  if (causal && request.params.choice("hard") == "hungarian")
    return fail(ErrorKind::Usage,
                "sinkhorn: hard=hungarian with causal is not defined: a permutation lets later blocks decide "
                "which source is left for an earlier one. Use hard=argmax.");
  if (causal && sortcut > 0)
    return fail(ErrorKind::Usage,
                fmt::format("sinkhorn: sortcut={} with causal is not defined: the first sorted blocks are "
                            "made of later tokens (arXiv 2002.11296 has it for encoders only). "
                            "Use sortcut=0.",
                            sortcut));
  if (sortcut > blocks)
    return fail(ErrorKind::Usage,
                fmt::format("sinkhorn: sortcut is {}, but {} tokens make {} blocks of {}. The nearest valid "
                            "value is {}.",
                            sortcut, shape.nK, blocks, block, blocks));
  ATTN_TRY(requireMemory(static_cast<double>(blocks) * static_cast<double>(blocks) *
                             (16.0 * static_cast<double>(shape.heads) + 48.0),
                         fmt::format("sinkhorn: sorting {} blocks", blocks)));
  return Setting{shape, block, blocks, sortcut > 0 ? sortcut : blocks, sortcut, causal};
}

// Normal numbers with variance 2 / d: what keeps the size of a relu layer.
Tensor drawLayer(const LoweringRequest& request, const std::string& name, Index rows, Index cols) {
  const RandomStream stream(request.options.seed, "sinkhorn", name);
  const Index heads = request.input.shape().heads;
  const auto deviation = static_cast<float>(std::sqrt(2.0 / static_cast<double>(rows)));
  Tensor tensor(DType::F32, {heads, rows, cols});
  for (Index h = 0; h < heads; ++h)
    for (Index r = 0; r < rows; ++r) {
      const auto row = tensor.mutableSlice<float>(h).subspan(static_cast<std::size_t>(r * cols),
                                                             static_cast<std::size_t>(cols));
      stream.fillNormals({static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(r), 0}, row);
      for (float& x : row) x *= deviation;
    }
  return tensor;
}

Tensor drawGumbel(const LoweringRequest& request, Index blocks) {
  const RandomStream stream(request.options.seed, "sinkhorn", "gumbel");
  const Index heads = request.input.shape().heads;
  Tensor tensor(DType::F32, {heads, blocks, blocks});
  auto out = tensor.mutableValues<float>().begin();
  for (Index h = 0; h < heads; ++h)
    for (Index u = 0; u < blocks; ++u)
      for (Index v = 0; v < blocks; ++v)
        *out++ = static_cast<float>(-std::log(-std::log(stream.uniform(
            {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(u), static_cast<std::uint32_t>(v)}))));
  return tensor;
}

// The sorting net and the noise of all heads; empty where they are not used.
struct OwnTensors {
  Tensor w1, b1, w2, b2;
  Tensor gumbel;
};

Result<OwnTensors> makeTensors(const LoweringRequest& request, const Setting& setting, Plan& plan) {
  const Index d = setting.shape.d;
  const Index heads = setting.shape.heads;
  OwnTensors tensors;
  const auto own = [&](Tensor& target, const std::string& name, const std::vector<Index>& rest,
                       const std::vector<std::size_t>& atLeast, const std::string& origin,
                       const std::function<Tensor()>& draw) -> Status {
    ATTN_ASSIGN(owned, ownTensor(request, name, DType::F32, rest, atLeast, draw));
    target = owned.tensor;
    plan.params.push_back(
        {name, owned.fromFile ? "file" : origin, [tensor = owned.tensor] { return tensor; }});
    return {};
  };
  const auto zeros = [&](Index width) { return Tensor::zeros(DType::F32, {heads, width}); };
  const std::string drawn = originText(request, false);
  if (request.params.choice("score") == "net") {
    ATTN_TRY(
        own(tensors.w1, "sort_w1", {d, d}, {}, drawn, [&] { return drawLayer(request, "sort_w1", d, d); }));
    ATTN_TRY(own(tensors.b1, "sort_b1", {d}, {}, "0", [&] { return zeros(d); }));
    ATTN_TRY(own(tensors.w2, "sort_w2", {d, setting.blocks}, {1}, drawn,
                 [&] { return drawLayer(request, "sort_w2", d, setting.blocks); }));
    ATTN_TRY(own(tensors.b2, "sort_b2", {setting.blocks}, {0}, "0", [&] { return zeros(setting.blocks); }));
  }
  if (request.params.flag("noise"))
    ATTN_TRY(own(tensors.gumbel, "gumbel", {setting.blocks, setting.blocks}, {}, drawn,
                 [&] { return drawGumbel(request, setting.blocks); }));
  return tensors;
}

// R of one head.
std::vector<double> scoreBlocks(const LoweringRequest& request, const Setting& setting,
                                const OwnTensors& tensors, Index head) {
  const Shape& shape = setting.shape;
  const auto q = request.input.q.slice<float>(head);
  const bool net = !tensors.w1.empty();
  const std::vector<double> x = setting.causal ? prefixMeans(q, shape.nQ, shape.d, setting.block)
                                : net          ? blockSums(q, shape.nQ, shape.d, setting.block)
                                               : blockMeans(q, shape.nQ, shape.d, setting.block);
  if (net)
    return netScores(x,
                     {tensors.w1.slice<float>(head), tensors.b1.slice<float>(head),
                      tensors.w2.slice<float>(head), tensors.b2.slice<float>(head), tensors.w2.dim(2)},
                     shape.d, request.job);
  const auto k = request.input.k.slice<float>(request.input.kvHead(head));
  return similarityScores(x, blockMeans(k, shape.nK, shape.d, setting.block), shape.d, request.job);
}

// Rounds to the sources that `hard` chooses.
Status roundMatrix(const std::string& hard, Index blocks, const JobContext& job,
                   std::vector<double>& matrix) {
  std::vector<std::int32_t> sources;
  if (hard == "argmax") {
    sources = largestOfRows(matrix, blocks);
  } else {
    ATTN_ASSIGN(best, bestPermutation(matrix, blocks, job));
    sources = std::move(best);
  }
  std::fill(matrix.begin(), matrix.end(), 0.0);
  for (Index u = 0; u < blocks; ++u)
    if (const auto v = sources[static_cast<std::size_t>(u)]; v >= 0)
      matrix[static_cast<std::size_t>(u * blocks + v)] = 1.0;
  return {};
}

// Rounded to float32, whose subnormal numbers have too few digits to divide by: they count as 0.
void freezeShares(const std::vector<double>& from, std::span<float> to) {
  std::transform(from.begin(), from.end(), to.begin(), [](double x) {
    return x < std::numeric_limits<float>::min() ? 0.0F : static_cast<float>(x);
  });
}

// As executed, (H, N_B, N_B) each; `cut` for the rows that the last block lacks, empty if it lacks none.
struct Shares {
  Tensor whole;
  Tensor cut;
};

// What led to the shares is kept with the plan.
Result<Shares> sortBlocks(const LoweringRequest& request, const Setting& setting, Plan& plan) {
  ATTN_ASSIGN(tensors, makeTensors(request, setting, plan));
  const Index heads = setting.shape.heads;
  const Index blocks = setting.blocks;
  const Index iterations = request.params.integer("iterations");
  const std::string& hard = request.params.choice("hard");
  const std::vector<Index> square{heads, blocks, blocks};
  Tensor scores(DType::F32, square);
  Tensor soft(DType::F32, square);
  Shares shares;
  shares.whole = hard == "none" ? soft : Tensor(DType::F32, square);
  if (setting.blocks * setting.block != setting.shape.nK) shares.cut = Tensor(DType::F32, square);
  Tensor errors(DType::F32, {heads, 2 * iterations, 2});
  Tensor halves;
  if (!setting.causal &&
      static_cast<double>(heads * 2 * iterations) * static_cast<double>(blocks * blocks) <= kMostHalfCells)
    halves = Tensor(DType::F32, {heads, 2 * iterations, blocks, blocks});
  for (Index h = 0; h < heads; ++h) {
    if (!request.job.advance(0)) return cancelled();
    std::vector<double> logits = scoreBlocks(request, setting, tensors, h);
    std::transform(logits.begin(), logits.end(), scores.mutableSlice<float>(h).begin(),
                   [](double x) { return static_cast<float>(x); });
    for (std::size_t at = 0; at < logits.size(); ++at)
      logits[at] = (logits[at] + (tensors.gumbel.empty() ? 0.0 : tensors.gumbel.slice<float>(h)[at])) /
                   request.params.real("temperature");
    std::vector<double> matrix;
    std::vector<double> cut;
    if (setting.causal) {
      matrix = earlierRows(logits, blocks);
      cut = matrix;  // there the last block is nobody's source
    } else {
      const auto keep = [&](Index half, std::span<const double> after) {
        if (halves.empty()) return;
        std::transform(after.begin(), after.end(),
                       halves.mutableSlice<float>(h).begin() + half * blocks * blocks,
                       [](double p) { return static_cast<float>(p); });
      };
      ATTN_ASSIGN(balanced, sinkhorn(std::move(logits), blocks, iterations, request.job, keep));
      auto error = errors.mutableSlice<float>(h).begin();
      for (std::size_t half = 0; half < balanced.rowErrors.size(); ++half) {
        *error++ = static_cast<float>(balanced.rowErrors[half]);
        *error++ = static_cast<float>(balanced.columnErrors[half]);
      }
      if (!shares.cut.empty()) cut = withoutLastBlock(balanced, blocks);
      matrix = std::move(balanced.matrix);
    }
    freezeShares(matrix, soft.mutableSlice<float>(h));
    if (hard != "none") {
      ATTN_TRY(roundMatrix(hard, blocks, request.job, matrix));
      freezeShares(matrix, shares.whole.mutableSlice<float>(h));
      // The one source either has the row or the row has none.
      cut = std::move(matrix);
      for (Index u = 0; u < blocks; ++u) cut[static_cast<std::size_t>((u + 1) * blocks - 1)] = 0.0;
    }
    if (!shares.cut.empty()) freezeShares(cut, shares.cut.mutableSlice<float>(h));
  }
  plan.trace.push_back({"sort_scores", scores});
  plan.trace.push_back({"sort_soft", soft});
  plan.trace.push_back({"sort_matrix", shares.whole});
  if (!setting.causal) plan.trace.push_back({"sort_errors", errors});
  if (!halves.empty()) plan.trace.push_back({"sort_iterations", halves});
  return shares;
}

// The rows of the mixed blocks that are made.
Tensor firstRows(const Tensor& shares, Index rows) {
  const Index heads = shares.dim(0);
  const Index cols = shares.dim(2);
  if (rows == shares.dim(1)) return shares;
  Tensor cut(DType::F32, {heads, rows, cols});
  for (Index h = 0; h < heads; ++h)
    std::copy_n(shares.slice<float>(h).begin(), rows * cols, cut.mutableSlice<float>(h).begin());
  return cut;
}

// What each slot's value is made of: row t of mixed block u holds row t of every block that has one.
Tensor compose(const BlockMix& blocks, Index n) {
  const Index heads = blocks.mix.dim(0);
  const Index slots = blocks.mix.dim(1) * blocks.block;
  Tensor tensor = Tensor::zeros(DType::F32, {heads, slots, n});
  for (Index h = 0; h < heads; ++h) {
    auto cells = tensor.mutableSlice<float>(h);
    for (Index slot = 0; slot < slots; ++slot) {
      Index j = slot % blocks.block;
      for (const float share : blocks.shares(h, slot / blocks.block, j, n)) {
        if (j < n) cells[static_cast<std::size_t>(slot * n + j)] = share;
        j += blocks.block;
      }
    }
  }
  return tensor;
}

// Slots of each mixed block that are made of something. Only the last block can be short, so what is missing
// is at the end.
std::vector<Index> filledSlots(const Setting& setting, const BlockMix& blocks, Index head) {
  const Index n = setting.shape.nK;
  const auto made = [&](Index u, Index t) {
    const auto shares = blocks.shares(head, u, t, n);
    return std::any_of(shares.begin(), shares.end(), [](float p) { return p > 0.0F; });
  };
  const Index whole = blocks.whole(n);
  std::vector<Index> filled;
  for (Index u = 0; u < setting.mixed; ++u)
    filled.push_back(whole < setting.block && made(u, whole) ? setting.block : made(u, 0) ? whole : 0);
  return filled;
}

std::vector<HeadAttend> sortedHeads(const Setting& setting, const BlockMix& blocks) {
  std::map<std::vector<Index>, PatternPtr> known;
  std::vector<HeadAttend> heads;
  for (Index h = 0; h < setting.shape.heads; ++h) {
    std::vector<Index> filled = filledSlots(setting, blocks, h);
    PatternPtr& pattern = known[filled];
    if (!pattern)
      pattern =
          makePattern(setting.shape.nQ, setting.mixed * setting.block,
                      [setting, filled = std::move(filled)](Index i, RunList& runs) {
                        const Index own = i / setting.block;
                        const Index begin = setting.sortcut > 0 ? 0 : own;
                        const Index end = setting.sortcut > 0 ? setting.mixed : own + 1;
                        for (Index u = begin; u < end; ++u)
                          if (const Index count = filled[static_cast<std::size_t>(u)]; count > 0)
                            runs.push_back({u * setting.block, u * setting.block + count, 1, kSorted, 1});
                      });
    heads.push_back({nullptr, nullptr, pattern});
  }
  return heads;
}

PatternPtr ownBlock(const Setting& setting) {
  return makePattern(setting.shape.nQ, setting.shape.nK, [setting](Index i, RunList& runs) {
    const Index begin = i / setting.block * setting.block;
    runs.push_back(
        {begin, setting.causal ? i + 1 : std::min(begin + setting.block, setting.shape.nK), 1, kOwn, 1});
  });
}

class Sinkhorn final : public Mechanism {
 public:
  Sinkhorn() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  bool patternNeedsValues(const ParamValues&) const override { return true; }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    return sortingPanels(request);
  }
  Result<std::vector<Decision>> decisions(const InsidesRequest& request) const override {
    return sortingDecisions(request);
  }
};

Result<Plan> Sinkhorn::lower(const LoweringRequest& request) const {
  ATTN_ASSIGN(setting, settle(request));
  const Shape& shape = setting.shape;
  Plan plan = Plan::begin(card().id, shape, setting.causal);
  plan.labels = {Label{"own block", fmt::format("in the query's own block of {}", setting.block)},
                 Label{"sorted block", setting.sortcut > 0 ? "a slot of the first sorted blocks"
                                                           : "a slot of the block brought to this place"}};
  ATTN_ASSIGN(all, sortBlocks(request, setting, plan));
  const BlockMix mix{firstRows(all.whole, setting.mixed), setting.block,
                     all.cut.empty() ? all.cut : firstRows(all.cut, setting.mixed)};
  plan.slotCount = setting.mixed * setting.block;
  plan.slotComposition = [mix, n = shape.nK] { return compose(mix, n); };
  const BufferId keys = plan.addBuffer("sorted_keys", plan.slotCount, shape.d, "sorted_keys");
  plan.slotValues = plan.addBuffer("sorted_values", plan.slotCount, shape.dV, "sorted_values");
  plan.steps.emplace_back(ProjectStep{"sort the keys", kKey, keys, mix});
  plan.steps.emplace_back(ProjectStep{"sort the values", kValue, plan.slotValues, mix});
  JoinedAttention joined(plan, request.defaultScale());
  joined.addSlots("sorted blocks", "sorted", sortedHeads(setting, mix), keys, plan.slotValues);
  if (setting.sortcut == 0 || request.params.flag("sortcut_own"))
    joined.add("own block", "own", sameForAllHeads(shape.heads, {nullptr, nullptr, ownBlock(setting)}));
  joined.finish("one softmax over both");
  return plan;
}

}  // namespace

const Mechanism& sinkhornMechanism() {
  static const Sinkhorn mechanism;
  return mechanism;
}

}  // namespace attnscope
