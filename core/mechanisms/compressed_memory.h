// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/mechanisms/relative_positions.h"

namespace attnscope {

// The drawers of a Compressive Transformer played through on the host: which tokens are in memory and which
// compressed rows (slots) exist when each segment is read. Depends on lengths alone, except for the choice of
// the most used rows.

struct CompressionSizes {
  Index n = 0;
  Index segment = 1;    // L
  Index memory = 0;     // M
  Index slotLimit = 0;  // n_cm: slots in sight at once
  Index rate = 1;       // c
  bool floor = false;   // evict=floor: exactly the overflow leaves, and what fills no block is lost

  [[nodiscard]] static CompressionSizes of(Index n, const ParamValues& params);
};

// Tokens [begin, end) read the memory [memoryBegin, begin) and the slots [firstSlot, pastSlot), all older.
struct MemorySegment {
  Index begin = 0;
  Index end = 0;
  Index memoryBegin = 0;
  Index firstSlot = 0;
  Index pastSlot = 0;
};

// Tokens [begin, end) leave the memory once `segment` has been read, and become the slots [firstSlot,
// pastSlot).
struct Eviction {
  Index segment = 0;
  Index begin = 0;
  Index end = 0;
  Index firstSlot = 0;
  Index pastSlot = 0;
};

struct CompressedTimeline {
  CompressionSizes sizes;
  std::vector<MemorySegment> segments;
  std::vector<Eviction> evictions;  // those that make slots
  std::vector<Index> blockBegin;    // by slot: it stands for `rate` tokens from here on

  [[nodiscard]] Index slotCount() const { return static_cast<Index>(blockBegin.size()); }
  [[nodiscard]] const MemorySegment& segmentOf(Index token) const {
    return segments[static_cast<std::size_t>(token / sizes.segment)];
  }
  // True where slot b stands for the tokens b rate .. b rate + rate - 1: nothing was lost in between.
  [[nodiscard]] bool isGapless() const;
};

[[nodiscard]] CompressedTimeline timelineOf(const CompressionSizes& sizes);

// function=most-used, by head.
struct MostUsed {
  std::vector<std::vector<std::int32_t>> copied;  // by slot: the token that it is a copy of
  std::vector<std::vector<float>> usage;          // mean weight of each leaving token, eviction by eviction
};
[[nodiscard]] Result<MostUsed> chooseMostUsed(const LoweringRequest& request,
                                              const CompressedTimeline& timeline, const RelativeTerms& terms);

}  // namespace attnscope
