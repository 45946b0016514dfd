// SPDX-License-Identifier: GPL-3.0-or-later
// Blockwise attention: Qiu, Ma, Levy, Yih, Wang, Tang, arXiv 1911.02972, section 3.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "blockwise";
  card.name = "Blockwise";
  card.family = Family::FixedPatterns;
  card.paper = "Blockwise Self-Attention for Long Document Understanding";
  card.authors = "Qiu, Ma, Levy, Yih, Wang, Tang";
  card.year = 2019;
  card.arxiv = "1911.02972";
  card.surveyComplexity = "O(n b)";
  card.countedComplexity = "n\u00b2/g pairs a head: still quadratic for a fixed number of blocks";
  card.summary =
      "Cut the document into a few pages; each head reads, for every page, exactly one page: its own or a "
      "shifted one. Most "
      "heads read locally, a few carry long-distance links, and each costs 1/g of full attention.";
  card.formula =
      "S\u1d62 = { j : b(j) = \u03c0(b(i)) },  b(i) = \u230ai g / n\u230b,  \u03c0\u209c(b) = (b + t) mod g";
  card.ours =
      "The causal form: shifts point backwards, so that a block reads the whole block t before it, or "
      "nothing. Blocks of "
      "unequal length where g does not divide n.";
  return card;
}

// Heads by shift: the last min(g, H) - 1 heads take shifts 1, 2, ..., all others read their own block.
IndexList defaultSplit(Index heads, Index blocks) {
  const Index shifted = std::min(blocks, heads) - 1;
  IndexList split{heads - shifted};
  split.resize(static_cast<std::size_t>(shifted) + 1, 1);
  return split;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "blocks", "g", "Number of blocks that queries and keys are cut into.", 1,
      [](const Shape& s) { return static_cast<double>(std::min(s.nQ, s.nK)); },
      [](const Shape& s) { return s.nK >= 4096 ? Index{8} : Index{4}; }, "4; 8 from n = 4096"));
  params.back().paperValue = ParamValue{Index{2}};
  params.back().paperText = "2 and 3";
  ParamSpec split = listParam(
      "split", "m",
      "Heads for each shift: the first m\u2080 heads read their own block, the next m\u2081 "
      "the block after it, and so on; the sum is the number of heads.",
      0, [](const Shape& s) { return static_cast<double>(s.heads); }, {},
      "one head for each shift from 1, all others for shift 0");
  split.defaultValue = [](const Shape& s) { return ParamValue{defaultSplit(s.heads, 4)}; };
  split.derivedDefault = [](const Shape& s, const ParamValues& before) {
    return ParamValue{defaultSplit(s.heads, before.integer("blocks"))};
  };
  split.examples = [](const Shape& s) {
    return std::vector<std::string>{std::to_string(s.heads), fmt::format("{}+1", s.heads - 1),
                                    fmt::format("0+0+{}", s.heads)};
  };
  split.paperValue = ParamValue{IndexList{10, 2}};
  split.paperText = "of 12 heads 10+2 or 11+1 (g = 2), 10+1+1 (g = 3) in pre-training";
  params.push_back(std::move(split));
  return params;
}

Status checkSplit(const IndexList& split, Index heads, Index blocks) {
  const Index sum = std::accumulate(split.begin(), split.end(), Index{0});
  if (sum != heads) {
    IndexList nearest = split.empty() ? IndexList{0} : split;
    Index excess = sum - heads;
    for (std::size_t t = nearest.size(); excess > 0 && t-- > 0;) {
      const Index taken = std::min(excess, nearest[t]);
      nearest[t] -= taken;
      excess -= taken;
    }
    if (excess < 0) nearest[0] -= excess;
    return fail(ErrorKind::Usage,
                fmt::format("blockwise: split places {} heads, but the input has {}. The nearest valid "
                            "value is {}.",
                            sum, heads, paramText(nearest)));
  }
  for (std::size_t t = static_cast<std::size_t>(blocks); t < split.size(); ++t)
    if (split[t] > 0)
      return fail(ErrorKind::Usage,
                  fmt::format("blockwise: split has heads for shift {}, but with {} blocks shifts end at "
                              "{}. The nearest valid value is {}.",
                              t, blocks, blocks - 1, paramText(defaultSplit(heads, blocks))));
  return {};
}

Tensor shiftsOf(const IndexList& split, Index heads, Index blocks, bool causal) {
  Tensor tensor(DType::I32, {heads, blocks});
  Index head = 0;
  for (std::size_t t = 0; t < split.size(); ++t)
    for (Index m = 0; m < split[t]; ++m, ++head) {
      auto row = tensor.mutableSlice<std::int32_t>(head);
      const auto shift = static_cast<Index>(t);
      for (Index b = 0; b < blocks; ++b)
        row[static_cast<std::size_t>(b)] =
            static_cast<std::int32_t>((causal ? b - shift + blocks : b + shift) % blocks);
    }
  return tensor;
}

Status checkPermutations(const Tensor& tensor) {
  for (Index h = 0; h < tensor.dim(0); ++h) {
    std::vector<bool> seen(static_cast<std::size_t>(tensor.dim(1)), false);
    for (const std::int32_t block : tensor.slice<std::int32_t>(h)) {
      if (block < 0 || block >= tensor.dim(1))
        return fail(ErrorKind::Input,
                    fmt::format("Weights: 'permutations' sends a block of head {} to block {}, but blocks go "
                                "from 0 to {}.",
                                h, block, tensor.dim(1) - 1));
      if (seen[static_cast<std::size_t>(block)])
        return fail(ErrorKind::Input,
                    fmt::format("Weights: 'permutations' of head {} names block {} twice; a permutation "
                                "names every block once.",
                                h, block));
      seen[static_cast<std::size_t>(block)] = true;
    }
  }
  return {};
}

// Blocks of queries and keys differ in length by one at most; a pair of blocks is one dense rectangle.
PatternPtr patternOf(const Shape& shape, bool causal, std::vector<std::int32_t> permutation) {
  return makePattern(shape.nQ, shape.nK,
                     [shape, causal, permutation = std::move(permutation)](Index i, RunList& runs) {
                       const auto g = static_cast<Index>(permutation.size());
                       const Index own = i * g / shape.nQ;
                       const Index block = permutation[static_cast<std::size_t>(own)];
                       const Index begin = ceilDiv(block * shape.nK, g);
                       const Index blockEnd = ceilDiv((block + 1) * shape.nK, g);
                       const Index end = causal ? std::min(blockEnd, i + shape.nK - shape.nQ + 1) : blockEnd;
                       if (begin < end)
                         runs.push_back({begin, end, 1, static_cast<std::uint8_t>(block == own ? 0 : 1), 1});
                     });
}

class Blockwise final : public Mechanism {
 public:
  Blockwise() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<Plan> Blockwise::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index blocks = request.params.integer("blocks");
  const IndexList& split = request.params.list("split");
  const bool causal = request.options.causal;
  ATTN_TRY(checkSplit(split, shape.heads, blocks));
  ATTN_ASSIGN(permutations, ownTensor(request, "permutations", DType::I32, {blocks}, {},
                                      [&] { return shiftsOf(split, shape.heads, blocks, causal); }));
  ATTN_TRY(checkPermutations(permutations.tensor));

  Plan plan = Plan::begin(card().id, shape, causal);
  plan.labels = {Label{"own block", "query and key stand in the same block"},
                 Label{"other block", "the head's permutation sends the query's block to the key's"}};
  plan.params.push_back({"permutations", permutations.fromFile ? "file" : "shifts by split",
                         [tensor = permutations.tensor] { return tensor; }});
  std::map<std::vector<std::int32_t>, PatternPtr> known;
  std::vector<HeadAttend> heads;
  for (Index h = 0; h < shape.heads; ++h) {
    const auto row = permutations.tensor.slice<std::int32_t>(h);
    const std::vector<std::int32_t> permutation(row.begin(), row.end());
    PatternPtr& pattern = known[permutation];
    if (!pattern) pattern = patternOf(shape, causal, permutation);
    heads.push_back({nullptr, nullptr, pattern});
  }
  JoinedAttention joined(plan, request.defaultScale());
  joined.add("one block for each block", "blocks", std::move(heads));
  joined.finish("");
  return plan;
}

Result<std::vector<InsidePanel>> Blockwise::insides(const InsidesRequest& request) const {
  const Tensor all = request.plan.plan().params.front().make();
  const auto row = all.slice<std::int32_t>(request.head);
  const Index blocks = all.dim(1);
  InsidePanel panel;
  panel.title = "Permutation of the blocks";
  panel.caption =
      "Each block of queries (row) reads the one block of keys (column) that its permutation names.";
  panel.xTitle = "key block";
  panel.yTitle = "query block";
  const Shape& shape = request.plan.plan().shape;
  std::vector<TokenGroup> groups;
  for (Index b = 0; b < blocks; ++b) {
    groups.push_back(
        {fmt::format("block {}", b),
         rangeWithin(ceilDiv(b * shape.nQ, blocks), ceilDiv((b + 1) * shape.nQ, blocks), shape.nQ),
         rangeWithin(ceilDiv(b * shape.nK, blocks), ceilDiv((b + 1) * shape.nK, blocks), shape.nK),
         {}});
    panel.rowGroup.push_back(static_cast<std::int32_t>(b));
  }
  panel.columnGroup = panel.rowGroup;
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
  panel.values = Tensor::zeros(DType::F32, {blocks, blocks});
  auto cells = panel.values.mutableValues<float>();
  for (std::size_t b = 0; b < row.size(); ++b)
    cells[b * row.size() + static_cast<std::size_t>(row[b])] = 1.0F;
  return std::vector<InsidePanel>{std::move(panel)};
}

}  // namespace

const Mechanism& blockwiseMechanism() {
  static const Blockwise mechanism;
  return mechanism;
}

}  // namespace attnscope
