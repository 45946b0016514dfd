// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "core/raster/weight_summary.h"
#include "ui/plots/color_bar.h"

namespace attnscope {

// The colour bar of one row of the wall: beside it, how many of the drawn weights have which colour; handles
// at the ends of the scale to drag; a click or the context menu key asks for the menu of scales.
class ColorBar final : public QWidget {
  Q_OBJECT

 public:
  explicit ColorBar(BarContent content, QWidget* parent = nullptr);
  // The scale as it is drawn: its ends already fitted.
  void setStyleChoices(const ViewStyle& style);
  void setDrawn(const WeightSummary& drawn);
  void setTheme(const PlotTheme& theme);
  // The rows of pixels that the squares beside it take: the bar stands exactly beside them. (0, 0): all of
  // the widget.
  void setSpan(int top, int height);
  // Narrow: shorter bars of the histogram and no title, which the accessible description still says.
  void setNarrow(bool narrow);
  // Where a value of the scale stands, in this widget's coordinates.
  [[nodiscard]] QPointF placeOf(double position) const;
  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void scaleDragged(double low, double high, bool first);  // `first`: a new gesture begins
  void menuAsked(QPoint globalPosition);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  enum class Handle { None, Low, High };
  [[nodiscard]] PlotMetrics metrics() const;
  [[nodiscard]] QRectF area() const;  // what paintColorBar() gets
  [[nodiscard]] BarRoom room() const;
  [[nodiscard]] int histogramWidth() const;
  [[nodiscard]] Handle handleAt(QPointF position) const;
  [[nodiscard]] bool hasLowHandle() const;
  void paintHistogram(QPainter& painter, const QRectF& bar) const;
  void paintHandle(QPainter& painter, double position) const;
  void dragTo(double y);

  BarContent m_content;
  ViewStyle m_style;
  WeightSummary m_drawn;
  PlotTheme m_theme;
  bool m_narrow = false;
  int m_top = 0;
  int m_height = 0;
  Handle m_dragged = Handle::None;
  bool m_moved = false;
  ValueScale m_dragScale;  // as it was when the drag began
  QPointF m_pressed;
};

}  // namespace attnscope
