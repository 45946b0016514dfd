// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/qcp_support.h"

#include <qcustomplot.h>

#include <algorithm>

namespace attnscope {

namespace {

class PaintedLayerable final : public QCPLayerable {
 public:
  PaintedLayerable(QCustomPlot& plot, const QString& layer, std::function<void(QPainter&)> paint)
      : QCPLayerable(&plot, layer), m_paint(std::move(paint)) {}

 protected:
  void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }
  void draw(QCPPainter* painter) override { m_paint(*painter); }

 private:
  std::function<void(QPainter&)> m_paint;
};

// Shares of the plot's size; a quarter of a pixel is added since the layout cuts fractions off.
QRectF inset(const QRect& place, QSize size) {
  return {(place.x() + 0.25) / size.width(), (place.y() + 0.25) / size.height(),
          (place.width() + 0.25) / size.width(), (place.height() + 0.25) / size.height()};
}

}  // namespace

QCustomPlot* makeBarePlot(QWidget* parent) {
  auto* plot = new QCustomPlot(parent);
  plot->setObjectName(QStringLiteral("plot"));
  plot->setInteractions(QCP::iNone);
  plot->setNoAntialiasingOnDrag(false);
  plot->setAttribute(Qt::WA_TransparentForMouseEvents);
  plot->setFocusPolicy(Qt::NoFocus);
  plot->plotLayout()->setMargins(QMargins());
  return plot;
}

void retirePlot(QCustomPlot* plot, std::shared_ptr<void> kept) {
  if (plot == nullptr) return;
  QObject::connect(plot, &QObject::destroyed, [kept = std::move(kept)] {});
  plot->hide();
  plot->deleteLater();
}

std::vector<QCPAxisRect*> placeAxisRects(QCustomPlot& plot, QSize size, const std::vector<QRect>& places) {
  plot.plotLayout()->clear();
  auto* layout = new QCPLayoutInset;
  layout->setMargins(QMargins());
  plot.plotLayout()->addElement(0, 0, layout);
  std::vector<QCPAxisRect*> rects;
  for (const QRect& place : places) {
    auto* rect = new QCPAxisRect(&plot, true);
    rect->setAutoMargins(QCP::msNone);
    rect->setMargins(QMargins());
    rect->setMinimumSize(1, 1);
    layout->addElement(rect, inset(place, size));
    rects.push_back(rect);
  }
  return rects;
}

void moveAxisRects(QCustomPlot& plot, QSize size, const std::vector<QRect>& places) {
  auto* layout = qobject_cast<QCPLayoutInset*>(plot.plotLayout()->element(0, 0));
  if (!layout) return;
  for (int i = 0; i < layout->elementCount() && i < static_cast<int>(places.size()); ++i)
    layout->setInsetRect(i, inset(places[static_cast<std::size_t>(i)], size));
}

void addPainted(QCustomPlot& plot, const QString& layer, std::function<void(QPainter&)> paint) {
  new PaintedLayerable(plot, layer, std::move(paint));  // owned by the plot
}

void replotOverlay(QCustomPlot& plot) {
  QCPLayer* layer = plot.layer(QStringLiteral("overlay"));
  if (plot.replotTime() > 0.0 && layer)
    layer->replot();
  else
    plot.replot(QCustomPlot::rpQueuedReplot);  // a layer has no buffer before the first replot
}

void styleAxes(QCPAxisRect& rect, const PlotMetrics& metrics, const PlotTheme& theme) {
  rect.setupFullAxesBox(false);
  for (QCPAxis* axis : rect.axes()) {
    axis->grid()->setVisible(false);
    axis->setBasePen(Qt::NoPen);
    // Flat: the default cap would reach half a line into the outermost cells.
    axis->setTickPen(QPen(theme.frame, metrics.line, Qt::SolidLine, Qt::FlatCap));
    axis->setSubTicks(false);
    axis->setTickLengthIn(0);
    axis->setTickLengthOut(std::max(2, metrics.gap / 2 + 1));
    axis->setTickLabelFont(metrics.font);
    axis->setTickLabelColor(theme.secondaryText);
    axis->setTickLabelPadding(std::max(1, metrics.gap / 2));
    axis->setLabelFont(metrics.font);
    axis->setLabelColor(theme.text);
    axis->setLabelPadding(metrics.gap / 2);
    const bool outside = axis->axisType() == QCPAxis::atTop || axis->axisType() == QCPAxis::atRight;
    axis->setVisible(!outside);
  }
}

void setTicks(QCPAxis& axis, const std::vector<AxisTick>& ticks) {
  auto ticker = qSharedPointerDynamicCast<QCPAxisTickerText>(axis.ticker());
  if (!ticker) {
    ticker = QSharedPointer<QCPAxisTickerText>::create();
    ticker->setSubTickCount(0);
    axis.setTicker(ticker);
  }
  QMap<double, QString> map;
  for (const AxisTick& tick : ticks) map.insert(tick.position, tick.text);
  ticker->setTicks(map);
}

void paintFrame(QPainter& painter, const QRectF& rect, const QColor& color, double line) {
  const QRectF outer = rect.adjusted(-line, -line, line, line);
  painter.fillRect(QRectF(outer.left(), outer.top(), outer.width(), line), color);
  painter.fillRect(QRectF(outer.left(), outer.bottom() - line, outer.width(), line), color);
  painter.fillRect(QRectF(outer.left(), rect.top(), line, rect.height()), color);
  painter.fillRect(QRectF(rect.right(), rect.top(), line, rect.height()), color);
}

void paintPlot(QPainter& painter, QCustomPlot& plot, QPoint at, QSize size) {
  auto* qcp = static_cast<QCPPainter*>(&painter);
  qcp->save();
  qcp->translate(at);
  plot.toPainter(qcp, size.width(), size.height());
  qcp->restore();
}

}  // namespace attnscope
