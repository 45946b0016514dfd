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
// A time line, one row a segment: groupOf(row, token) colours the cell (-1: out of sight). Of `count`
// segments the first kTimelineRows are given; long rows are coarsened, and the caption says both.
[[nodiscard]] InsidePanel segmentTimeline(const std::vector<SegmentSight>& segments, std::size_t count,
                                          const std::function<int(Index row, Index token)>& groupOf,
                                          const std::string& caption);

// Queries [queryBegin, queryEnd) of one segment and the keys [keyBegin, queryEnd) before them.
struct ScoreWindow {
  Index queryBegin = 0;
  Index queryEnd = 0;
  Index keyBegin = 0;
};
// The newest queries and nearest keys of a segment, as many as a picture holds.
[[nodiscard]] ScoreWindow scoreWindow(Index segmentBegin, Index segmentEnd, Index keyBegin);

// The terms of the logit in a window, those that are not 0 everywhere: (a) and (b) as maps, (b) + (d) before
// the relative shift, (c) and (d) as curves. Distances beyond `clamp` count as `clamp` (0: no limit).
[[nodiscard]] std::vector<InsidePanel> termPanels(const InsidesRequest& request, const RelativeTerms& terms,
                                                  double scale, const ScoreWindow& window, Index clamp);

}  // namespace attnscope
