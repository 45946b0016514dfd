// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <vector>

#include "core/raster/coverage.h"
#include "ui/plots/view_style.h"

namespace attnscope {

// The cheap second stage: numbers become colours. One image pixel a number; a number that is not finite gets
// a colour of its own that no map contains.

// Cells that are not read show `unread`; a pixel that is read in part is never invisible. Labels have the
// colours of categories, or those of `labelColors`.
[[nodiscard]] QImage coverageImage(const Coverage& coverage, QColor unread,
                                   const std::vector<QColor>& labelColors = {});

// float32 (rows, cols). An exact 0 is a pair that takes no part and shows `unread`.
[[nodiscard]] QImage weightImage(const Tensor& weights, const ViewStyle& style, QColor unread);

// float32 (rows, cols), positive where there is more than in the baseline. 0 is the middle of the map: no
// difference.
[[nodiscard]] QImage differenceImage(const Tensor& differences, const ViewStyle& style);

// Colour of category `index`, e.g. of a pattern's label.
[[nodiscard]] QColor categoryQColor(std::size_t index);

// Draws the part of `image`, which covers the rectangle `cells`, that lies in `viewport` (both in cells) onto
// `target`. Cells stay sharp at every magnification. For vector devices: `enlarge` repeats the cells of a
// small image until it has about this many pixels a side, since viewers smooth small pictures.
void drawCells(class QPainter& painter, const QImage& image, const QRectF& cells, const QRectF& viewport,
               const QRectF& target, int enlarge = 0);

}  // namespace attnscope
