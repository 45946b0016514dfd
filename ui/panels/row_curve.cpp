// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/row_curve.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/plots/view_style.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

// At most two points a pixel: the extremes of the places that fall into it.
QPolygonF polyline(const std::vector<float>& curve, const QRectF& area, double low, double high) {
  QPolygonF points;
  const auto places = static_cast<double>(curve.size());
  const auto y = [&](double w) {
    return area.bottom() - area.height() * (w - low) / std::max(1e-30, high - low);
  };
  const auto buckets = static_cast<std::size_t>(std::min(places, area.width()));
  for (std::size_t b = 0; b < buckets; ++b) {
    const std::size_t from = b * curve.size() / buckets;
    const std::size_t to = std::max(from + 1, (b + 1) * curve.size() / buckets);
    const auto [least, most] = std::minmax_element(curve.begin() + static_cast<std::ptrdiff_t>(from),
                                                   curve.begin() + static_cast<std::ptrdiff_t>(to));
    const double x =
        area.left() + area.width() * (static_cast<double>(b) + 0.5) / static_cast<double>(buckets);
    points << QPointF(x, y(std::abs(*least) > std::abs(*most) ? *least : *most));
  }
  return points;
}

}  // namespace

RowCurve::RowCurve(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  setAccessibleName(tr("Weights of the query over all keys"));
}

void RowCurve::setReading(const RowReading& reading) {
  m_reading = reading;
  setAccessibleName(reading.alongQueries ? tr("Weights of the key in all queries")
                                         : tr("Weights of the query over all keys"));
  update();
}

QRectF RowCurve::plotRect() const {
  const int line = QFontMetrics(smallFont()).height();
  return QRectF(rect()).adjusted(1.5, line + 3.5, -1.5, -line - 3.5);
}

Index RowCurve::placeCount() const {
  for (const ColumnReading& column : m_reading.columns)
    if (const Curve& curve = curveOf(column)) return static_cast<Index>(curve->size());
  return 0;
}

void RowCurve::mouseMoveEvent(QMouseEvent* event) {
  const QRectF area = plotRect();
  const Index places = placeCount();
  if (places == 0) return;
  const double share = std::clamp((event->position().x() - area.left()) / area.width(), 0.0, 1.0);
  Q_EMIT placeHovered(std::min(places - 1, static_cast<Index>(share * static_cast<double>(places))));
}

void RowCurve::paintEvent(QPaintEvent*) {
  const Chrome chrome = Chrome::of(palette());
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF area = plotRect();
  painter.setPen(QPen(chrome.border, 1.0));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(area);
  const Index places = placeCount();
  if (places == 0) {
    painter.setFont(smallFont());
    painter.setPen(chrome.secondary);
    painter.drawText(area.adjusted(8, 0, -8, 0), Qt::AlignCenter | Qt::TextWordWrap,
                     tr("No weights: no map is computed."));
    return;
  }
  double low = 0.0;
  double high = 0.0;
  for (const ColumnReading& column : m_reading.columns) {
    const Curve& curve = curveOf(column);
    if (!curve) continue;
    const auto [least, most] = std::minmax_element(curve->begin(), curve->end());
    low = std::min<double>(low, *least);
    high = std::max<double>(high, *most);
  }
  painter.setFont(smallFont());
  painter.setPen(chrome.secondary);
  const QRectF lower(area.left(), area.bottom() + 2, area.width(), area.height());
  painter.drawText(QRectF(0, 0, width(), area.top() - 2), Qt::AlignLeft | Qt::AlignVCenter,
                   QString::number(high, 'g', 2));
  painter.drawText(lower, Qt::AlignLeft | Qt::AlignTop, QStringLiteral("0"));
  painter.drawText(lower, Qt::AlignRight | Qt::AlignTop, QString::number(places - 1));
  painter.drawText(lower, Qt::AlignHCenter | Qt::AlignTop, m_reading.alongQueries ? tr("query") : tr("key"));
  if (const Index marked = m_reading.alongQueries ? m_reading.query : m_reading.key; marked >= 0) {
    const double x =
        area.left() + area.width() * (static_cast<double>(marked) + 0.5) / static_cast<double>(places);
    painter.setPen(QPen(chrome.text, 1.0, Qt::DashLine));
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
  }
  for (int i = static_cast<int>(m_reading.columns.size()) - 1; i >= 0; --i) {
    const Curve& curve = curveOf(m_reading.columns[static_cast<std::size_t>(i)]);
    if (!curve) continue;
    const QPolygonF line = polyline(*curve, area.adjusted(0, 3, 0, -1), low, high);
    if (line.size() == 1) {
      painter.setPen(Qt::NoPen);
      painter.setBrush(columnColor(i));
      painter.drawEllipse(line.front(), 2.5, 2.5);
      continue;
    }
    painter.setPen(QPen(columnColor(i), 1.4));
    painter.drawPolyline(line);
  }
}

}  // namespace attnscope
