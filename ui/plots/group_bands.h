// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QRectF>
#include <cstdint>
#include <vector>

#include "core/plan/token_group.h"

class QPainter;

namespace attnscope {

// Where the tokens of a group stand along an axis that shows cells [begin, begin + extent) on `pixels`:
// runs of whole pixels. A pixel that several cells share counts if one of them belongs to the group, so that
// a single token of a million leaves a mark.
struct PixelRun {
  int begin = 0;
  int length = 0;
  friend bool operator==(const PixelRun&, const PixelRun&) = default;
};
[[nodiscard]] std::vector<PixelRun> bandRuns(const TokenRanges& ranges, double begin, double extent,
                                             int pixels);

// The places of tokens that stand in another order; empty `places`: the text's own.
[[nodiscard]] TokenRanges inPlaces(const TokenRanges& tokens, const std::vector<std::int32_t>& places);

// Marks rows beside the left edge of `area` or columns above its upper edge by bars of `thick`, outside of
// the data, and tints them so faintly that their colours can still be read.
enum class BandSide { Rows, Columns };
void paintBands(QPainter& painter, const std::vector<PixelRun>& runs, const QRectF& area, BandSide side,
                double thick, const QColor& color);

}  // namespace attnscope
