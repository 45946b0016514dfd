// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/group_bands.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

namespace attnscope {

std::vector<PixelRun> bandRuns(const TokenRanges& ranges, double begin, double extent, int pixels) {
  std::vector<PixelRun> runs;
  if (ranges.empty() || !(extent > 0.0)) return runs;
  const double cells = extent / pixels;  // a pixel stands for
  for (int pixel = 0; pixel < pixels; ++pixel) {
    const double from = begin + pixel * cells;
    // Large cells are told apart by the middle of the pixel, small ones are all asked.
    const auto first = static_cast<Index>(std::floor(cells < 1.0 ? from + 0.5 * cells : from));
    const Index past = cells < 1.0 ? first + 1 : static_cast<Index>(std::ceil(from + cells));
    if (!meets(ranges, first, past)) continue;
    if (!runs.empty() && runs.back().begin + runs.back().length == pixel)
      ++runs.back().length;
    else
      runs.push_back({pixel, 1});
  }
  return runs;
}

TokenRanges inPlaces(const TokenRanges& tokens, const std::vector<std::int32_t>& places) {
  if (places.empty()) return tokens;
  std::vector<std::int32_t> moved;
  for (const TokenRange& range : tokens)
    for (Index token = range.begin; token < std::min<Index>(range.end, std::ssize(places)); ++token)
      moved.push_back(places[static_cast<std::size_t>(token)]);
  return rangesOf(std::move(moved));
}

void paintBands(QPainter& painter, const std::vector<PixelRun>& runs, const QRectF& area, BandSide side,
                double thick, const QColor& color) {
  QColor tint = color;
  tint.setAlphaF(0.16F);
  for (const PixelRun& run : runs) {
    if (side == BandSide::Rows) {
      painter.fillRect(QRectF(area.left() - thick - 1.0, area.top() + run.begin, thick, run.length), color);
      painter.fillRect(QRectF(area.left(), area.top() + run.begin, area.width(), run.length), tint);
    } else {
      painter.fillRect(QRectF(area.left() + run.begin, area.top() - thick - 1.0, run.length, thick), color);
      painter.fillRect(QRectF(area.left() + run.begin, area.top(), run.length, area.height()), tint);
    }
  }
}

}  // namespace attnscope
