// SPDX-License-Identifier: GPL-3.0-or-later
// Longformer: Beltagy, Peters, Cohan, arXiv 2004.05150, section 3.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kLocal = 0, kGlobalKey = 1, kGlobalQuery = 2 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "longformer";
  card.name = "Longformer";
  card.family = Family::Memories;
  card.paper = "Longformer: The Long-Document Transformer";
  card.authors = "Beltagy, Peters, Cohan";
  card.year = 2020;
  card.arxiv = "2004.05150";
  card.surveyComplexity = "O(n(k + m))";
  card.countedComplexity = "n(w + 1) window pairs and 2gn \u2212 g\u00b2 global ones, less their overlap";
  card.anyLengths = false;
  card.summary =
      "Most of what a word needs is next to it, so each word gets a window; stacked layers let news travel "
      "like ripples. A "
      "few announcers hear everyone and are heard by everyone.";
  card.formula =
      "S\u1d62 = { i + t\u03b4 : |t| \u2264 w/2 } \u222a G;  a global token reads all keys with projections "
      "of its own";
  card.ours =
      "A causal global token reads only what came before it; the paper uses globals without causality only.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  ParamSpec window = intParam(
      "window", "w", "Width of the window, both sides together; the token itself comes on top.", 0,
      [](const Shape& s) { return static_cast<double>(2 * s.nK); },
      [](const Shape& s) { return 2 * ceilDiv(ceilSqrt(s.nK), 2); }, "ceil(sqrt n), rounded up to even");
  window.multipleOf = 2;
  window.unit = "tokens";
  window.paperValue = ParamValue{Index{512}};
  window.paperText = "512 in pre-training; 32 to 512 by layer for language models";
  params.push_back(std::move(window));
  ParamSpec dilation = listParam(
      "dilation", "\u03b4",
      "Step between the keys of the window, one value a head (1: no gaps) or one "
      "for all.",
      1, [](const Shape& s) { return static_cast<double>(std::max<Index>(1, s.nK)); }, {1}, "1");
  dilation.paperValue = ParamValue{IndexList{1}};
  dilation.paperText = "1; on 2 of 8 heads up to 4 in upper layers of language models";
  params.push_back(std::move(dilation));
  params.push_back(listParam(
      "globals", "G", "Tokens that read everything and are read by everything.", 0,
      [](const Shape& s) { return static_cast<double>(s.nK - 1); }, {0}, "0, the first token"));
  params.back().paperValue = ParamValue{IndexList{0}};
  params.back().paperText = "the classification token, or the tokens of a question";
  return params;
}

// Tokens by residue modulo the dilation: in this order a dilated window is a plain band inside each residue
// class.
struct Residues {
  Order order;                           // null if the dilation is 1
  std::vector<std::int32_t> classBegin;  // by position; empty if the dilation is 1
  std::vector<std::int32_t> classEnd;
};

Residues residuesOf(Index n, Index dilation) {
  if (dilation == 1) return {};
  std::vector<std::int32_t> order;
  std::vector<std::int32_t> begins;
  std::vector<std::int32_t> ends;
  for (Index residue = 0; residue < std::min(dilation, n); ++residue) {
    const auto begin = static_cast<std::int32_t>(order.size());
    for (Index i = residue; i < n; i += dilation) order.push_back(static_cast<std::int32_t>(i));
    begins.resize(order.size(), begin);
    ends.resize(order.size(), static_cast<std::int32_t>(order.size()));
  }
  return {makeOrder(std::move(order)), std::move(begins), std::move(ends)};
}

// The band around each position, without rows and keys of global tokens: those have steps of their own.
HeadAttend windowOf(Index n, Index half, Index dilation, bool causal, const std::vector<bool>& isGlobal) {
  Residues residues = residuesOf(n, dilation);
  std::vector<std::int32_t> globalPositions;
  for (Index p = 0; p < n; ++p)
    if (isGlobal[static_cast<std::size_t>(residues.order ? (*residues.order)[static_cast<std::size_t>(p)]
                                                         : p)])
      globalPositions.push_back(static_cast<std::int32_t>(p));
  const auto rule = [n, half, causal, globalPositions, begins = residues.classBegin,
                     ends = residues.classEnd](Index p, RunList& runs) {
    if (std::binary_search(globalPositions.begin(), globalPositions.end(), static_cast<std::int32_t>(p)))
      return;
    const Index classBegin = begins.empty() ? 0 : begins[static_cast<std::size_t>(p)];
    const Index classEnd = ends.empty() ? n : ends[static_cast<std::size_t>(p)];
    Index at = std::max(classBegin, p - half);
    const Index end = std::min(classEnd, causal ? p + 1 : p + half + 1);
    auto global =
        std::lower_bound(globalPositions.begin(), globalPositions.end(), static_cast<std::int32_t>(at));
    for (; global != globalPositions.end() && *global < end; ++global) {
      if (at < *global) runs.push_back({at, *global, 1, kLocal, 1});
      at = *global + 1;
    }
    if (at < end) runs.push_back({at, end, 1, kLocal, 1});
  };
  return {residues.order, residues.order, makePattern(n, n, rule)};
}

// Every row that is not global reads the global keys, gathered side by side.
HeadAttend globalKeysOf(Index n, const std::vector<std::int32_t>& globals, bool causal) {
  const auto rule = [globals, causal](Index i, RunList& runs) {
    if (std::binary_search(globals.begin(), globals.end(), static_cast<std::int32_t>(i))) return;
    const auto end = causal ? std::upper_bound(globals.begin(), globals.end(), static_cast<std::int32_t>(i))
                            : globals.end();
    if (end != globals.begin()) runs.push_back({0, end - globals.begin(), 1, kGlobalKey, 1});
  };
  return {nullptr, makeOrder(globals), makePattern(n, static_cast<Index>(globals.size()), rule)};
}

HeadAttend globalRowsOf(Index n, const std::vector<std::int32_t>& globals, bool causal) {
  const auto rule = [n, globals, causal](Index p, RunList& runs) {
    runs.push_back({0, causal ? globals[static_cast<std::size_t>(p)] + 1 : n, 1, kGlobalQuery, 1});
  };
  return {makeOrder(globals), nullptr, makePattern(static_cast<Index>(globals.size()), n, rule)};
}

class Longformer final : public Mechanism {
 public:
  Longformer() : Mechanism(makeCard(), makeParams()) {}

  Result<Plan> lower(const LoweringRequest& request) const override;

  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    std::vector<InsidePanel> panels;
    panels.push_back(keysByRule(request.plan, request.head));
    panels.push_back(
        pairsByRule(request.plan, request.head, "Window pairs grow with n w, global pairs with 2 n |G|."));
    return panels;
  }
};

// The buffers that rows of global tokens are computed from: copies of q, k, v unless the user brings his own.
struct GlobalProjections {
  BufferId q = kQuery;
  BufferId k = kKey;
  BufferId v = kValue;
};

Result<IndexList> dilationsOf(const LoweringRequest& request, Index heads) {
  IndexList dilations = request.params.list("dilation");
  if (dilations.size() == 1) dilations.assign(static_cast<std::size_t>(heads), dilations.front());
  if (static_cast<Index>(dilations.size()) != heads)
    return fail(
        ErrorKind::Usage,
        fmt::format(
            "longformer: dilation has {} values, but the input has {} heads; give one value, or one for "
            "each head joined by '+'.",
            dilations.size(), heads));
  return dilations;
}

Result<GlobalProjections> addGlobalProjections(const LoweringRequest& request, Plan& plan) {
  GlobalProjections buffers;
  const Shape& shape = plan.shape;
  const struct {
    const char* name;
    BufferId* buffer;
    Index cols;
  } wanted[] = {{"q_global", &buffers.q, shape.d},
                {"k_global", &buffers.k, shape.d},
                {"v_global", &buffers.v, shape.dV}};
  for (const auto& [name, buffer, cols] : wanted) {
    if (!isGivenTensor(request, name)) continue;
    ATTN_ASSIGN(tensor, givenTensor(request, name, DType::F32, {shape.nK, cols}));
    *buffer = plan.addBuffer(name, shape.nK, cols);
    plan.constants.push_back({*buffer, tensor});
    plan.params.push_back({name, "file", [tensor] { return tensor; }});
    if (buffer == &buffers.v) {
      plan.exact = false;
      plan.note = "Global rows read values of their own (v_global): the matrix shows the weights on them.";
    }
  }
  return buffers;
}

Result<Plan> Longformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const bool causal = request.options.causal;
  const Index half = request.params.integer("window") / 2;
  ATTN_ASSIGN(dilations, dilationsOf(request, shape.heads));

  Plan plan = Plan::begin(card().id, shape, causal);
  plan.labels = {Label{"local", fmt::format("at most w/2 = {} steps away", half)},
                 Label{"global key", "the key is a global token: every query reads it"},
                 Label{"global query", "the query is a global token: it reads every key"}};
  std::vector<bool> isGlobal(static_cast<std::size_t>(shape.nK), false);
  for (const Index g : request.params.list("globals")) isGlobal[static_cast<std::size_t>(g)] = true;
  std::vector<std::int32_t> globals;
  for (Index i = 0; i < shape.nK; ++i)
    if (isGlobal[static_cast<std::size_t>(i)]) globals.push_back(static_cast<std::int32_t>(i));

  MergeStep merge;
  merge.title = "one softmax over window and globals";
  const auto attend = [&](const std::string& title, const std::string& name, std::vector<HeadAttend> heads,
                          const GlobalProjections& from) {
    AttendStep step;
    step.title = title;
    step.q = from.q;
    step.k = from.k;
    step.v = from.v;
    step.scale = request.defaultScale();
    step.heads = std::move(heads);
    step.out = plan.addBuffer("out_" + name, shape.nQ, shape.dV);
    step.lse = plan.addBuffer("lse_" + name, shape.nQ, 1);
    merge.outs.push_back(step.out);
    merge.lses.push_back(step.lse);
    plan.steps.emplace_back(std::move(step));
  };

  std::map<Index, HeadAttend> windows;
  std::vector<HeadAttend> windowHeads;
  for (const Index dilation : dilations) {
    if (!windows.contains(dilation)) windows[dilation] = windowOf(shape.nK, half, dilation, causal, isGlobal);
    windowHeads.push_back(windows[dilation]);
  }
  attend("window", "window", std::move(windowHeads), {});
  if (!globals.empty()) {
    attend("global keys", "global_keys",
           sameForAllHeads(shape.heads, globalKeysOf(shape.nK, globals, causal)), {});
    ATTN_ASSIGN(projections, addGlobalProjections(request, plan));
    attend("global queries", "global_queries",
           sameForAllHeads(shape.heads, globalRowsOf(shape.nK, globals, causal)), projections);
  }
  plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
  plan.lse = plan.addBuffer("lse", shape.nQ, 1);
  merge.out = plan.out;
  merge.lse = plan.lse;
  plan.steps.emplace_back(std::move(merge));
  return plan;
}

}  // namespace

const Mechanism& longformerMechanism() {
  static const Longformer mechanism;
  return mechanism;
}

}  // namespace attnscope
