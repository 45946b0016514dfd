// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFontMetricsF>
#include <QString>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace attnscope {

struct AxisTick {
  double position = 0.0;  // in cells; the middle of the cell
  QString text;
};

// Ticks of an axis of cells [0, count) that shows [begin, begin + extent) on `pixels`: whole indices at round
// steps, at least `minPixels` apart, with the first and the last index where everything is shown. Where a
// cell is wide enough for a line of text and `texts` are given, the tokens themselves, elided to `maxWidth`.
[[nodiscard]] std::vector<AxisTick> cellTicks(double begin, double extent, Index count, double pixels,
                                              double minPixels);
[[nodiscard]] std::vector<AxisTick> tokenTicks(double begin, double extent,
                                               const std::vector<std::string>& texts,
                                               const QFontMetricsF& metrics, double maxWidth);

// True where a cell is high enough to be named by its token.
[[nodiscard]] bool fitsTokens(double extent, double pixels, double lineHeight);

// Writes the indices of ticks in five or six letters: "262k", "1.05M" where they are far enough apart for
// these to differ, else their last digits, "…2144". Ticks below 100,000 stay as they are.
void shorten(std::vector<AxisTick>& ticks);

// "10⁻⁴"
[[nodiscard]] QString powerOfTen(int exponent);

}  // namespace attnscope
