// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/mechanisms/insides.h"
#include "core/mechanisms/relative_positions.h"

namespace attnscope {

// Pictures that mechanisms which read a text segment by segment share.

// What one segment has in sight: tokens [begin, end) are its own.
struct SegmentSight {
  Index begin = 0;
  Index end = 0;
  std::vector<Index> borders;  // tokens before which a line is drawn
};

// Rows of a time line.
inline constexpr std::size_t kTimelineRows = 24;
// What stands at a token in the row of a segment: its colour (-1: out of sight), and what it is a part of.
struct SegmentCell {
  int color = -1;
  std::string kind;       // what the colour means: one for each colour
  TokenRange part;        // tokens that belong together: a segment, a part of the memory, a slot
  std::string name;       // "segment 3", "memory of segment 3, 1 segment old": unique
  Index slotColumn = -1;  // of a slot
};
// A time line, one row a segment, cellOf(row, token) says what is drawn. A part is a group of tokens: read by
// the queries of the row's segment. Of `count` segments the first kTimelineRows are given; long rows are
// coarsened, and the caption says both.
[[nodiscard]] InsidePanel segmentTimeline(const std::vector<SegmentSight>& segments, std::size_t count,
                                          const std::function<SegmentCell(Index row, Index token)>& cellOf,
                                          const std::string& caption);
// The row's own segment, or a token of its memory: parts of the memory are as old as the segment they come
// from, and paler the older they are, in three steps.
[[nodiscard]] SegmentCell ownSegmentCell(Index row, Index begin, Index end);
[[nodiscard]] SegmentCell memoryCell(Index row, Index token, Index memoryBegin, Index length);

// Queries [queryBegin, queryEnd) of one segment and the keys [keyBegin, queryEnd) before them.
struct ScoreWindow {
  Index queryBegin = 0;
  Index queryEnd = 0;
  Index keyBegin = 0;
};
// The newest queries and nearest keys of a segment, as many as a picture holds.
[[nodiscard]] ScoreWindow scoreWindow(Index segmentBegin, Index segmentEnd, Index keyBegin);

// The terms of the logit in a window, those that are not 0 everywhere, as a series of maps: (a) to (d), their
// sum, and (b) + (d) before the relative shift; then (c) and (d) as curves. Distances beyond `clamp` count as
// `clamp` (0: no limit).
[[nodiscard]] std::vector<InsidePanel> termPanels(const InsidesRequest& request, const RelativeTerms& terms,
                                                  double scale, const ScoreWindow& window, Index clamp);

}  // namespace attnscope
