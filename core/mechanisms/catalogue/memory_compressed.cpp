// SPDX-License-Identifier: GPL-3.0-or-later
// Memory-compressed and local attention (T-DMCA): Liu et al., arXiv 1801.10198, section 4.2.3.
#include <fmt/format.h>

#include <algorithm>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/convolved_slots.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kSlot = 0, kNull = 1, kBlock = 0, kPrevious = 1 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "memory-compressed";
  card.name = "Memory-Compressed";
  card.family = Family::Memories;
  card.paper = "Generating Wikipedia by Summarizing Long Sequences";
  card.authors = "Liu, Saleh, Pot, Goodrich, Sepassi, Kaiser, Shazeer";
  card.year = 2018;
  card.arxiv = "1801.10198";
  card.surveyComplexity = "O(n_c\u00b2)";
  card.countedComplexity = "n n/s pairs (queries are not compressed); local: n B";
  card.summary =
      "Keys and values are squeezed by a convolution with a stride, so every query reads a third as many of "
      "them. Layers "
      "of this kind alternate with layers that read only their own block.";
  card.formula = "o\u1d62 = softmax(s q\u1d62 [conv(K); 0]\u1d40) [conv(V); 0]";
  card.ours =
      "The convolution is a mean unless trained weights are given. When causal, a slot is read once all its "
      "tokens are past; "
      "a null slot (logit 0, value 0) gives the first rows something to read.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(choiceParam("kind", "Which of the paper's two layers.", {"compressed", "local"},
                               {"all queries read compressed keys", "queries read their own block"},
                               "compressed"));
  const auto visible = [&](const char* kind) {
    params.back().visibleWhenId = "kind";
    params.back().visibleWhenValues = {kind};
  };
  params.push_back(intParam(
      "stride", "s", "Tokens squeezed into one slot.", 1, toN, [](const Shape&) { return Index{3}; }, "3"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{3}};
  visible("compressed");
  params.push_back(choiceParam(
      "function", "How tokens become a slot.", {"mean", "conv"},
      {"mean of its tokens", "strided convolution conv_k, conv_v (a mean unless given)"}, "mean"));
  params.back().paperText = "learned convolution";
  visible("compressed");
  params.push_back(choiceParam("null", "An extra slot with logit 0 and value 0.", {"default", "zero", "off"},
                               {"when causal", "always", "never"}, "default"));
  visible("compressed");
  params.push_back(choiceParam(
      "rule", "When causal: which slots a query may read.", {"last", "past"},
      {"those whose last token is not later than the query", "those whose last token is earlier"}, "last"));
  visible("compressed");
  params.push_back(intParam(
      "block", "B", "Tokens in a local block.", 1, toN, [](const Shape& s) { return ceilSqrt(s.nK); },
      "ceil(sqrt n)"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{256}};
  visible("local");
  params.push_back(boolParam("previous", "Also read the block before.", false));
  visible("local");
  return params;
}

std::vector<Index> slotBounds(Index n, Index stride, bool null) {
  std::vector<Index> bounds;
  for (Index at = 0; at < n; at += stride) bounds.push_back(at);
  bounds.push_back(n);
  if (null) bounds.push_back(n);  // the slot of no tokens
  return bounds;
}

class MemoryCompressed final : public Mechanism {
 public:
  MemoryCompressed() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override {
    return request.params.choice("kind") == "local" ? lowerLocal(request) : lowerCompressed(request);
  }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;

 private:
  Result<Plan> lowerLocal(const LoweringRequest& request) const;
  Result<Plan> lowerCompressed(const LoweringRequest& request) const;
};

AttendStep outputStep(const LoweringRequest& request, Plan& plan, const std::string& title,
                      const PatternPtr& pattern) {
  plan.out = plan.addBuffer("out", plan.shape.nQ, plan.shape.dV);
  plan.lse = plan.addBuffer("lse", plan.shape.nQ, 1);
  AttendStep step;
  step.title = title;
  step.out = plan.out;
  step.lse = plan.lse;
  step.scale = request.defaultScale();
  step.heads = sameForAllHeads(plan.shape.heads, {nullptr, nullptr, pattern});
  return step;
}

Result<Plan> MemoryCompressed::lowerLocal(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const bool causal = request.options.causal;
  const Index block = request.params.integer("block");
  const bool previous = request.params.flag("previous");
  Plan plan = Plan::begin(card().id, shape, causal);
  plan.labels = {Label{"same block", "query and key are in the same block"}};
  if (previous) plan.labels.push_back({"previous block", "the key is in the block before the query's"});
  const auto rule = [=](Index i, RunList& runs) {
    const Index position = i + shape.nK - shape.nQ;
    if (position < 0) return;
    const Index begin = position / block * block;
    const Index end = std::min(causal ? position + 1 : begin + block, shape.nK);
    if (previous && begin > 0) runs.push_back({begin - block, begin, 1, kPrevious, 1});
    if (begin < end) runs.push_back({begin, end, 1, kBlock, 1});
  };
  plan.steps.emplace_back(outputStep(request, plan, "local blocks", makePattern(shape.nQ, shape.nK, rule)));
  return plan;
}

// Slots of keys or values: means, or the convolution with the tensors that the user gave.
Status addSlots(const LoweringRequest& request, Plan& plan, BufferId in, BufferId out,
                const std::string& name, const std::vector<Index>& bounds) {
  if (request.params.choice("function") == "mean") {
    plan.steps.emplace_back(
        ProjectStep{name + " to slots", in, out, SegmentReduce{SegmentReduce::Kind::Mean, bounds}});
    return {};
  }
  ATTN_TRY(addConvolvedSlots(request, plan, in, out, name, request.params.integer("stride")));
  return {};
}

Tensor composition(const std::vector<Index>& bounds, Index n, const Tensor& taps) {
  const auto count = static_cast<Index>(bounds.size()) - 1;
  if (!taps.empty()) return convolvedComposition(taps, count, n);
  Tensor tensor = Tensor::zeros(DType::F32, {1, count, n});
  auto cells = tensor.mutableValues<float>();
  for (Index b = 0; b < count; ++b) {
    const Index begin = bounds[static_cast<std::size_t>(b)];
    const Index end = bounds[static_cast<std::size_t>(b) + 1];
    for (Index j = begin; j < end; ++j)
      cells[static_cast<std::size_t>(b * n + j)] = 1.0F / static_cast<float>(end - begin);
  }
  return tensor;
}

Result<Plan> MemoryCompressed::lowerCompressed(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const bool causal = request.options.causal;
  const Index stride = request.params.integer("stride");
  const std::string& choice = request.params.choice("null");
  const bool null = choice == "zero" || (choice == "default" && causal);
  const std::vector<Index> bounds = slotBounds(shape.nK, stride, null);
  Plan plan = Plan::begin(card().id, shape, causal);
  plan.labels = {Label{"slot", fmt::format("{} tokens squeezed into one", stride)}};
  if (null) plan.labels.push_back({"null", "nothing to attend to: logit 0, value 0"});
  plan.slotCount = static_cast<Index>(bounds.size()) - 1;
  const BufferId keys = plan.addBuffer("slot_keys", plan.slotCount, shape.d, "slot_keys");
  plan.slotValues = plan.addBuffer("slot_values", plan.slotCount, shape.dV, "slot_values");
  ATTN_TRY(addSlots(request, plan, kKey, keys, "conv_k", bounds));
  ATTN_TRY(addSlots(request, plan, kValue, plan.slotValues, "conv_v", bounds));
  const auto* convolve = std::get_if<ConvolveStep>(&plan.steps.back());
  plan.slotComposition = [bounds, n = shape.nK, taps = convolve ? convolve->weight : Tensor()] {
    return composition(bounds, n, taps);
  };
  const Index slots = plan.slotCount - (null ? 1 : 0);
  const Index late = request.params.choice("rule") == "past" ? 1 : 0;
  const auto rule = [=](Index i, RunList& runs) {
    // Slot b ends with token stride b + stride - 1: the first (p + 1) / stride slots end by p.
    const Index position = i + shape.nK - shape.nQ - late;
    const Index end = causal ? std::clamp<Index>((position + 1) / stride, 0, slots) : slots;
    if (end > 0 && (!causal || position >= 0)) runs.push_back({0, end, 1, kSlot, 1});
    if (null) runs.push_back({slots, slots + 1, 1, kNull, 1});
  };
  AttendStep step = outputStep(request, plan, "read the slots", makePattern(shape.nQ, plan.slotCount, rule));
  step.k = keys;
  step.v = plan.slotValues;
  step.axis = KeyAxis::Slots;
  plan.steps.emplace_back(std::move(step));
  return plan;
}

// The tokens that each row of a composition (slots, tokens) is made of.
std::vector<TokenGroup> groupsOfSlots(const Tensor& composition) {
  std::vector<TokenGroup> groups;
  for (Index b = 0; b < composition.dim(0); ++b) {
    const auto row = composition.slice<float>(b);
    std::vector<std::int32_t> tokens;
    for (std::size_t j = 0; j < row.size(); ++j)
      if (row[j] != 0.0F) tokens.push_back(static_cast<std::int32_t>(j));
    groups.push_back({fmt::format("slot {}", b), {}, rangesOf(std::move(tokens)), {{b, b + 1}}});
  }
  return groups;
}

// How far back the newest token lies that a query hears of: those after it are out of sight.
InsidePanel blindZone(const InsidesRequest& request, const std::vector<TokenGroup>& groups) {
  const Plan& plan = request.plan.plan();
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Blind zone";
  panel.caption =
      "Tokens up to the query itself that are in no slot it may read: they wait until theirs is full.";
  panel.xTitle = "query";
  panel.yTitle = "tokens";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Queries;
  InsidePanel::Curve curve{"blind", {}, {}};
  RunList runs;
  const Index stride = std::max<Index>(1, plan.shape.nQ / 512);
  for (Index i = 0; i < plan.shape.nQ; i += stride) {
    request.plan.support(request.head)->row(i, runs);
    Index past = 0;  // of the tokens that it hears of
    for (const Run& run : runs)
      for (Index c = run.begin; c < run.end; c += run.stride) {
        const Index slot = c - plan.shape.nK;
        if (slot < 0) past = std::max(past, c + 1);
        if (slot >= 0 && slot < std::ssize(groups) && !groups[static_cast<std::size_t>(slot)].keys.empty())
          past = std::max(past, groups[static_cast<std::size_t>(slot)].keys.back().end);
      }
    curve.x.push_back(static_cast<double>(i));
    curve.y.push_back(static_cast<double>(std::max<Index>(0, i + plan.shape.nK - plan.shape.nQ + 1 - past)));
  }
  panel.curves.push_back(std::move(curve));
  return panel;
}

// What the slots are made of, and what a query does not hear of yet.
Result<std::vector<InsidePanel>> MemoryCompressed::insides(const InsidesRequest& request) const {
  const Plan& plan = request.plan.plan();
  if (plan.slotCount == 0) return std::vector<InsidePanel>{};
  const Tensor made = plan.slotComposition();
  InsidePanel slots;
  slots.kind = InsidePanel::Kind::Matrix;
  slots.title = "Slots";
  slots.caption = "Row b says which tokens slot b is made of.";
  slots.xTitle = "token";
  slots.yTitle = "slot";
  slots.values =
      Tensor::fromFloats({made.dim(1), made.dim(2)}, made.slice<float>(made.dim(0) == 1 ? 0 : request.head));
  slots.xTokens.tokens = InsidePanel::AxisTokens::Keys;
  const std::vector<TokenGroup> groups = groupsOfSlots(slots.values);
  for (std::size_t b = 0; b < groups.size(); ++b) slots.rowGroup.push_back(static_cast<std::int32_t>(b));
  slots.groups = std::make_shared<const std::vector<TokenGroup>>(groups);
  InsidePanel blind;
  blind.kind = InsidePanel::Kind::Curves;
  blind.title = "Slots read";
  blind.caption =
      "Slots that each query reads; when causal, the tokens since the last full slot are out of sight.";
  blind.xTitle = "query";
  blind.xTokens.tokens = InsidePanel::AxisTokens::Queries;
  blind.yTitle = "slots";
  InsidePanel::Curve curve{"slots", {}, {}};
  const Index stride = std::max<Index>(1, plan.shape.nQ / 512);
  for (Index i = 0; i < plan.shape.nQ; i += stride) {
    curve.x.push_back(static_cast<double>(i));
    curve.y.push_back(static_cast<double>(rowCount(*request.plan.support(request.head), i)));
  }
  blind.curves.push_back(std::move(curve));
  std::vector<InsidePanel> panels;
  panels.push_back(std::move(slots));
  panels.push_back(std::move(blind));
  if (plan.causal) panels.push_back(blindZone(request, groups));
  return panels;
}

}  // namespace

const Mechanism& memory_compressedMechanism() {
  static const MemoryCompressed mechanism;
  return mechanism;
}

}  // namespace attnscope
