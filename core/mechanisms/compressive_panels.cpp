// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/compressive_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/compression_training.h"
#include "core/mechanisms/segment_panels.h"

namespace attnscope {

namespace {

constexpr int kTrainingSteps = 100;
// What keeps training within a few tenths of a second: rows times the cells of a tap, and cells of all taps.
constexpr Index kMostTrainingQueries = 64;
constexpr Index kMostTrainingWork = 96 * 64 * 64;
constexpr Index kMostTrainingCells = 128 * 128 * 4;
constexpr double kMostMassWork = 64e6;

// The tokens of each slot as this head made it: (H, slots, 2).
std::span<const std::int32_t> slotTokens(const Plan& plan, Index head) {
  for (const NamedTensor& trace : plan.trace)
    if (trace.name == "slot_tokens") return trace.tensor.slice<std::int32_t>(head);
  return {};
}

InsidePanel timelinePanel(const InsidesRequest& request, const CompressedTimeline& timeline) {
  const auto tokens = slotTokens(request.plan.plan(), request.head);
  const auto first = [&](Index b) { return static_cast<Index>(tokens[static_cast<std::size_t>(2 * b)]); };
  const auto past = [&](Index b) { return static_cast<Index>(tokens[static_cast<std::size_t>(2 * b + 1)]); };
  std::vector<SegmentSight> segments;
  for (std::size_t row = 0; row < std::min(timeline.segments.size(), kTimelineRows); ++row) {
    const MemorySegment& segment = timeline.segments[row];
    segments.push_back({segment.begin, segment.end, {}});
    for (Index b = segment.firstSlot; b < segment.pastSlot; ++b) segments.back().borders.push_back(first(b));
    segments.back().borders.push_back(segment.memoryBegin);
    segments.back().borders.push_back(segment.begin);
  }
  return segmentTimeline(
      segments, timeline.segments.size(),
      [&](Index row, Index token) {
        const MemorySegment& segment = timeline.segments[static_cast<std::size_t>(row)];
        if (token >= segment.begin)
          return token < segment.end ? ownSegmentCell(row, segment.begin, segment.end) : SegmentCell{};
        if (token >= segment.memoryBegin)
          return memoryCell(row, token, segment.memoryBegin, timeline.sizes.segment);
        // Slots are in the order of their tokens: the last one that begins no later.
        Index low = segment.firstSlot;
        Index high = segment.pastSlot;
        while (low < high) {
          const Index middle = (low + high) / 2;
          if (first(middle) <= token)
            low = middle + 1;
          else
            high = middle;
        }
        const Index slot = low - 1;
        if (slot < segment.firstSlot || token >= past(slot)) return SegmentCell{};
        const Index age = row - first(slot) / timeline.sizes.segment;
        return SegmentCell{2 + static_cast<int>(slot % 2),
                           slot % 2 == 0 ? "slot" : "next slot",
                           {first(slot), past(slot)},
                           fmt::format("slot {} in sight of segment {}, {} segments old", slot, row, age),
                           slot};
      },
      "Each row is one segment with its memory and the tokens of each slot behind it. Ages are in segments.");
}

const float* rowsOf(const InsidesRequest& request, BufferId id, Tensor& held) {
  const Plan& plan = request.plan.plan();
  if (id == kQuery) return request.input.q.slice<float>(request.head).data();
  if (id == kKey) return request.input.k.slice<float>(request.input.kvHead(request.head)).data();
  held = request.buffer(plan.buffers[static_cast<std::size_t>(id)].name);
  return held.empty() ? nullptr : held.slice<float>(held.dim(0) == 1 ? 0 : request.head).data();
}

// The step that reads memory and segment, with its rows of one head.
struct TokenReading {
  const AttendStep* step = nullptr;
  Index width = 0;
  Tensor heldQ, heldK, heldLse;
  const float* q = nullptr;
  const float* k = nullptr;
  const float* lse = nullptr;  // of the joint softmax

  // Weight of query t on tokens [begin, end).
  [[nodiscard]] double weight(Index t, Index begin, Index end) const {
    double sum = 0.0;
    for (Index j = begin; j < end; ++j) {
      double logit = 0.0;
      for (Index c = 0; c < width; ++c)
        logit += static_cast<double>(q[t * width + c]) * static_cast<double>(k[j * width + c]);
      sum += std::exp(step->scale * logit - static_cast<double>(lse[t]));
    }
    return sum;
  }
};

TokenReading tokenReading(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  TokenReading reading;
  for (const Step& step : plan.steps)
    if (const auto* attend = std::get_if<AttendStep>(&step);
        attend != nullptr && attend->axis == KeyAxis::Tokens)
      reading.step = attend;
  reading.width = plan.buffers[static_cast<std::size_t>(reading.step->q)].cols;
  reading.q = rowsOf(request, reading.step->q, reading.heldQ);
  reading.k = rowsOf(request, reading.step->k, reading.heldK);
  reading.lse = rowsOf(request, plan.lse, reading.heldLse);
  return reading;
}

// Where the attention goes, on average over the queries that can already see slots (or all, if none can).
Result<std::vector<InsidePanel>> massPanel(const InsidesRequest& request,
                                           const CompressedTimeline& timeline) {
  const TokenReading reading = tokenReading(request);
  if (reading.q == nullptr || reading.k == nullptr || reading.lse == nullptr)
    return std::vector<InsidePanel>{};
  const auto seeing = std::find_if(timeline.segments.begin(), timeline.segments.end(),
                                   [](const MemorySegment& s) { return s.firstSlot < s.pastSlot; });
  const Index begin = seeing == timeline.segments.end() ? 0 : seeing->begin;
  const auto workEach = static_cast<double>(
      (std::min(timeline.sizes.memory, timeline.sizes.n) + timeline.sizes.segment) * reading.width);
  const auto most = std::max<Index>(16, static_cast<Index>(kMostMassWork / workEach));
  const Index stride = ceilDiv(timeline.sizes.n - begin, most);
  double memory = 0.0;
  double own = 0.0;
  double count = 0.0;
  for (Index t = begin; t < timeline.sizes.n; t += stride) {
    if (request.job.isCancelled()) return cancelled();
    const MemorySegment& segment = timeline.segmentOf(t);
    memory += reading.weight(t, segment.memoryBegin, segment.begin);
    own += reading.weight(t, segment.begin, t + 1);
    count += 1.0;
  }
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Attention by zone";
  panel.caption = begin == 0 ? "Mean weight of a query on each zone."
                             : fmt::format(
                                   "Mean weight of a query on each zone, from token {} on, where slots "
                                   "are in sight.",
                                   begin);
  if (stride > 1) panel.caption += fmt::format(" One query in {}.", stride);
  panel.yTitle = "weight";
  panel.bars = {std::max(0.0, 1.0 - (memory + own) / count), memory / count, own / count};
  panel.barNames = {"compressed", "memory", "segment"};
  return std::vector<InsidePanel>{std::move(panel)};
}

// How far back each query can look, with the second drawer and without.
InsidePanel sightPanel(const InsidesRequest& request, const CompressedTimeline& timeline) {
  const Plan& plan = request.plan.plan();
  const auto tokens = slotTokens(plan, request.head);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Sight";
  panel.caption =
      "How far back the oldest row in sight lies, and how many rows that costs: slots reach c times as far.";
  panel.xTitle = "query";
  panel.yTitle = "tokens";
  panel.curves = {{"through slots", {}, {}}, {"memory alone", {}, {}}, {"rows read", {}, {}}};
  const Index stride = std::max<Index>(1, plan.shape.nQ / 512);
  for (Index t = 0; t < plan.shape.nQ; t += stride) {
    const MemorySegment& segment = timeline.segmentOf(t);
    const bool hasSlots = segment.firstSlot < segment.pastSlot;
    const Index oldest =
        hasSlots ? tokens[static_cast<std::size_t>(2 * segment.firstSlot)] : segment.memoryBegin;
    const Index ends[] = {t + 1 - oldest, t + 1 - segment.memoryBegin,
                          t + 1 - segment.memoryBegin + segment.pastSlot - segment.firstSlot};
    for (std::size_t c = 0; c < 3; ++c) {
      panel.curves[c].x.push_back(static_cast<double>(t));
      panel.curves[c].y.push_back(static_cast<double>(ends[c]));
    }
  }
  return panel;
}

Eigen::MatrixXd rowsOf(const Tensor& tensor, Index head, Index begin, Index count) {
  const Index cols = tensor.dim(2);
  const auto cells = tensor.slice<float>(head);
  Eigen::MatrixXd rows(count, cols);
  for (Index i = 0; i < count; ++i)
    for (Index c = 0; c < cols; ++c) rows(i, c) = cells[static_cast<std::size_t>((begin + i) * cols + c)];
  return rows;
}

// The last eviction: what leaves, and the newest queries of the segment that was just read.
CompressionTask trainingTask(const InsidesRequest& request, const CompressedTimeline& timeline) {
  const Eviction& eviction = timeline.evictions.back();
  const MemorySegment& segment = timeline.segments[static_cast<std::size_t>(eviction.segment)];
  const Index rate = timeline.sizes.rate;
  const Index width = std::max(request.input.shape().d, request.input.shape().dV);
  const Index most = std::max<Index>(4, kMostTrainingWork / (width * width) / rate) * rate;
  const Index count = std::min(most, (eviction.pastSlot - eviction.firstSlot) * rate);
  const Index queries = std::min(kMostTrainingQueries, segment.end - segment.begin);
  const Index kvHead = request.input.kvHead(request.head);
  return {rowsOf(request.input.q, request.head, segment.end - queries, queries),
          rowsOf(request.input.k, kvHead, eviction.begin, count),
          rowsOf(request.input.v, kvHead, eviction.begin, count),
          scaleOf(request.plan.plan()),
          rate,
          {}};
}

// Taps as the call used them; a mean where the function is another.
CompressionTaps startTaps(const InsidesRequest& request, const CompressionTask& task) {
  CompressionTaps taps = meanCompression(task.rate, task.keys.cols(), task.values.cols());
  if (request.params.choice("function") != "conv") return taps;
  for (const ParamTensor& param : request.plan.plan().params) {
    if (param.name != "conv_k" && param.name != "conv_v" && param.name != "conv_k_bias" &&
        param.name != "conv_v_bias")
      continue;
    const Tensor tensor = param.make();
    const auto cells = tensor.slice<float>(request.head);
    const bool keys = param.name.starts_with("conv_k");
    const Eigen::Index width = keys ? task.keys.cols() : task.values.cols();
    if (tensor.rank() == 2) {
      for (Eigen::Index c = 0; c < width; ++c)
        (keys ? taps.kBias : taps.vBias)[c] = cells[static_cast<std::size_t>(c)];
      continue;
    }
    std::size_t at = 0;
    for (Eigen::MatrixXd& tap : keys ? taps.k : taps.v)
      for (Eigen::Index a = 0; a < width; ++a)
        for (Eigen::Index c = 0; c < width; ++c) tap(a, c) = cells[at++];
  }
  return taps;
}

Result<std::vector<InsidePanel>> trainingPanel(const InsidesRequest& request,
                                               const CompressedTimeline& timeline) {
  const Shape& shape = request.plan.plan().shape;
  if (timeline.evictions.empty() ||
      timeline.sizes.rate * std::max(shape.d * shape.d, shape.dV * shape.dV) > kMostTrainingCells)
    return std::vector<InsidePanel>{};
  const CompressionTask task = trainingTask(request, timeline);
  const CompressionTaps start = startTaps(request, task);
  const CompressionDecoder decoder = copyingDecoder(task.rate, task.keys.cols(), task.values.cols());
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Training";
  panel.caption = fmt::format(
      "{} steps of Adam on the compression alone, for the {} rows of the last eviction: loss "
      "over its "
      "start. The output does not use it.",
      kTrainingSteps, task.keys.rows());
  panel.xTitle = "step";
  panel.yTitle = "loss / loss at the start";
  for (const auto& [loss, name] : {std::pair{CompressionLoss::AttentionReconstruction, "attention"},
                                   std::pair{CompressionLoss::AutoEncoding, "auto-encoding"}}) {
    ATTN_ASSIGN(training, trainCompression(task, loss, start, decoder, kTrainingSteps, request.job));
    // Rows that are all alike lose nothing: there is no start to divide by.
    const double unit = training.curve.front() > 0.0 ? training.curve.front() : 1.0;
    InsidePanel::Curve curve{
        fmt::format("{}: {:.3g} to {:.3g}", name, training.curve.front(), training.curve.back()), {}, {}};
    for (std::size_t s = 0; s < training.curve.size(); ++s) {
      curve.x.push_back(static_cast<double>(s));
      curve.y.push_back(training.curve[s] / unit);
    }
    panel.curves.push_back(std::move(curve));
  }
  return std::vector<InsidePanel>{std::move(panel)};
}

// What the slots of the last eviction, as this call made them, change in what queries read of the old rows.
std::vector<InsidePanel> reconstructionPanel(const InsidesRequest& request,
                                             const CompressedTimeline& timeline) {
  const Tensor keys = request.buffer("slot_keys");
  const Tensor values = request.buffer("slot_values");
  if (timeline.evictions.empty() || keys.empty() || values.empty()) return {};
  const CompressionTask task = trainingTask(request, timeline);
  const Eviction& eviction = timeline.evictions.back();
  const Index slots = task.keys.rows() / task.rate;
  const Eigen::MatrixXd difference =
      reconstructionDifference(task, rowsOf(keys, request.head, eviction.firstSlot, slots),
                               rowsOf(values, request.head, eviction.firstSlot, slots));
  InsidePanel panel;
  panel.title = "Reconstruction";
  panel.caption = fmt::format(
      "What the newest {} queries read of the {} slots of the last eviction, less what they would read of "
      "its {} "
      "tokens, by content alone. The mean of the squares, {:.3g}, is the attention-reconstruction loss.",
      task.queries.rows(), slots, task.keys.rows(),
      difference.squaredNorm() / static_cast<double>(difference.size()));
  panel.xTitle = "channel of the value";
  panel.yTitle = "query of the last segment";
  panel.diverging = true;
  panel.values = Tensor(DType::F32, {difference.rows(), difference.cols()});
  auto cell = panel.values.mutableValues<float>().begin();
  for (Eigen::Index i = 0; i < difference.rows(); ++i)
    for (Eigen::Index c = 0; c < difference.cols(); ++c) *cell++ = static_cast<float>(difference(i, c));
  return {std::move(panel)};
}

// most-used: what the rows of the last eviction received, and which were kept.
std::vector<InsidePanel> usagePanel(const InsidesRequest& request, const CompressedTimeline& timeline) {
  constexpr Index kMostBars = 96;
  const Plan& plan = request.plan.plan();
  const auto usage = std::find_if(plan.trace.begin(), plan.trace.end(),
                                  [](const NamedTensor& trace) { return trace.name == "usage"; });
  if (usage == plan.trace.end()) return {};
  const Eviction& eviction = timeline.evictions.back();
  const auto all = usage->tensor.slice<float>(request.head);
  const auto received = all.last(static_cast<std::size_t>(eviction.end - eviction.begin));
  const auto tokens = slotTokens(plan, request.head);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Use of the rows that leave";
  panel.caption =
      "Mean weight that the last segment gave to each row of the last eviction; + marks those that are kept.";
  panel.yTitle = "weight";
  for (Index p = 0; p < std::min(kMostBars, eviction.end - eviction.begin); ++p) {
    bool kept = false;
    for (Index b = eviction.firstSlot; b < eviction.pastSlot; ++b)
      kept = kept || tokens[static_cast<std::size_t>(2 * b)] == eviction.begin + p;
    panel.bars.push_back(received[static_cast<std::size_t>(p)]);
    panel.barNames.push_back(fmt::format("{}{}", eviction.begin + p, kept ? "+" : ""));
  }
  return {std::move(panel)};
}

void append(std::vector<InsidePanel>& panels, std::vector<InsidePanel> more) {
  for (InsidePanel& panel : more) panels.push_back(std::move(panel));
}

}  // namespace

Result<std::vector<InsidePanel>> compressivePanels(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const CompressedTimeline timeline = timelineOf(CompressionSizes::of(plan.shape.nK, request.params));
  std::vector<InsidePanel> panels{timelinePanel(request, timeline)};
  ATTN_ASSIGN(mass, massPanel(request, timeline));
  append(panels, std::move(mass));
  panels.push_back(sightPanel(request, timeline));
  append(panels, reconstructionPanel(request, timeline));
  ATTN_ASSIGN(training, trainingPanel(request, timeline));
  append(panels, std::move(training));
  append(panels, usagePanel(request, timeline));
  // The last segment that is whole has the most behind it.
  const auto whole = static_cast<std::size_t>(std::max<Index>(1, plan.shape.nK / timeline.sizes.segment) - 1);
  const MemorySegment& segment = timeline.segments[whole];
  append(panels, termPanels(request, relativeTermsOf(plan, request.params), scaleOf(plan),
                            scoreWindow(segment.begin, segment.end, segment.memoryBegin), 0));
  if (request.job.isCancelled()) return cancelled();
  return panels;
}

}  // namespace attnscope
