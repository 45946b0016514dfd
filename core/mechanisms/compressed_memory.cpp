// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/compressed_memory.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>

#include "core/mechanisms/relative_scores.h"

namespace attnscope {

CompressionSizes CompressionSizes::of(Index n, const ParamValues& params) {
  return {n,
          params.integer("segment"),
          params.integer("memory"),
          params.integer("compressed"),
          params.integer("rate"),
          params.choice("evict") == "floor"};
}

bool CompressedTimeline::isGapless() const {
  for (std::size_t b = 0; b < blockBegin.size(); ++b)
    if (blockBegin[b] != static_cast<Index>(b) * sizes.rate) return false;
  return true;
}

CompressedTimeline timelineOf(const CompressionSizes& sizes) {
  CompressedTimeline timeline{sizes, {}, {}, {}};
  Index memoryBegin = 0;
  for (Index begin = 0; begin < sizes.n; begin += sizes.segment) {
    const Index end = std::min(begin + sizes.segment, sizes.n);
    const Index made = timeline.slotCount();
    timeline.segments.push_back({begin, end, memoryBegin, made - std::min(made, sizes.slotLimit), made});
    const Index overflow = end - memoryBegin - sizes.memory;
    // What leaves after the last segment is never read.
    if (overflow <= 0 || end == sizes.n) continue;
    const Index leaving = sizes.floor ? overflow : sizes.rate * ceilDiv(overflow, sizes.rate);
    const Index blocks = sizes.slotLimit > 0 ? leaving / sizes.rate : 0;
    for (Index b = 0; b < blocks; ++b) timeline.blockBegin.push_back(memoryBegin + b * sizes.rate);
    if (blocks > 0)
      timeline.evictions.push_back({static_cast<Index>(timeline.segments.size()) - 1, memoryBegin,
                                    memoryBegin + leaving, made, made + blocks});
    memoryBegin += leaving;
  }
  return timeline;
}

namespace {

// One head, segment by segment: what was chosen before is a key of what comes after.
class UsageCounter {
 public:
  UsageCounter(const LoweringRequest& request, const CompressedTimeline& timeline, const RelativeTerms& terms,
               Index head)
      : m_timeline(timeline),
        m_centre(request.params.choice("distance") == "centre"),
        m_job(request.job),
        m_scores(request.input, terms, head, request.defaultScale()) {}

  void add(const Eviction& eviction, std::vector<std::int32_t>& copied, std::vector<float>& usage) {
    const MemorySegment& segment = m_timeline.segments[static_cast<std::size_t>(eviction.segment)];
    setKeys(segment, copied);
    std::vector<double> received(static_cast<std::size_t>(eviction.end - eviction.begin), 0.0);
    for (Index t = segment.begin; t < segment.end && !m_job.isCancelled(); ++t) {
      const double total = weigh(t, segment);
      const Index end = std::min(eviction.end, t + 1);
      for (Index j = eviction.begin; j < end; ++j)
        received[static_cast<std::size_t>(j - eviction.begin)] +=
            m_weights[static_cast<std::size_t>(segment.pastSlot - segment.firstSlot + j -
                                               segment.memoryBegin)] /
            total;
    }
    for (double& weight : received) {
      weight /= static_cast<double>(segment.end - segment.begin);
      usage.push_back(static_cast<float>(weight));
    }
    std::vector<std::int32_t> order(received.size());
    for (std::size_t p = 0; p < order.size(); ++p) order[p] = static_cast<std::int32_t>(p);
    // Stable: of equally used rows the older one stays.
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return received[static_cast<std::size_t>(a)] > received[static_cast<std::size_t>(b)];
    });
    order.resize(static_cast<std::size_t>(eviction.pastSlot - eviction.firstSlot));
    std::sort(order.begin(), order.end());
    for (const std::int32_t p : order) copied.push_back(static_cast<std::int32_t>(eviction.begin + p));
  }

 private:
  // The buffer of a segment: [slots | memory | segment], each slot by the token that it copies.
  void setKeys(const MemorySegment& segment, const std::vector<std::int32_t>& copied) {
    m_buffer.assign(copied.begin() + segment.firstSlot, copied.begin() + segment.pastSlot);
    for (Index j = segment.memoryBegin; j < segment.end; ++j)
      m_buffer.push_back(static_cast<std::int32_t>(j));
    m_scores.setKeys(m_buffer);
  }

  // exp(logit - largest) of query t on the buffer up to itself, and their sum.
  double weigh(Index t, const MemorySegment& segment) {
    m_scores.setQuery(t);
    const Index slotsRead = segment.pastSlot - segment.firstSlot;
    const auto distanceOf = [&](Index p) {
      const Index token = m_buffer[static_cast<std::size_t>(p)];
      return p >= slotsRead || m_centre ? t - token : t - segment.memoryBegin + slotsRead - p;
    };
    const Index count = slotsRead + t + 1 - segment.memoryBegin;
    // The first of the buffer is the furthest, in both ways of counting.
    m_distances.resize(static_cast<std::size_t>(distanceOf(0) + 1));
    m_scores.fillDistances(m_distances);
    m_weights.resize(static_cast<std::size_t>(count));
    for (Index p = 0; p < count; ++p)
      m_weights[static_cast<std::size_t>(p)] = m_distances[static_cast<std::size_t>(distanceOf(p))];
    m_scores.addContent(m_weights);
    const double largest = *std::max_element(m_weights.begin(), m_weights.end());
    double total = 0.0;
    for (double& weight : m_weights) total += weight = std::exp(weight - largest);
    return total;
  }

  const CompressedTimeline& m_timeline;
  bool m_centre;
  const JobContext& m_job;
  RelativeScores m_scores;
  std::vector<std::int32_t> m_buffer;
  std::vector<double> m_distances;  // what each distance adds to a logit
  std::vector<double> m_weights;
};

}  // namespace

Result<MostUsed> chooseMostUsed(const LoweringRequest& request, const CompressedTimeline& timeline,
                                const RelativeTerms& terms) {
  const Index heads = request.input.shape().heads;
  MostUsed chosen;
  chosen.copied.resize(static_cast<std::size_t>(heads));
  chosen.usage.resize(static_cast<std::size_t>(heads));
  tbb::parallel_for(Index{0}, heads, [&](Index h) {
    UsageCounter counter(request, timeline, terms, h);
    for (const Eviction& eviction : timeline.evictions) {
      if (request.job.isCancelled()) return;
      counter.add(eviction, chosen.copied[static_cast<std::size_t>(h)],
                  chosen.usage[static_cast<std::size_t>(h)]);
    }
  });
  if (request.job.isCancelled()) return cancelled();
  return chosen;
}

}  // namespace attnscope
