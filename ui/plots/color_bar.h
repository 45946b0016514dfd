// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
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

// The bar, its ticks and its title in `area`, and below it the colour of pairs that are not read. The bar
// itself is as high as `area` less that swatch. Differences are always drawn in the diverging map.
void paintColorBar(QPainter& painter, const QRectF& area, const ViewStyle& style, const PlotMetrics& metrics,
                   const PlotTheme& theme, BarContent content = BarContent::Weight);
[[nodiscard]] int colorBarWidth(const PlotMetrics& metrics, const ValueScale& scale);

// The colour bar of one row of the wall.
class ColorBar final : public QWidget {
  Q_OBJECT

 public:
  explicit ColorBar(BarContent content, QWidget* parent = nullptr);
  void setStyleChoices(const ViewStyle& style);
  void setTheme(const PlotTheme& theme);
  // The rows of pixels that the squares beside it take: the bar stands exactly beside them. (0, 0): all of
  // the widget.
  void setSpan(int top, int height);
  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  [[nodiscard]] PlotMetrics metrics() const;
  BarContent m_content;
  ViewStyle m_style;
  PlotTheme m_theme;
  int m_top = 0;
  int m_height = 0;
};

}  // namespace attnscope
