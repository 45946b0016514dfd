// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <QString>
#include <vector>

#include "ui/plots/plot_metrics.h"
#include "ui/plots/view_style.h"

class QPainter;

namespace attnscope {

struct ColorBarTick {
  double position = 0.0;  // 0 bottom, 1 top
  QString text;
};
// What a scale can be read by: decades where it is logarithmic, quarters where it is linear. The lowest tick
// of a logarithmic scale says that everything below it has its colour ("≤ 10⁻⁴").
[[nodiscard]] std::vector<ColorBarTick> colorBarTicks(const ValueScale& scale);
// What the colours stand for: weights, or how much they are above or below those of a baseline.
enum class BarContent { Weight, Difference };
// "weight, log scale"
[[nodiscard]] QString scaleTitle(const ValueScale& scale, BarContent content = BarContent::Weight);

// Where width is dear a bar stands without its title, and the swatch below it begins `lead` further left, in
// room that is free there.
struct BarRoom {
  bool title = true;
  double lead = 0.0;
};

// The bar, its ticks and its title in `area`, and below it the colour of pairs that are not read. The bar
// itself is as high as `area` less that swatch. Differences are always drawn in the diverging map.
void paintColorBar(QPainter& painter, const QRectF& area, const ViewStyle& style, const PlotMetrics& metrics,
                   const PlotTheme& theme, BarContent content = BarContent::Weight, BarRoom room = {});
// The bar alone.
[[nodiscard]] QRectF colorBarRect(const QRectF& area, const PlotMetrics& metrics, BarContent content);
[[nodiscard]] int colorBarWidth(const PlotMetrics& metrics, const ValueScale& scale, BarRoom room = {});

}  // namespace attnscope
