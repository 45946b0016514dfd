// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse Transformer: Child, Gray, Radford, Sutskever, arXiv 1904.10509, sections 4.2 and 4.3.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kLocal = 0, kFar = 1, kSelf = 2 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "sparse";
  card.name = "Sparse Transformer";
  card.family = Family::FixedPatterns;
  card.paper = "Generating Long Sequences with Sparse Transformers";
  card.authors = "Child, Gray, Radford, Sutskever";
  card.year = 2019;
  card.arxiv = "1904.10509";
  card.surveyComplexity = "O(n\u221an)";
  card.countedComplexity =
      "about 1.5 n\u221an pairs (strided, l = \u221an); fixed: n(l + 1)/2 + c n(n/l \u2212 1)/2";
  card.causal = CausalSupport::CausalByDefault;
  card.summary =
      "Do not read every past word: look closely at the nearest ones, and otherwise only at every l-th one, "
      "like street "
      "lamps along a road. Two such hops reach anything, so the cost falls from n\u00b2 to about n\u221an.";
  card.formula =
      "A\u00b9 = { i \u2212 j < l }, A\u00b2 = { (i \u2212 j) mod l = 0 } (strided);  A\u00b9 = own block of "
      "l, A\u00b2 = the last c "
      "columns of every block (fixed);  j \u2264 i";
  card.ours =
      "The two-way form (causal=off). The window holds l keys, as published code has it; the paper's text "
      "has l + 1. A "
      "query that the second set alone leaves without any key reads itself.";
  return card;
}

// Columns that the user asks for by name: the default stride makes room for them.
Index askedColumns(const ParamValues& before) {
  const auto given = [&](const char* id) { return before.isGiven(id) ? before.integer(id) : Index{1}; };
  return before.choice("pattern") == "fixed" ? given("sub_blocks") * given("summary") : 1;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(choiceParam(
      "pattern", "How the far keys are chosen.", {"strided", "fixed"},
      {"every l-th key, counted from the query", "the last columns of every block of l"}, "strided"));
  params.back().paperText = "strided for images and music, fixed for text";
  params.push_back(choiceParam("mode", "How heads and layers share the two sets.",
                               {"merged", "split", "interleaved"},
                               {"every head reads both", "heads take turns", "layers take turns"}, "merged"));
  params.back().paperText = "all three described";
  ParamSpec stride = intParam(
      "stride", "l", "Length of the window or block, and distance of the far keys.", 1, toN,
      [](const Shape& s) { return ceilSqrt(s.nK); }, "ceil(sqrt n)");
  stride.derivedDefault = [](const Shape& s, const ParamValues& before) {
    return ParamValue{std::max(ceilSqrt(s.nK), askedColumns(before))};
  };
  stride.unit = "tokens";
  stride.paperValue = ParamValue{Index{128}};
  stride.paperText = "near sqrt n; 128 or 256 with fixed";
  params.push_back(std::move(stride));
  ParamSpec summary = intParam(
      "summary", "c", "Summary columns at the end of each block (fixed).", 1, toN,
      [](const Shape& s) { return std::max<Index>(1, ceilSqrt(s.nK) / 8); }, "max(1, floor(l/8))");
  summary.derivedDefault = [](const Shape&, const ParamValues& before) {
    const Index l = before.integer("stride");
    const Index u = before.isGiven("sub_blocks") ? before.integer("sub_blocks") : 1;
    return ParamValue{std::max<Index>(1, std::min(l / 8, l / u))};
  };
  summary.unit = "tokens";
  summary.paperValue = ParamValue{Index{32}};
  summary.paperText = "8, 16 or 32";
  params.push_back(std::move(summary));
  params.push_back(intParam(
      "sub_blocks", "U",
      "How many different groups of summary columns the heads use in turn; U c may not "
      "exceed l.",
      1, toN, [](const Shape&) { return Index{1}; }, "1"));
  params.back().paperText = "different groups for different heads work better";
  for (ParamSpec* spec : {&params[3], &params[4]}) {
    spec->visibleWhenId = "pattern";
    spec->visibleWhenValues = {"fixed"};
  }
  params.push_back(intParam(
      "layer", "r", "Number of the layer: even ones read the first set, odd ones the second.", 0,
      [](const Shape&) { return 1000.0; }, [](const Shape&) { return Index{0}; }, "0"));
  params.back().visibleWhenId = "mode";
  params.back().visibleWhenValues = {"interleaved"};
  return params;
}

Index floorDiv(Index a, Index b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}
Index floorMod(Index a, Index b) {
  return a - b * floorDiv(a, b);
}

struct Setting {
  Index nQ = 0;
  Index nK = 0;
  Index l = 1;
  Index c = 1;
  bool fixed = false;
  bool causal = true;

  // Place of query i on the axis of the keys; negative for queries before the first key.
  [[nodiscard]] Index placeOf(Index i) const { return i + nK - nQ; }
};

HeadAttend windowOf(const Setting& s) {
  return {nullptr, nullptr, makePattern(s.nQ, s.nK, [s](Index i, RunList& runs) {
            const Index p = s.placeOf(i);
            const Index block = floorDiv(p, s.l) * s.l;
            const Index begin = std::max<Index>(0, s.fixed ? block : p - s.l + 1);
            const Index twoWayEnd = s.fixed ? block + s.l : p + s.l;
            const Index end = std::min(s.nK, s.causal ? std::min(twoWayEnd, p + 1) : twoWayEnd);
            if (begin < end) runs.push_back({begin, end, 1, kLocal, 1});
          })};
}

// With queries and keys sorted by their residue modulo l, the strided set is a dense triangle or square in
// each residue class, and not one lonely cell every l columns. Of the window it meets the query's own key
// only.
HeadAttend stridedOf(const Setting& s, bool withoutLocal) {
  std::vector<std::int32_t> queries;
  std::vector<std::int32_t> keys;
  const Index first = s.placeOf(0);
  for (Index residue = 0; residue < s.l; ++residue) {
    for (Index j = residue; j < s.nK; j += s.l) keys.push_back(static_cast<std::int32_t>(j));
    for (Index p = first + floorMod(residue - first, s.l); p < s.nK; p += s.l)
      queries.push_back(static_cast<std::int32_t>(p - first));
  }
  const Order queryOrder = makeOrder(std::move(queries));
  const auto rule = [s, withoutLocal, queryOrder](Index position, RunList& runs) {
    const Index p = s.placeOf((*queryOrder)[static_cast<std::size_t>(position)]);
    const Index residue = floorMod(p, s.l);
    const Index longer = s.nK % s.l;  // so many classes have one key more
    const Index begin = residue * (s.nK / s.l) + std::min(residue, longer);
    const Index end = begin + s.nK / s.l + (residue < longer ? 1 : 0);
    const Index own = begin + floorDiv(p, s.l);
    const Index before = withoutLocal || !s.causal ? std::min(own, end) : std::min(own + 1, end);
    if (begin < before) runs.push_back({begin, before, 1, kFar, 1});
    if (s.causal) return;
    const Index after = std::max(begin, withoutLocal ? own + 1 : own);
    if (after < end) runs.push_back({after, end, 1, kFar, 1});
  };
  return {queryOrder, makeOrder(std::move(keys)), makePattern(s.nQ, s.nK, rule)};
}

// Only the summary columns, gathered side by side: c of them for every whole block of l.
HeadAttend summariesOf(const Setting& s, Index group, bool withoutLocal) {
  const Index low = s.l - (group + 1) * s.c;
  std::vector<std::int32_t> columns;
  for (Index block = 0; block < s.nK; block += s.l)
    for (Index j = block + low; j < std::min(s.nK, block + low + s.c); ++j)
      columns.push_back(static_cast<std::int32_t>(j));
  const auto total = static_cast<Index>(columns.size());
  const auto rule = [s, low, total, withoutLocal](Index i, RunList& runs) {
    const Index p = s.placeOf(i);
    const Index block = floorDiv(p, s.l);
    const Index ownBegin = std::clamp<Index>(block * s.c, 0, total);
    const Index ownEnd = std::clamp<Index>((block + 1) * s.c, 0, total);
    Index end = total;
    if (s.causal && p < 0) return;
    if (s.causal) end = std::min(total, ownBegin + std::clamp<Index>(p - block * s.l - low + 1, 0, s.c));
    if (!withoutLocal) {
      if (end > 0) runs.push_back({0, end, 1, kFar, 1});
      return;
    }
    if (ownBegin > 0) runs.push_back({0, ownBegin, 1, kFar, 1});
    if (ownEnd < end) runs.push_back({ownEnd, end, 1, kFar, 1});
  };
  return {nullptr, makeOrder(std::move(columns)), makePattern(s.nQ, total, rule)};
}

// Queries that have no summary column to read read themselves.
HeadAttend lonelyOf(const Setting& s, Index group) {
  const Index low = s.l - (group + 1) * s.c;
  std::vector<std::int32_t> queries;
  std::vector<std::int32_t> keys;
  const Index end = s.causal || s.nK <= low ? std::min(low, s.nK) : 0;
  for (Index p = std::max<Index>(0, s.placeOf(0)); p < end; ++p) {
    queries.push_back(static_cast<std::int32_t>(p - s.placeOf(0)));
    keys.push_back(static_cast<std::int32_t>(p));
  }
  const auto count = static_cast<Index>(queries.size());
  if (count == 0) return {nullptr, nullptr, makePattern(s.nQ, s.nK, [](Index, RunList&) {})};
  return {makeOrder(std::move(queries)), makeOrder(std::move(keys)),
          makePattern(count, count, [](Index at, RunList& runs) {
            runs.push_back({at, at + 1, 1, kSelf, 1});
          })};
}

class SparseTransformer final : public Mechanism {
 public:
  SparseTransformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;

  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    std::vector<InsidePanel> panels =
        foldedReading(request.plan, request.head, request.params.integer("stride"));
    for (InsidePanel& layer : ruleLayers(request.plan, request.head)) panels.push_back(std::move(layer));
    panels.push_back(keysByRule(request.plan, request.head));
    panels.push_back(pairsByRule(request.plan, request.head,
                                 "Near keys cost n l, far keys about n\u00b2 / 2l: the sum is "
                                 "smallest where both are alike, at l near \u221an."));
    return panels;
  }
};

Status checkColumns(const ParamValues& params) {
  const Index l = params.integer("stride");
  const Index c = params.integer("summary");
  const Index u = params.integer("sub_blocks");
  if (params.choice("pattern") != "fixed" || u * c <= l) return {};
  const std::string nearest =
      l / u >= 1 ? fmt::format("summary={}", l / u) : fmt::format("sub_blocks={}", l / c);
  const std::string offer = l / u >= 1 || l / c >= 1 ? nearest : fmt::format("summary=1,sub_blocks={}", l);
  return fail(
      ErrorKind::Usage,
      fmt::format(
          "sparse: {} groups of {} summary columns do not fit into a block of {}: sub_blocks times summary "
          "may be at most the stride (U c \u2264 l). The nearest valid value is {}.",
          u, c, l, offer));
}

// What one head reads: which of the two sets, and which group of summary columns.
struct HeadPart {
  bool near = true;
  bool far = true;
  Index group = 0;
};

HeadPart partOf(const ParamValues& params, Index head) {
  const std::string& mode = params.choice("mode");
  const Index groups = params.integer("sub_blocks");
  if (mode == "merged") return {true, true, head % groups};
  if (mode == "split") return {head % 2 == 0, head % 2 == 1, head / 2 % groups};
  const bool second = params.integer("layer") % 2 == 1;
  return {!second, second, head % groups};
}

std::vector<Label> labelsOf(const Setting& s) {
  if (s.fixed)
    return {Label{"local", fmt::format("in the same block of l = {}", s.l)},
            Label{"summary", fmt::format("one of c = {} summary columns of a block", s.c)},
            Label{"self", "no summary column is in reach: the query reads itself"}};
  return {Label{"local", fmt::format("less than l = {} tokens away", s.l)},
          Label{"strided", fmt::format("a whole multiple of l = {} tokens away", s.l)}};
}

Result<Plan> SparseTransformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const ParamValues& params = request.params;
  ATTN_TRY(checkColumns(params));
  const Setting s{shape.nQ,
                  shape.nK,
                  params.integer("stride"),
                  params.integer("summary"),
                  params.choice("pattern") == "fixed",
                  request.options.causal};
  Plan plan = Plan::begin(card().id, shape, s.causal);
  plan.labels = labelsOf(s);

  const HeadAttend nothing = nothingToRead(shape);
  const HeadAttend window = windowOf(s);
  std::map<Index, HeadAttend> far;  // by group; strided has one
  std::map<Index, HeadAttend> alone;
  std::vector<HeadAttend> nearHeads;
  std::vector<HeadAttend> farHeads;
  std::vector<HeadAttend> aloneHeads;
  bool anyNear = false;
  for (Index h = 0; h < shape.heads; ++h) {
    const HeadPart part = partOf(params, h);
    const Index group = s.fixed ? part.group : 0;
    if (part.far && !far.contains(group))
      far[group] = s.fixed ? summariesOf(s, group, part.near) : stridedOf(s, part.near);
    if (s.fixed && !part.near && !alone.contains(group)) alone[group] = lonelyOf(s, group);
    anyNear = anyNear || part.near;
    nearHeads.push_back(part.near ? window : nothing);
    farHeads.push_back(part.far ? far[group] : nothing);
    aloneHeads.push_back(s.fixed && !part.near ? alone[group] : nothing);
  }
  JoinedAttention joined(plan, request.defaultScale());
  if (anyNear) joined.add("local", "local", std::move(nearHeads));
  if (!far.empty()) joined.add(s.fixed ? "summaries" : "strided", "far", std::move(farHeads));
  if (!alone.empty()) joined.add("queries without a summary", "self", std::move(aloneHeads));
  joined.finish("one softmax over both sets");
  return plan;
}

}  // namespace

const Mechanism& sparseMechanism() {
  static const SparseTransformer mechanism;
  return mechanism;
}

}  // namespace attnscope
