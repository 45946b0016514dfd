// SPDX-License-Identifier: GPL-3.0-or-later
// Big Bird, internal construction: Zaheer et al., arXiv 2007.14062, section 2 and appendix D.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kWindow = 0, kGlobalKey = 1, kGlobalQuery = 2, kRandom = 3 };
constexpr Index kFixedBlocks = 5;    // first, three of the window, last
constexpr Index kDrawnBlocks = 512;  // of the block graph, at most

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "bigbird";
  card.name = "Big Bird";
  card.family = Family::Memories;
  card.paper = "Big Bird: Transformers for Longer Sequences";
  card.authors =
      "Zaheer, Guruganesh, Dubey, Ainslie, Alberti, Onta\u00f1\u00f3n, Pham, Ravula, Wang, Yang, Ahmed";
  card.year = 2020;
  card.arxiv = "2007.14062";
  card.surveyComplexity = "O(n)";
  card.countedComplexity = "b\u00b2 (N(7 + r) \u2212 12 \u2212 2r) pairs in N = n/b blocks";
  card.causal = CausalSupport::Never;
  card.decodable = false;
  card.anyLengths = false;
  card.summary =
      "Like a phone network: neighbours talk, everyone has a few random friends far away, and two operators, "
      "the first and the "
      "last block, are connected to all. Random friends make the world small, operators make it tiny.";
  card.formula =
      "block i reads {0, i \u2212 1, i, i + 1, N \u2212 1} \u222a R\u1d62, |R\u1d62| = r;  blocks 0 and N "
      "\u2212 1 read all";
  card.ours =
      "Random blocks are drawn uniformly from all blocks that a row does not read anyway; published code "
      "draws from a part of "
      "the sequence only. The last block may be short. Only the internal construction (ITC) is offered.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "block", "b", "Tokens in a block.", 1, toN,
      [](const Shape& s) {
        if (s.nK >= 4096) return Index{64};
        return std::clamp<Index>(s.nK / 16, 1, 16);
      },
      "16; 64 from n = 4096; n/16 below n = 256"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{64}};
  params.back().paperText = "64";
  params.push_back(intParam(
      "random", "r", "Random blocks that each block reads; with fewer than r + 5 blocks attention is full.",
      0, toN, [](const Shape& s) { return s.nK >= 1024 ? Index{3} : Index{2}; }, "2; 3 from n = 1024"));
  params.back().unit = "blocks";
  params.back().paperValue = ParamValue{Index{3}};
  params.back().paperText = "3";
  return params;
}

// What block row i reads in any case: the ends and its neighbours.
bool isFixed(Index row, Index block, Index blocks) {
  return block == 0 || block == blocks - 1 || (block >= row - 1 && block <= row + 1);
}

// The block of a given rank among those that the row does not read anyway.
Index unreadBlock(Index row, Index rank, Index blocks) {
  Index block = rank + 1;  // not the first
  if (block >= std::max<Index>(1, row - 1))
    block += std::min(row + 1, blocks - 2) - std::max<Index>(1, row - 1) + 1;
  return block;
}

// r distinct blocks from the others, by the first steps of a shuffle: one more random block leaves the
// earlier ones. Only the places of the pool that were exchanged are kept.
Tensor drawBlocks(const LoweringRequest& request, Index blocks, Index random) {
  const Index heads = request.input.shape().heads;
  const RandomStream stream(request.options.seed, "bigbird", "random_blocks");
  Tensor tensor(DType::I32, {heads, blocks, random});
  auto values = tensor.mutableValues<std::int32_t>();
  std::fill(values.begin(), values.end(), -1);
  for (Index h = 0; h < heads; ++h)
    for (Index row = 1; row < blocks - 1; ++row) {
      const Index pool = blocks - (row == 1 || row == blocks - 2 ? kFixedBlocks - 1 : kFixedBlocks);
      std::map<Index, Index> moved;
      const auto at = [&](Index place) { return moved.contains(place) ? moved[place] : place; };
      for (Index a = 0; a < random; ++a) {
        const Index pick = a + stream.below(static_cast<std::uint32_t>(pool - a),
                                            {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(row),
                                             static_cast<std::uint32_t>(a)});
        const Index rank = at(pick);
        moved[pick] = at(a);
        values[static_cast<std::size_t>((h * blocks + row) * random + a)] =
            static_cast<std::int32_t>(unreadBlock(row, rank, blocks));
      }
    }
  return tensor;
}

Status checkBlocks(const Tensor& tensor) {
  const Index blocks = tensor.dim(1);
  for (Index h = 0; h < tensor.dim(0); ++h) {
    const auto rows = tensor.slice<std::int32_t>(h);
    for (Index row = 1; row < blocks - 1; ++row)
      for (Index a = 0; a < tensor.dim(2); ++a) {
        const std::int32_t block = rows[static_cast<std::size_t>(row * tensor.dim(2) + a)];
        if (block < 0 || block >= blocks)
          return fail(
              ErrorKind::Input,
              fmt::format("Weights: 'random_blocks' lets block {} of head {} read block {}, but blocks "
                          "go from 0 to {}.",
                          row, h, block, blocks - 1));
      }
  }
  return {};
}

struct Setting {
  Index n = 0;
  Index block = 1;
  Index blocks = 1;

  [[nodiscard]] Index endOf(Index b) const { return std::min(n, (b + 1) * block); }
};

// Neighbours, first and last block, and the two rows of blocks that read everything.
PatternPtr windowAndGlobals(const Setting& s) {
  return makePattern(s.n, s.n, [s](Index i, RunList& runs) {
    const Index row = i / s.block;
    const Index last = s.blocks - 1;
    if (row == 0 || row == last) {
      runs.push_back({0, s.n, 1, kGlobalQuery, 1});
      return;
    }
    if (row > 1) runs.push_back({0, s.block, 1, kGlobalKey, 1});
    runs.push_back({(row - 1) * s.block, s.endOf(row + 1), 1, kWindow, 1});
    if (row < last - 1) runs.push_back({last * s.block, s.n, 1, kGlobalKey, 1});
  });
}

// The random blocks of every block row, gathered side by side: row by row a dense rectangle, however small
// the blocks.
HeadAttend randomBlocks(const Setting& s, std::span<const std::int32_t> plan, Index random) {
  std::vector<std::int32_t> keys;
  std::vector<Index> begins{0};
  std::vector<std::int32_t> chosen;
  for (Index row = 0; row < s.blocks; ++row) {
    chosen.clear();
    for (Index a = 0; a < random && row > 0 && row < s.blocks - 1; ++a) {
      const std::int32_t b = plan[static_cast<std::size_t>(row * random + a)];
      if (!isFixed(row, b, s.blocks)) chosen.push_back(b);
    }
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    for (const std::int32_t b : chosen)
      for (Index j = b * s.block; j < s.endOf(b); ++j) keys.push_back(static_cast<std::int32_t>(j));
    begins.push_back(static_cast<Index>(keys.size()));
  }
  const auto count = static_cast<Index>(keys.size());
  const auto rule = [s, begins = std::move(begins)](Index i, RunList& runs) {
    const auto row = static_cast<std::size_t>(i / s.block);
    if (begins[row] < begins[row + 1]) runs.push_back({begins[row], begins[row + 1], 1, kRandom, 1});
  };
  return {nullptr, makeOrder(std::move(keys)), makePattern(s.n, count, rule)};
}

class BigBird final : public Mechanism {
 public:
  BigBird() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<std::vector<HeadAttend>> randomHeads(const LoweringRequest& request, const Setting& s, Plan& plan) {
  const Index random = request.params.integer("random");
  const Index heads = plan.shape.heads;
  ATTN_TRY(requireMemory(4.0 * static_cast<double>(heads * random) * static_cast<double>(s.n + s.blocks),
                         "Gathering the random blocks of bigbird"));
  ATTN_ASSIGN(owned, ownTensor(request, "random_blocks", DType::I32, {s.blocks, random}, {},
                               [&] { return drawBlocks(request, s.blocks, random); }));
  ATTN_TRY(checkBlocks(owned.tensor));
  plan.params.push_back(
      {"random_blocks", originText(request, owned.fromFile), [tensor = owned.tensor] { return tensor; }});
  std::vector<HeadAttend> attends;
  for (Index h = 0; h < heads; ++h) {
    const auto rows = owned.tensor.slice<std::int32_t>(h);
    Index like = 0;
    while (like < h && !std::ranges::equal(owned.tensor.slice<std::int32_t>(like), rows)) ++like;
    attends.push_back(like < h ? attends[static_cast<std::size_t>(like)] : randomBlocks(s, rows, random));
  }
  return attends;
}

Result<Plan> BigBird::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index random = request.params.integer("random");
  const Index block = request.params.integer("block");
  const Setting s{shape.nK, block, ceilDiv(shape.nK, block)};
  Plan plan = Plan::begin(card().id, shape, false);
  JoinedAttention joined(plan, request.defaultScale());
  if (s.blocks < random + kFixedBlocks) {
    plan.labels = {
        Label{"fallback", fmt::format("fewer than r + 5 = {} blocks: every pair", random + kFixedBlocks)}};
    plan.note = fmt::format("{} blocks of {} are fewer than r + 5 = {}: full attention.", s.blocks, block,
                            random + kFixedBlocks);
    joined.add("fallback: all pairs", "all",
               sameForAllHeads(shape.heads, {nullptr, nullptr, densePattern(s.n, s.n, false)}));
    joined.finish("");
    return plan;
  }
  plan.labels = {Label{"window", "in the query's own block or the ones beside it"},
                 Label{"global key", "in the first or last block, which every query reads"},
                 Label{"global query", "the query is in the first or last block and reads every key"},
                 Label{"random", fmt::format("in one of r = {} blocks drawn for the query's block", random)}};
  joined.add("window and globals", "fixed",
             sameForAllHeads(shape.heads, {nullptr, nullptr, windowAndGlobals(s)}));
  if (random > 0) {
    ATTN_ASSIGN(heads, randomHeads(request, s, plan));
    joined.add("random blocks", "random", std::move(heads));
  }
  joined.finish("one softmax over window, globals and random blocks");
  return plan;
}

// The graph of blocks as a matrix of rules. A long sequence shows its first blocks only.
InsidePanel graphPanel(const FrozenPlan& plan, Index head, Index block) {
  const Index blocks = ceilDiv(plan.plan().shape.nK, block);
  const Index shown = std::min(blocks, kDrawnBlocks);
  InsidePanel panel;
  panel.title = shown < blocks ? fmt::format("Graph of the blocks, the first {} of {}", shown, blocks)
                               : "Graph of the blocks";
  panel.caption =
      "Weakest to strongest: window, global key, global query, random. The random blocks differ from head to "
      "head.";
  panel.xTitle = "key block";
  panel.yTitle = "query block";
  panel.values = Tensor::zeros(DType::F32, {shown, shown});
  auto cells = panel.values.mutableValues<float>();
  RunList runs;
  for (Index row = 0; row < shown; ++row) {
    plan.support(head)->row(row * block, runs);
    for (const Run& run : runs)
      for (Index b = run.begin / block; b < std::min(shown, ceilDiv(run.end, block)); ++b)
        cells[static_cast<std::size_t>(row * shown + b)] = static_cast<float>(run.label + 1);
  }
  return panel;
}

Result<std::vector<InsidePanel>> BigBird::insides(const InsidesRequest& request) const {
  std::vector<InsidePanel> panels;
  if (request.plan.plan().labels.size() > 1)
    panels.push_back(graphPanel(request.plan, request.head, request.params.integer("block")));
  panels.push_back(keysByRule(request.plan, request.head));
  panels.push_back(pairsByRule(request.plan, request.head,
                               "Every rule grows with n: window 3 n b, globals 4 n b, random n r b."));
  return panels;
}

}  // namespace

const Mechanism& bigbirdMechanism() {
  static const BigBird mechanism;
  return mechanism;
}

}  // namespace attnscope
