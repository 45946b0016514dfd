// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/color_bar_view.h"

#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

constexpr int kHistogram = 22;  // pixels of the longest bin
constexpr int kNarrowHistogram = 12;
constexpr int kHandle = 7;
constexpr int kBins = 40;
constexpr double kGrab = 8.0;   // a handle can be taken from this far
constexpr double kClick = 3.0;  // less than this is no drag
constexpr double kLeast = 1e-12;
constexpr double kMost = 10.0;

}  // namespace

ColorBar::ColorBar(BarContent content, QWidget* parent)
    : QWidget(parent), m_content(content), m_theme(PlotTheme::light()) {
  setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Expanding);
  setFocusPolicy(Qt::TabFocus);
  setMouseTracking(true);
  setAccessibleName(tr("Colour bar"));
  setAccessibleDescription(scaleTitle(m_style.scale, m_content));
  setToolTip(
      tr("How many of the drawn weights have which colour. Drag the ends of the scale; click for other "
         "scales."));
}

PlotMetrics ColorBar::metrics() const {
  return plotMetrics(m_theme, 0.0, 0, 0, false);
}

void ColorBar::setStyleChoices(const ViewStyle& style) {
  m_style = style;
  m_style.scale.diverging = m_style.scale.diverging || m_content == BarContent::Difference;
  setAccessibleDescription(scaleTitle(style.scale, m_content));
  updateGeometry();
  update();
}

void ColorBar::setDrawn(const WeightSummary& drawn) {
  m_drawn = drawn;
  update();
}

void ColorBar::setTheme(const PlotTheme& theme) {
  m_theme = theme;
  updateGeometry();
  update();
}

void ColorBar::setSpan(int top, int height) {
  m_top = top;
  m_height = height;
  update();
}

void ColorBar::setNarrow(bool narrow) {
  if (narrow == m_narrow) return;
  m_narrow = narrow;
  updateGeometry();
  update();
}

int ColorBar::histogramWidth() const {
  return m_narrow ? kNarrowHistogram : kHistogram;
}

BarRoom ColorBar::room() const {
  if (!m_narrow) return {};
  return {false, static_cast<double>(histogramWidth() + kHandle)};
}

QSize ColorBar::sizeHint() const {
  return {histogramWidth() + kHandle + colorBarWidth(metrics(), m_style.scale, room()) + 2, 160};
}

QSize ColorBar::minimumSizeHint() const {
  return {sizeHint().width(), 60};
}

QRectF ColorBar::area() const {
  const PlotMetrics look = metrics();
  const int top = m_height > 0 ? m_top : look.top;
  const int high = m_height > 0 ? m_height : std::max(40, height() - look.top - look.bottom);
  const int left = histogramWidth() + kHandle;
  return {1.0 + left, static_cast<double>(top), width() - 2.0 - left, static_cast<double>(high)};
}

QPointF ColorBar::placeOf(double position) const {
  const QRectF bar = colorBarRect(area(), metrics(), m_content);
  return {bar.left() - 0.5 * kHandle, bar.bottom() - position * bar.height()};
}

bool ColorBar::hasLowHandle() const {
  return m_style.scale.kind == ValueScale::Kind::Log && !m_style.scale.diverging;
}

ColorBar::Handle ColorBar::handleAt(QPointF position) const {
  if (m_style.scale.kind == ValueScale::Kind::RowMax) return Handle::None;
  const auto near = [&](double at) { return std::abs(position.y() - placeOf(at).y()) <= kGrab; };
  if (near(1.0)) return Handle::High;
  if (hasLowHandle() && near(0.0)) return Handle::Low;
  return Handle::None;
}

void ColorBar::paintEvent(QPaintEvent* /*event*/) {
  QPainter painter(this);
  painter.fillRect(rect(), m_theme.background);
  const PlotMetrics look = metrics();
  paintColorBar(painter, area(), m_style, look, m_theme, m_content, room());
  paintHistogram(painter, colorBarRect(area(), look, m_content));
  painter.setRenderHint(QPainter::Antialiasing);
  if (m_style.scale.kind != ValueScale::Kind::RowMax) paintHandle(painter, 1.0);
  if (hasLowHandle()) paintHandle(painter, 0.0);
  if (hasFocus()) {
    painter.setPen(QPen(m_theme.accent, 1.0));
    painter.setBrush(Qt::NoBrush);
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4.0, 4.0);
  }
}

void ColorBar::paintHistogram(QPainter& painter, const QRectF& bar) const {
  if (m_drawn.isEmpty() || m_style.scale.kind == ValueScale::Kind::RowMax) return;
  const std::vector<double> heights = m_drawn.histogram(m_style.scale, kBins);
  const double most = *std::max_element(heights.begin(), heights.end());
  QColor fill = m_theme.secondaryText;
  fill.setAlpha(110);
  const double step = bar.height() / kBins;
  for (int i = 0; i < kBins; ++i) {
    const double count = heights[static_cast<std::size_t>(i)];
    if (count <= 0.0) continue;
    // The root shows the few large weights beside the many small ones; a single one is a pixel long.
    const double length = std::max(1.0, histogramWidth() * std::sqrt(count / most));
    painter.fillRect(QRectF(bar.left() - kHandle - 1.0 - length, bar.bottom() - (i + 1) * step, length, step),
                     fill);
  }
}

void ColorBar::paintHandle(QPainter& painter, double position) const {
  const QPointF at = placeOf(position) + QPointF(0.5 * kHandle - 1.0, 0.0);
  QPainterPath triangle(at);
  triangle.lineTo(at + QPointF(-kHandle, -0.55 * kHandle));
  triangle.lineTo(at + QPointF(-kHandle, 0.55 * kHandle));
  triangle.closeSubpath();
  painter.fillPath(triangle, m_dragged == Handle::None ? m_theme.secondaryText : m_theme.accent);
}

void ColorBar::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return event->ignore();
  m_pressed = event->position();
  m_moved = false;
  m_dragged = handleAt(m_pressed);
  m_dragScale = m_style.scale;
}

void ColorBar::mouseMoveEvent(QMouseEvent* event) {
  if (!event->buttons().testFlag(Qt::LeftButton)) {
    setCursor(handleAt(event->position()) == Handle::None ? Qt::PointingHandCursor : Qt::SizeVerCursor);
    return;
  }
  if (m_dragged == Handle::None || (!m_moved && std::abs(event->position().y() - m_pressed.y()) < kClick))
    return;
  dragTo(event->position().y());
}

void ColorBar::dragTo(double y) {
  // On the scale as it was: while it changes under the cursor, the same place would mean another value.
  const QRectF bar = colorBarRect(area(), metrics(), m_content);
  double position = (bar.bottom() - y) / std::max(1.0, bar.height());
  if (m_dragScale.diverging) position = 2.0 * position - 1.0;
  const ValueScale& from = m_dragScale;
  double value = position * from.high;
  if (from.kind == ValueScale::Kind::Log)
    value = from.diverging ? from.low * std::expm1(position * std::log1p(from.high / from.low))
                           : from.low * std::pow(from.high / from.low, position);
  double low = from.low;
  double high = from.high;
  if (m_dragged == Handle::High) {
    high = std::clamp(value, kLeast * 10.0, kMost);
    low = std::min(low, high / 10.0);
  } else {
    low = std::clamp(value, kLeast, high / 10.0);
  }
  const bool first = !std::exchange(m_moved, true);
  Q_EMIT scaleDragged(low, high, first);
}

void ColorBar::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  m_dragged = Handle::None;
  update();
  if (!m_moved && rect().contains(event->pos())) Q_EMIT menuAsked(event->globalPosition().toPoint());
}

void ColorBar::contextMenuEvent(QContextMenuEvent* event) {
  Q_EMIT menuAsked(event->globalPos());
}

void ColorBar::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Space)
    Q_EMIT menuAsked(mapToGlobal(rect().center()));
  else
    QWidget::keyPressEvent(event);
}

}  // namespace attnscope
