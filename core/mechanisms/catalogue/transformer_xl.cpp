// SPDX-License-Identifier: GPL-3.0-or-later
// Transformer-XL: Dai, Yang, Yang, Carbonell, Le, Salakhutdinov, arXiv 1901.02860, section 3.
#include <fmt/format.h>

#include <algorithm>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/relative_positions.h"
#include "core/mechanisms/segment_panels.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kSegment = 0, kMemory = 1 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "transformer-xl";
  card.name = "Transformer-XL";
  card.family = Family::Memories;
  card.paper = "Transformer-XL: Attentive Language Models beyond a Fixed-Length Context";
  card.authors = "Dai, Yang, Yang, Carbonell, Le, Salakhutdinov";
  card.year = 2019;
  card.arxiv = "1901.02860";
  card.surveyComplexity = "O(n\u00b2)";
  card.countedComplexity = "n (M + (L + 1)/2) pairs once the memory is full";
  card.causal = CausalSupport::Always;
  card.anyLengths = false;
  card.summary =
      "A plain Transformer forgets a page when it turns it. This one keeps the last page's notes on the "
      "desk, "
      "frozen, and measures how far back a word is instead of which line of the page it is on.";
  card.formula =
      "A(t) = { max(0, L\u230at/L\u230b \u2212 M) .. t };  logit = s[(q + u)\u00b7k + (q + w)\u00b7r],  r = "
      "R(t \u2212 j) P";
  card.ours =
      "The tensors of the positions are 0 unless asked for (init=demo or a file): untrained ones would only "
      "add "
      "noise. The preset recency and the switches of the four terms are ours.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "segment", "L", "Tokens that are processed at once.", 1, toN,
      [](const Shape& s) { return 2 * ceilSqrt(s.nK); }, "2 ceil(sqrt n)"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{150}};
  params.back().paperText = "150 (WikiText-103, base), 512 (enwik8)";
  params.push_back(intParam(
      "memory", "M", "Tokens before the segment that are kept in memory.", 0, noLimit,
      [](const Shape& s) { return 4 * ceilSqrt(s.nK); }, "2 segments"));
  params.back().derivedDefault = [](const Shape&, const ParamValues& before) {
    return ParamValue{2 * before.integer("segment")};
  };
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{150}};
  params.back().paperText = "the segment in training, 640 to 2100 in evaluation";
  params.push_back(intParam(
      "clamp", "", "Largest distance that is told apart: all beyond it count as this one. 0: no limit.", 0,
      noLimit, [](const Shape&) { return Index{0}; }, "0, no limit"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{400}};
  params.back().paperText = "400 to 1000 in evaluation";
  params.push_back(
      boolParam("same_length",
                "Every query reads as far back: M tokens and itself, wherever it is in its segment.", false));
  addRelativeParams(params);
  return params;
}

// Which keys query t reads: [first(t), t], of which those before its segment are memory.
struct Sight {
  Index segment = 1;
  Index memory = 0;
  bool sameLength = false;

  explicit Sight(const ParamValues& params)
      : segment(params.integer("segment")),
        memory(params.integer("memory")),
        sameLength(params.flag("same_length")) {}
  [[nodiscard]] Index start(Index t) const { return t / segment * segment; }
  [[nodiscard]] Index first(Index t) const {
    return std::max<Index>(0, (sameLength ? t : start(t)) - memory);
  }
};

// Appends [begin, end) with the part before `start` labelled as memory.
void appendRuns(Index begin, Index end, Index start, RunList& runs) {
  if (begin < std::min(start, end)) runs.push_back({begin, std::min(start, end), 1, kMemory, 1});
  if (std::max(start, begin) < end) runs.push_back({std::max(start, begin), end, 1, kSegment, 1});
}

AttendStep readStep(const Plan& plan, const std::string& title, double scale, const PatternPtr& pattern) {
  AttendStep step;
  step.title = title;
  step.scale = scale;
  step.heads = sameForAllHeads(plan.shape.heads, {nullptr, nullptr, pattern});
  return step;
}

class TransformerXl final : public Mechanism {
 public:
  TransformerXl() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<Plan> TransformerXl::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index n = shape.nK;
  const Sight sight(request.params);
  const double scale = request.defaultScale();
  Plan plan = Plan::begin(card().id, shape, true);
  plan.labels = {
      Label{"segment", fmt::format("query and key are in the same segment of {} tokens", sight.segment)},
      Label{"memory", fmt::format("the key is one of the {} tokens kept in memory", sight.memory)}};
  ATTN_ASSIGN(terms, ownRelativeTerms(request, plan));
  RelativeRows rows(plan, terms);
  // Distances beyond the clamp are one distance: those keys are a step of their own, with other rows.
  const Index clamp = terms.usesPositions() ? request.params.integer("clamp") : 0;
  const bool clamped = clamp > 0 && clamp < n - 1;
  AttendStep near = readStep(plan, "read segment and memory", scale,
                             makePattern(n, n, [sight, clamp, clamped](Index t, RunList& runs) {
                               const Index first =
                                   clamped ? std::max(sight.first(t), t - clamp) : sight.first(t);
                               appendRuns(first, t + 1, sight.start(t), runs);
                             }));
  near.q = rows.queries("queries", tokenPositions(n));
  near.k = rows.keys("keys", kKey, {tokenPositions(n)});
  std::vector<AttendStep> steps{std::move(near)};
  if (clamped) {
    AttendStep far = readStep(plan, "read keys beyond the clamp", scale,
                              makePattern(n, n, [sight, clamp](Index t, RunList& runs) {
                                appendRuns(sight.first(t), t - clamp, sight.start(t), runs);
                              }));
    far.q = rows.queriesAt("far_queries", clamp);
    far.k = rows.keysAt("far_keys", kKey);
    steps.push_back(std::move(far));
  }
  joinReads(plan, std::move(steps), {"near", "far"}, "join near and far keys");
  return plan;
}

// How many tokens the last one hears from through 1, 2, ... layers: each layer reaches back from the oldest
// token that the one above it reads.
InsidePanel reachOverLayers(const Sight& sight, Index n) {
  constexpr Index kLayers = 12;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Reach over layers";
  panel.caption = "Tokens that the last one hears from: memory adds one memory's length a layer.";
  panel.xTitle = "layers";
  panel.yTitle = "tokens";
  panel.curves = {{"with memory", {}, {}}, {"without", {}, {}}};
  Index first = n - 1;
  for (Index layer = 1; layer <= kLayers; ++layer) {
    first = sight.first(first);
    for (InsidePanel::Curve& curve : panel.curves) curve.x.push_back(static_cast<double>(layer));
    panel.curves[0].y.push_back(static_cast<double>(n - first));
    panel.curves[1].y.push_back(static_cast<double>(n - sight.start(n - 1)));
  }
  return panel;
}

Result<std::vector<InsidePanel>> TransformerXl::insides(const InsidesRequest& request) const {
  const Plan& plan = request.plan.plan();
  const Index n = plan.shape.nK;
  const Sight sight(request.params);
  std::vector<SegmentSight> segments;
  for (Index begin = 0; begin < n && segments.size() < kTimelineRows; begin += sight.segment)
    segments.push_back({begin, std::min(begin + sight.segment, n), {sight.first(begin), begin}});
  std::vector<InsidePanel> panels;
  panels.push_back(segmentTimeline(
      segments, static_cast<std::size_t>(ceilDiv(n, sight.segment)),
      [&](Index row, Index token) {
        const SegmentSight& segment = segments[static_cast<std::size_t>(row)];
        if (token >= segment.begin)
          return token < segment.end ? ownSegmentCell(row, segment.begin, segment.end) : SegmentCell{};
        const Index first = sight.first(segment.begin);
        return token >= first ? memoryCell(row, token, first, sight.segment) : SegmentCell{};
      },
      "Each row is one segment; the memory before it slides along and starts empty. Ages are in segments."));
  // The last segment that is whole has the most behind it.
  const Index begin = n >= sight.segment ? (n / sight.segment - 1) * sight.segment : 0;
  const Index end = std::min(begin + sight.segment, n);
  auto terms = termPanels(request, relativeTermsOf(plan, request.params), scaleOf(plan),
                          scoreWindow(begin, end, sight.first(begin)), request.params.integer("clamp"));
  for (InsidePanel& panel : terms) panels.push_back(std::move(panel));
  panels.push_back(reachOverLayers(sight, n));
  if (request.job.isCancelled()) return cancelled();
  return panels;
}

}  // namespace

const Mechanism& transformer_xlMechanism() {
  static const TransformerXl mechanism;
  return mechanism;
}

}  // namespace attnscope
