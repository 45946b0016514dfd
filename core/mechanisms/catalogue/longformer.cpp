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
      "window", "w", "Width of the window, both sides together; the token itself comes on top.", 0, noLimit,
      [](const Shape& s) { return 2 * ceilDiv(ceilSqrt(s.nK), 2); }, "ceil(sqrt n), rounded up to even");
  window.multipleOf = 2;
  window.unit = "tokens";
  window.paperValue = ParamValue{Index{512}};
  window.paperText = "512 in pre-training; 32 to 512 by layer for language models";
  params.push_back(std::move(window));
  ParamSpec dilation = listParam("dilation", "\u03b4",
                                 "Step between the keys of the window, one value a head (1: no gaps) or one "
                                 "for all.",
                                 1, noLimit, {1}, "1");
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

// Room for the global keys in front of all keys, in whole tiles, so that the band stays where its tiles are.
Index globalRoom(Index globals) {
  return (globals + kTile - 1) / kTile * kTile;
}

// Global keys first, then every token in the order of the residues: rows that are not global read both in one
// pass. The places that are left of the room are never read.
Order keysWithGlobals(Index n, const std::vector<std::int32_t>& globals, const Order& residues) {
  if (globals.empty()) return residues;
  std::vector<std::int32_t> order(static_cast<std::size_t>(globalRoom(static_cast<Index>(globals.size()))),
                                  globals.front());
  std::copy(globals.begin(), globals.end(), order.begin());
  for (Index p = 0; p < n; ++p)
    order.push_back(residues ? (*residues)[static_cast<std::size_t>(p)] : static_cast<std::int32_t>(p));
  return makeOrder(std::move(order));
}

// What rows read that are not global: the global keys and the band around their position, without the global
// tokens in it (a key that two rules reach counts once). Rows of global tokens have a step of their own.
HeadAttend windowOf(Index n, Index half, Index dilation, bool causal,
                    const std::vector<std::int32_t>& globals) {
  const Residues residues = residuesOf(n, dilation);
  const auto tokenAt = [order = residues.order](Index p) {
    return order ? (*order)[static_cast<std::size_t>(p)] : static_cast<std::int32_t>(p);
  };
  std::vector<std::int32_t> globalPositions;
  for (Index p = 0; p < n; ++p)
    if (std::binary_search(globals.begin(), globals.end(), tokenAt(p)))
      globalPositions.push_back(static_cast<std::int32_t>(p));
  const Index room = globalRoom(static_cast<Index>(globals.size()));
  const auto rule = [=, begins = residues.classBegin, ends = residues.classEnd](Index p, RunList& runs) {
    if (std::binary_search(globalPositions.begin(), globalPositions.end(), static_cast<std::int32_t>(p)))
      return;
    const auto visible =
        causal ? std::upper_bound(globals.begin(), globals.end(), tokenAt(p)) : globals.end();
    if (visible != globals.begin()) runs.push_back({0, visible - globals.begin(), 1, kGlobalKey, 1});
    const Index classBegin = begins.empty() ? 0 : begins[static_cast<std::size_t>(p)];
    const Index classEnd = ends.empty() ? n : ends[static_cast<std::size_t>(p)];
    Index at = std::max(classBegin, p - half);
    const Index end = std::min(classEnd, causal ? p + 1 : p + half + 1);
    auto global =
        std::lower_bound(globalPositions.begin(), globalPositions.end(), static_cast<std::int32_t>(at));
    for (; global != globalPositions.end() && *global < end; ++global) {
      if (at < *global) runs.push_back({room + at, room + *global, 1, kLocal, 1});
      at = *global + 1;
    }
    if (at < end) runs.push_back({room + at, room + end, 1, kLocal, 1});
  };
  return {residues.order, keysWithGlobals(n, globals, residues.order), makePattern(n, room + n, rule)};
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
    for (InsidePanel& layer : ruleLayers(request.plan, request.head)) panels.push_back(std::move(layer));
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
  std::vector<std::int32_t> globals;
  for (const Index g : request.params.list("globals")) globals.push_back(static_cast<std::int32_t>(g));
  std::sort(globals.begin(), globals.end());
  globals.erase(std::unique(globals.begin(), globals.end()), globals.end());

  MergeStep merge;
  merge.title = "global rows beside the others";
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
    if (!windows.contains(dilation)) windows[dilation] = windowOf(shape.nK, half, dilation, causal, globals);
    windowHeads.push_back(windows[dilation]);
  }
  attend(globals.empty() ? "window" : "window and global keys", "window", std::move(windowHeads), {});
  if (!globals.empty()) {
    ATTN_ASSIGN(projections, addGlobalProjections(request, plan));
    attend("global queries", "global_queries",
           sameForAllHeads(shape.heads, globalRowsOf(shape.nK, globals, causal)), projections);
  }
  if (merge.outs.size() == 1) {
    plan.out = merge.outs.front();
    plan.lse = merge.lses.front();
    return plan;
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
