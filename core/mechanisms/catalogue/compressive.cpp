// SPDX-License-Identifier: GPL-3.0-or-later
// Compressive Transformer: Rae, Potapenko, Jayakumar, Hillier, Lillicrap, arXiv 1911.05507, section 3.
#include <fmt/format.h>

#include <algorithm>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/compressed_memory.h"
#include "core/mechanisms/compression_steps.h"
#include "core/mechanisms/compressive_panels.h"
#include "core/mechanisms/relative_positions.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kSegment = 0, kMemory = 1, kCompressed = 2 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "compressive";
  card.name = "Compressive Transformer";
  card.family = Family::Memories;
  card.paper = "Compressive Transformers for Long-Range Sequence Modelling";
  card.authors = "Rae, Potapenko, Jayakumar, Hillier, Lillicrap";
  card.year = 2019;
  card.arxiv = "1911.05507";
  card.surveyComplexity = "O(n\u00b2)";
  card.countedComplexity = "n (n_cm + M + (L + 1)/2) pairs once both memories are full";
  card.causal = CausalSupport::Always;
  card.anyLengths = false;
  card.summary =
      "Transformer-XL throws its oldest notes away when the desk is full. This one boils them down first, c "
      "notes "
      "to one, and files them in a second, coarser drawer: old news stays in reach at a fraction of the "
      "cost.";
  card.formula =
      "o\u1d62 = softmax over [compressed memory | memory | segment up to i],  slot = f(c old rows)";
  card.ours =
      "A mean unless trained convolutions are given. Rows leave in whole blocks, so that none is lost (the "
      "paper's "
      "own count is evict=floor). Dilated: kernel 3, then kernel 3 with gaps of 2, linear, over the rows "
      "that "
      "leave together, then a mean; the paper gives no geometry. Training on the input is a picture of the "
      "insides and does not change the output.";
  return card;
}

ParamSpec rateParam() {
  ParamSpec rate = intParam(
      "rate", "c", "Old rows that are squeezed into one slot.", 1,
      [](const Shape& s) { return static_cast<double>(s.nK); }, [](const Shape&) { return Index{3}; }, "3");
  rate.unit = "rows";
  rate.paperValue = ParamValue{Index{3}};
  rate.paperText = "2 to 4; 3 and 4 are best";
  return rate;
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  const auto segmentFor = [](Index n, Index rate) { return rate * ceilDiv(3 * ceilSqrt(n), 2 * rate); };
  std::vector<ParamSpec> params{rateParam()};
  params.push_back(intParam(
      "segment", "L", "Tokens that are processed at once.", 1, toN,
      [segmentFor](const Shape& s) { return segmentFor(s.nK, 3); },
      "1.5 ceil(sqrt n), up to a multiple of c"));
  params.back().derivedDefault = [segmentFor](const Shape& s, const ParamValues& before) {
    return ParamValue{segmentFor(s.nK, before.integer("rate"))};
  };
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{512}};
  params.back().paperText = "512 (PG-19), 768 (enwik8)";
  params.push_back(intParam(
      "memory", "M", "Tokens before the segment that are kept as they are; at least c - 1.", 0, noLimit,
      [segmentFor](const Shape& s) { return segmentFor(s.nK, 3); }, "one segment"));
  params.back().derivedDefault = [](const Shape&, const ParamValues& before) {
    return ParamValue{std::max(before.integer("segment"), before.integer("rate") - 1)};
  };
  params.back().examples = [](const Shape& s) {
    return std::vector<std::string>{std::to_string(std::min<Index>(2, s.nK)), std::to_string(s.nK / 2 + 2),
                                    std::to_string(s.nK), std::to_string(3 * s.nK + 5)};
  };
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{512}};
  params.back().paperText = "512 (PG-19), 1152 (enwik8)";
  params.push_back(intParam(
      "compressed", "n_cm", "Slots in the second drawer; older ones are forgotten.", 0, noLimit,
      [segmentFor](const Shape& s) { return segmentFor(s.nK, 3); }, "as many as the memory has tokens"));
  params.back().derivedDefault = [](const Shape&, const ParamValues& before) {
    return ParamValue{before.integer("memory")};
  };
  params.back().unit = "slots";
  params.back().paperValue = ParamValue{Index{512}};
  params.back().paperText = "512 (PG-19), 1152 (enwik8)";
  params.push_back(
      choiceParam("function", "How rows become a slot.", {"mean", "conv", "max", "most-used", "dilated"},
                  {"mean of keys and of values", "strided convolution conv_k, conv_v (a mean unless given)",
                   "largest key of each channel, mean of the values",
                   "the rows that the last segment looked at most, copied",
                   "two convolutions of the keys, conv_k_1 and conv_k_2, mean of the values"},
                  "mean"));
  params.back().paperText = "convolution, learned";
  params.push_back(choiceParam("distance", "How far away a slot counts as being.", {"buffer", "centre"},
                               {"places in the buffer [slots | memory | segment]",
                                "from the query to the mean position of the slot's tokens"},
                               "buffer"));
  params.push_back(choiceParam(
      "evict", "What leaves when the memory overflows.", {"all", "floor"},
      {"whole blocks of c: nothing is lost", "exactly the overflow: what fills no block is lost (the paper)"},
      "all"));
  params.back().paperText = "floor";
  addRelativeParams(params);
  return params;
}

Status checkMemory(const CompressionSizes& sizes) {
  if (sizes.memory >= sizes.rate - 1) return {};
  return fail(
      ErrorKind::Usage,
      fmt::format("compressive: memory is {} and rate is {}, but rows leave the memory in blocks of `rate` "
                  "(Rae et al., section 3.1), so the memory must hold at least rate - 1 = {} of them. "
                  "Nearest: memory={}, or rate={}.",
                  sizes.memory, sizes.rate, sizes.rate - 1, sizes.rate - 1, sizes.memory + 1));
}

AttendStep readTokens(const Plan& plan, const CompressedTimeline& timeline, double scale) {
  AttendStep step;
  step.title = "read segment and memory";
  step.scale = scale;
  const Index n = plan.shape.nK;
  step.heads = sameForAllHeads(plan.shape.heads,
                               {nullptr, nullptr, makePattern(n, n, [timeline](Index t, RunList& runs) {
                                  const MemorySegment& segment = timeline.segmentOf(t);
                                  if (segment.memoryBegin < segment.begin)
                                    runs.push_back({segment.memoryBegin, segment.begin, 1, kMemory, 1});
                                  runs.push_back({segment.begin, t + 1, 1, kSegment, 1});
                                })});
  return step;
}

AttendStep readSlots(const Plan& plan, const CompressedTimeline& timeline, double scale) {
  AttendStep step;
  step.title = "read the compressed memory";
  step.axis = KeyAxis::Slots;
  step.scale = scale;
  step.heads = sameForAllHeads(
      plan.shape.heads,
      {nullptr, nullptr, makePattern(plan.shape.nQ, plan.slotCount, [timeline](Index t, RunList& runs) {
         const MemorySegment& segment = timeline.segmentOf(t);
         if (segment.firstSlot < segment.pastSlot)
           runs.push_back({segment.firstSlot, segment.pastSlot, 1, kCompressed, 1});
       })});
  return step;
}

// Where queries and slots stand so that their difference is the distance.
struct SlotPositions {
  std::vector<double> queries;
  std::vector<std::vector<double>> slots;
};

SlotPositions slotPositions(const CompressedTimeline& timeline, const MostUsed& chosen, bool centre) {
  SlotPositions positions;
  const Index n = timeline.sizes.n;
  if (centre) {
    positions.queries = tokenPositions(n);
    for (const auto& tokens : chosen.copied) positions.slots.emplace_back(tokens.begin(), tokens.end());
    if (!positions.slots.empty()) return positions;
    positions.slots.emplace_back();
    for (const Index begin : timeline.blockBegin)
      positions.slots.back().push_back(static_cast<double>(begin) +
                                       static_cast<double>(timeline.sizes.rate - 1) / 2.0);
    return positions;
  }
  // Place in the segment, memory behind it and slots made so far; less the slot's number.
  for (Index t = 0; t < n; ++t) {
    const MemorySegment& segment = timeline.segmentOf(t);
    positions.queries.push_back(static_cast<double>(t - segment.memoryBegin + segment.pastSlot));
  }
  positions.slots.push_back(tokenPositions(timeline.slotCount()));
  return positions;
}

void addTrace(Plan& plan, const CompressedTimeline& timeline, const MostUsed& chosen) {
  const Index heads = plan.shape.heads;
  const Index slots = timeline.slotCount();
  Tensor tokens(DType::I32, {heads, slots, 2});
  auto cells = tokens.mutableValues<std::int32_t>();
  for (Index h = 0; h < heads; ++h)
    for (Index b = 0; b < slots; ++b) {
      const auto at = static_cast<std::size_t>((h * slots + b) * 2);
      const bool copied = !chosen.copied.empty();
      const Index begin = copied ? chosen.copied[static_cast<std::size_t>(h)][static_cast<std::size_t>(b)]
                                 : timeline.blockBegin[static_cast<std::size_t>(b)];
      cells[at] = static_cast<std::int32_t>(begin);
      cells[at + 1] = static_cast<std::int32_t>(begin + (copied ? 1 : timeline.sizes.rate));
    }
  plan.trace.push_back({"slot_tokens", std::move(tokens)});
  if (chosen.usage.empty()) return;
  const auto leaving = static_cast<Index>(chosen.usage.front().size());
  Tensor usage(DType::F32, {heads, leaving});
  for (Index h = 0; h < heads; ++h)
    std::copy(chosen.usage[static_cast<std::size_t>(h)].begin(),
              chosen.usage[static_cast<std::size_t>(h)].end(), usage.mutableSlice<float>(h).begin());
  plan.trace.push_back({"usage", std::move(usage)});
}

class Compressive final : public Mechanism {
 public:
  Compressive() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  bool patternNeedsValues(const ParamValues& params) const override {
    return params.choice("function") == "most-used";
  }
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    return compressivePanels(request);
  }
};

Result<Plan> Compressive::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const CompressionSizes sizes = CompressionSizes::of(shape.nK, request.params);
  ATTN_TRY(checkMemory(sizes));
  const CompressedTimeline timeline = timelineOf(sizes);
  const double scale = request.defaultScale();
  Plan plan = Plan::begin(card().id, shape, true);
  plan.labels = {
      Label{"segment", fmt::format("query and key are in the same segment of {} tokens", sizes.segment)},
      Label{"memory", fmt::format("the key is one of at most {} tokens kept in memory", sizes.memory)},
      Label{"compressed", request.params.choice("function") == "most-used"
                              ? fmt::format("one of {} old tokens that was looked at most", sizes.rate)
                              : fmt::format("{} old tokens squeezed into one slot", sizes.rate)}};
  plan.slotCount = timeline.slotCount();
  ATTN_ASSIGN(terms, ownRelativeTerms(request, plan));
  MostUsed chosen;
  if (request.params.choice("function") == "most-used" && plan.slotCount > 0) {
    ATTN_ASSIGN(made, chooseMostUsed(request, timeline, terms));
    chosen = std::move(made);
  }
  RelativeRows rows(plan, terms);
  AttendStep tokens = readTokens(plan, timeline, scale);
  tokens.q = rows.queries("queries", tokenPositions(shape.nQ));
  tokens.k = rows.keys("keys", kKey, {tokenPositions(shape.nK)});
  std::vector<AttendStep> steps{std::move(tokens)};
  if (plan.slotCount > 0) {
    ATTN_ASSIGN(made, addCompressionSteps(request, plan, timeline, chosen));
    const SlotPositions positions =
        slotPositions(timeline, chosen, request.params.choice("distance") == "centre");
    AttendStep slots = readSlots(plan, timeline, scale);
    slots.q = rows.queries("slot_queries", positions.queries);
    slots.k = rows.keys("slot_rows", made.keys, positions.slots);
    slots.v = made.values;
    steps.push_back(std::move(slots));
    addTrace(plan, timeline, chosen);
  }
  joinReads(plan, std::move(steps), {"tokens", "slots"}, "join memory and compressed memory");
  return plan;
}

}  // namespace

const Mechanism& compressiveMechanism() {
  static const Compressive mechanism;
  return mechanism;
}

}  // namespace attnscope
