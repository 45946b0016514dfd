// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/marked_slider.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/plots/view_style.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kSteps = 1000;
constexpr double kHandle = 6.0;

}  // namespace

MarkedSlider::MarkedSlider(QWidget* parent) : QSlider(Qt::Horizontal, parent) {
  setRange(0, kSteps);
  setFocusPolicy(Qt::StrongFocus);
  connect(this, &QSlider::actionTriggered, this, [this](int) {
    const double before = valueAt(value() / double(maximum()));
    double after = valueAt(sliderPosition() / double(maximum()));
    if (m_whole && after != before && std::round(after) == std::round(before))
      after = std::round(before) + (after > before ? 1 : -1);  // one key press is at least one unit
    Q_EMIT valueMoved(std::clamp(after, m_low, m_high));
  });
}

void MarkedSlider::setValueRange(double low, double high, bool whole) {
  m_low = low;
  m_high = std::max(low, high);
  m_whole = whole;
  const double span = m_high - m_low;
  const QSignalBlocker blocker(this);
  const bool fine = whole && span > 0 && span <= kSteps && !(m_low > 0 && m_high / m_low > 100);
  setRange(0, fine ? static_cast<int>(span) : kSteps);
  setPageStep(std::max(1, maximum() / 10));
  setSingleStep(std::max(1, fine ? 1 : maximum() / 100));
  setEnabled(span > 0);
  update();
}

void MarkedSlider::setPaperValue(std::optional<double> value, const QString& text) {
  m_paper = value;
  if (value) setToolTip(text);
  update();
}

void MarkedSlider::showValue(double value) {
  const QSignalBlocker blocker(this);
  setValue(static_cast<int>(std::lround(positionOf(value) * maximum())));
  update();
}

double MarkedSlider::valueAtHandle() const {
  return valueAt(value() / double(std::max(1, maximum())));
}

double MarkedSlider::valueAt(double position) const {
  if (m_low > 0 && m_high / m_low > 100) return m_low * std::pow(m_high / m_low, position);
  return m_low + (m_high - m_low) * position;
}

double MarkedSlider::positionOf(double value) const {
  if (m_high <= m_low) return 0.0;
  const double clipped = std::clamp(value, m_low, m_high);
  if (m_low > 0 && m_high / m_low > 100) return std::log(clipped / m_low) / std::log(m_high / m_low);
  return (clipped - m_low) / (m_high - m_low);
}

QRectF MarkedSlider::groove() const {
  return QRectF(kHandle + 1, height() / 2.0 - 1.5, std::max(1.0, width() - 2 * kHandle - 2), 3.0);
}

void MarkedSlider::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return QSlider::mousePressEvent(event);
  setSliderDown(true);
  mouseMoveEvent(event);
}

void MarkedSlider::mouseMoveEvent(QMouseEvent* event) {
  if (!isSliderDown()) return QSlider::mouseMoveEvent(event);
  const QRectF line = groove();
  const double position = std::clamp((event->position().x() - line.left()) / line.width(), 0.0, 1.0);
  {
    const QSignalBlocker blocker(this);
    setValue(static_cast<int>(std::lround(position * maximum())));
  }
  update();
  Q_EMIT valueMoved(valueAt(position));
}

void MarkedSlider::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && isSliderDown()) setSliderDown(false);
}

void MarkedSlider::paintPaperMark(QPainter& painter, const QRectF& line) const {
  const double middle = height() / 2.0;
  painter.setPen(Qt::NoPen);
  painter.setBrush(columnColor(1));
  if (*m_paper >= m_low && *m_paper <= m_high) {
    painter.drawRect(
        QRectF(line.left() + line.width() * positionOf(*m_paper) - 1.0, middle - 7.5, 2.0, 15.0));
    return;
  }
  // Beyond what this input allows: an arrow at that end.
  const double tip = *m_paper > m_high ? width() - 0.5 : 0.5;
  const double base = *m_paper > m_high ? tip - 5.0 : tip + 5.0;
  painter.drawPolygon(QPolygonF{{tip, middle}, {base, middle - 4.5}, {base, middle + 4.5}});
}

void MarkedSlider::paintEvent(QPaintEvent*) {
  const Chrome chrome = Chrome::of(palette());
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF line = groove();
  const double x = line.left() + line.width() * value() / double(std::max(1, maximum()));
  painter.setPen(Qt::NoPen);
  painter.setBrush(chrome.border);
  painter.drawRoundedRect(line, 1.5, 1.5);
  if (isEnabled()) {
    painter.setBrush(chrome.accent);
    painter.drawRoundedRect(QRectF(line.topLeft(), QPointF(x, line.bottom())), 1.5, 1.5);
  }
  if (m_paper) paintPaperMark(painter, line);
  painter.setBrush(chrome.field);
  painter.setPen(QPen(isEnabled() ? chrome.accent : chrome.border, 2.0));
  painter.drawEllipse(QPointF(x, height() / 2.0), kHandle - 1, kHandle - 1);
  if (hasFocus()) {
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(chrome.accent, 1.0, Qt::DotLine));
    painter.drawEllipse(QPointF(x, height() / 2.0), kHandle + 1.5, kHandle + 1.5);
  }
}

}  // namespace attnscope
