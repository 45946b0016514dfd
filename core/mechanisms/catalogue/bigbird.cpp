// SPDX-License-Identifier: GPL-3.0-or-later
// Big Bird, internal and extended construction: Zaheer et al., arXiv 2007.14062, section 2 and appendix D.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/block_graph_panels.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/global_notes.h"
#include "core/mechanisms/note_panels.h"
#include "core/mechanisms/published_blocks.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kWindow = 0, kGlobalKey = 1, kGlobalQuery = 2, kRandom = 3 };
enum : std::uint8_t { kOwnNote = 1, kOtherNote = 2 };  // in the extended construction

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
      "Random blocks are drawn uniformly from all blocks that a row does not read anyway; plan=official "
      "repeats "
      "those of published code, number by number. A block that is drawn twice, or read anyway, counts once. "
      "The "
      "last block may be short. "
      "Notes of the extended construction (ETC) are means of their tokens unless given.";
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
  params.back().paperText = "3; none in its extended construction";
  params.push_back(choiceParam(
      "variant", "Where the global tokens are.", {"itc", "etc"},
      {"internal: the first and the last block", "extended: notes beside the text, one a sentence or block"},
      "itc"));
  params.push_back(choiceParam(
      "plan", "Which blocks may be drawn.", {"uniform", "official"},
      {"all that a row does not read anyway",
       "the very blocks that published code draws (there the seed is the number of the layer): among "
       "the first 1,024 tokens for n = 1,024 to 4,096 in steps of 1,024, else among blocks 1 to 2 r + "
       "3"},
      "uniform"));
  // Published code fails for some lengths.
  params.back().examples = [](const Shape&) { return std::vector<std::string>{"uniform"}; };
  return params;
}

struct Setting {
  Index n = 0;
  Index block = 1;
  Index blocks = 1;
  bool extended = false;  // ETC: no block is global

  [[nodiscard]] Index endOf(Index b) const { return std::min(n, (b + 1) * block); }
  // Rows of blocks that read everything have no random blocks.
  [[nodiscard]] bool readsAll(Index row) const { return !extended && (row == 0 || row == blocks - 1); }
  // What a row reads in any case: its neighbours, and the ends where these are global.
  [[nodiscard]] bool isFixed(Index row, Index b) const {
    return (!extended && (b == 0 || b == blocks - 1)) || (b >= row - 1 && b <= row + 1);
  }
  // Blocks that rows of fixed ones leave too few of.
  [[nodiscard]] Index fixedBlocks() const { return extended ? 3 : 5; }
};

// The blocks that a row may draw from, in rising order, never written out: all of them without a few.
class Pool {
 public:
  Pool(const Setting& s, Index row) : m_count(s.blocks) {
    for (const Index b : {Index{0}, row - 1, row, row + 1, s.blocks - 1})
      if (b >= 0 && b < s.blocks && s.isFixed(row, b)) leaveOut(b);
  }
  [[nodiscard]] Index count() const { return m_count; }
  [[nodiscard]] Index block(Index at) const {
    Index block = at;
    for (const Index left : m_left) block += left <= block ? 1 : 0;
    return block;
  }

 private:
  void leaveOut(Index block) {
    const auto at = std::lower_bound(m_left.begin(), m_left.end(), block);
    if (at != m_left.end() && *at == block) return;
    m_left.insert(at, block);
    --m_count;
  }
  Index m_count;
  std::vector<Index> m_left;  // sorted
};

// The first steps of a shuffle of the pool, of which only what has moved is kept.
class Shuffle {
 public:
  explicit Shuffle(const Pool& pool) : m_pool(pool) {}
  Index swapIn(Index at, Index pick) {  // the entry at `pick` comes to `at`, and the one there goes to `pick`
    const Index picked = entry(pick);
    m_moved[pick] = entry(at);
    m_moved[at] = picked;
    return picked;
  }

 private:
  [[nodiscard]] Index entry(Index at) const {
    const auto moved = m_moved.find(at);
    return moved == m_moved.end() ? m_pool.block(at) : moved->second;
  }
  const Pool& m_pool;
  std::map<Index, Index> m_moved;
};

// r distinct blocks of all that a row does not read anyway, by the first steps of a shuffle: one more random
// block leaves the earlier ones.
Tensor drawBlocks(const LoweringRequest& request, const Setting& s, Index random) {
  const Index heads = request.input.shape().heads;
  const RandomStream stream(request.options.seed, "bigbird", "random_blocks");
  Tensor tensor(DType::I32, {heads, s.blocks, random});
  auto values = tensor.mutableValues<std::int32_t>();
  std::fill(values.begin(), values.end(), -1);
  for (Index row = 0; row < s.blocks; ++row) {
    if (s.readsAll(row)) continue;
    const Pool pool(s, row);
    for (Index h = 0; h < heads; ++h) {
      Shuffle shuffle(pool);
      const Index count = pool.count();
      for (Index a = 0; a < std::min(random, count); ++a) {
        const Index pick = a + stream.below(static_cast<std::uint32_t>(count - a),
                                            {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(row),
                                             static_cast<std::uint32_t>(a)});
        values[static_cast<std::size_t>((h * s.blocks + row) * random + a)] =
            static_cast<std::int32_t>(shuffle.swapIn(a, pick));
      }
    }
  }
  return tensor;
}

Result<OwnedTensor> randomTensor(const LoweringRequest& request, const Setting& s, Index random) {
  const std::string name = "random_blocks";
  const std::vector<Index> rest{s.blocks, random};
  if (request.params.choice("plan") == "official" && !isGivenTensor(request, name)) {
    ATTN_ASSIGN(
        drawn, publishedBlocks(request.input.shape().heads, s.blocks, s.block, random, request.options.seed));
    return OwnedTensor{std::move(drawn), false};
  }
  return ownTensor(request, name, DType::I32, rest, {}, [&] { return drawBlocks(request, s, random); });
}

Status checkBlocks(const Tensor& tensor, const Setting& s) {
  const Index blocks = tensor.dim(1);
  for (Index h = 0; h < tensor.dim(0); ++h) {
    const auto rows = tensor.slice<std::int32_t>(h);
    for (Index row = 0; row < blocks; ++row)
      for (Index a = 0; a < tensor.dim(2) && !s.readsAll(row); ++a) {
        const std::int32_t block = rows[static_cast<std::size_t>(row * tensor.dim(2) + a)];
        if (block < -1 || block >= blocks)
          return fail(
              ErrorKind::Input,
              fmt::format("Weights: 'random_blocks' lets block {} of head {} read block {}, but blocks "
                          "go from 0 to {} (-1: none).",
                          row, h, block, blocks - 1));
      }
  }
  return {};
}

// Neighbours, first and last block, and the two rows of blocks that read everything.
PatternPtr windowAndGlobals(const Setting& s) {
  return makePattern(s.n, s.n, [s](Index i, RunList& runs) {
    const Index row = i / s.block;
    const Index last = s.blocks - 1;
    if (s.extended) {
      runs.push_back(
          {std::max<Index>(0, row - 1) * s.block, s.endOf(std::min(row + 1, last)), 1, kWindow, 1});
      return;
    }
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
    for (Index a = 0; a < random && !s.readsAll(row); ++a) {
      const std::int32_t b = plan[static_cast<std::size_t>(row * random + a)];
      if (b >= 0 && !s.isFixed(row, b)) chosen.push_back(b);
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

// A row's runs beside the keys that a gathered step reads for it, by key.
PatternPtr withGathered(const PatternPtr& fixed, const HeadAttend& gathered) {
  return makePattern(fixed->rows(), fixed->cols(), [fixed, gathered](Index i, RunList& runs) {
    fixed->row(i, runs);
    RunList positions;
    gathered.pattern->row(i, positions);
    for (const Run& run : positions)
      for (Index p = run.begin; p < run.end; ++p) {
        const Index j = (*gathered.keyOrder)[static_cast<std::size_t>(p)];
        if (runs.back().label == run.label && runs.back().end == j)
          ++runs.back().end;
        else
          runs.push_back({j, j + 1, 1, run.label, 1});
      }
    std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
  });
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
  ATTN_ASSIGN(owned, randomTensor(request, s, random));
  ATTN_TRY(checkBlocks(owned.tensor, s));
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
  const Setting s{shape.nK, block, ceilDiv(shape.nK, block), request.params.choice("variant") == "etc"};
  Plan plan = Plan::begin(card().id, shape, false);
  GlobalNotes notes;
  if (s.extended) {
    ATTN_ASSIGN(added, addGlobalNotes(request, plan));
    notes = std::move(added);
  }
  JoinedAttention joined(plan, request.defaultScale());
  const bool fallback = s.blocks < random + s.fixedBlocks();
  PatternPtr fixed = densePattern(s.n, s.n, false);
  if (fallback) {
    const Index needed = random + s.fixedBlocks();
    plan.labels = {
        Label{"fallback", fmt::format("fewer than r + {} = {} blocks: every pair", s.fixedBlocks(), needed)}};
    plan.note = fmt::format("{} blocks of {} are fewer than r + {} = {}: full attention.", s.blocks, block,
                            s.fixedBlocks(), needed);
    joined.add("fallback: all pairs", "all", sameForAllHeads(shape.heads, {nullptr, nullptr, fixed}));
  } else {
    plan.labels = {
        Label{"window", "in the query's own block or the ones beside it"},
        Label{"global key", "in the first or last block, which every query reads"},
        Label{"global query", "the query is in the first or last block and reads every key"},
        Label{"random", fmt::format("in one of r = {} blocks drawn for the query's block", random)}};
    fixed = windowAndGlobals(s);
    joined.add(s.extended ? "window" : "window and globals", "fixed",
               sameForAllHeads(shape.heads, {nullptr, nullptr, fixed}));
  }
  if (s.extended) {
    plan.labels.resize(4);
    plan.labels[kOwnNote] = {"own note", "the note of the token's own sentence or block"};
    plan.labels[kOtherNote] = {"other note", "the note of another sentence or block"};
    if (fallback) plan.labels.pop_back();
  }
  std::vector<HeadAttend> randoms;
  if (random > 0 && !fallback) {
    ATTN_ASSIGN(heads, randomHeads(request, s, plan));
    randoms = heads;
    joined.add("random blocks", "random", std::move(heads));
  }
  if (s.extended)
    joined.addSlots(
        "tokens read the notes", "notes",
        sameForAllHeads(shape.heads, {nullptr, nullptr, notePattern(notes, false, 0, kOwnNote, kOtherNote)}),
        notes.k, notes.v);
  joined.finish("one softmax over all that a query reads");
  if (s.extended) {
    // Before the notes' rows join the steps: the support is that of the long side.
    const PatternPtr slots = notePattern(notes, false, s.n, kOwnNote, kOtherNote);
    for (Index h = 0; h < shape.heads; ++h)
      plan.support.push_back(besideTokens(
          randoms.empty() ? fixed : withGathered(fixed, randoms[static_cast<std::size_t>(h)]), slots));
    addNoteRows(plan, notes, request.defaultScale(), false, {});
  }
  return plan;
}

Result<std::vector<InsidePanel>> BigBird::insides(const InsidesRequest& request) const {
  std::vector<InsidePanel> panels;
  if (request.params.choice("variant") == "etc") panels = notePanels(request);
  if (request.plan.plan().labels.size() > 1)
    for (InsidePanel& panel : blockGraphPanels(request.plan, request.head, request.params.integer("block")))
      panels.push_back(std::move(panel));
  for (InsidePanel& layer : ruleLayers(request.plan, request.head)) panels.push_back(std::move(layer));
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
