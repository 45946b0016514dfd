// SPDX-License-Identifier: GPL-3.0-or-later

// What InsidePlot paints itself: cells, points, headings, captions, marks; and where tokens are.
#include <qcustomplot.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ui/plots/cell_image.h"
#include "ui/plots/inside_plot.h"
#include "ui/plots/legend.h"
#include "ui/plots/qcp_support.h"

namespace attnscope {

QPointF InsidePlot::toPixel(double x, double y) const {
  return {m_rect->axis(QCPAxis::atBottom)->coordToPixel(x), m_rect->axis(QCPAxis::atLeft)->coordToPixel(y)};
}

QRectF InsidePlot::stripRect(Index row) const {
  const double high = static_cast<double>(m_area.height()) / static_cast<double>(m_panel.stripGroup.dim(0));
  double space = std::min(0.18 * high, 2.0 * m_metrics.gap);  // between strips
  double top = m_area.top() + static_cast<double>(row) * high + 0.5 * space;
  if (m_panel.stripsMove) {
    // Pairs of strips: the room between the two is for the lines of what moves.
    space = 0.5 * high;
    top = m_area.top() + static_cast<double>(row) * high + (row % 2 == 0 ? 0.1 : 0.4) * high;
  }
  return {static_cast<double>(m_area.left()), top, static_cast<double>(m_area.width()), high - space};
}

QRectF InsidePlot::stripCell(Index row, Index cell) const {
  const QRectF strip = stripRect(row);
  const double wide = strip.width() / static_cast<double>(m_panel.stripGroup.dim(1));
  return {strip.left() + static_cast<double>(cell) * wide, strip.top(), wide, strip.height()};
}

double InsidePlot::textLeft(double wanted) const {
  const double end = m_size.width() - 1.0;
  return std::max(static_cast<double>(m_metrics.gap), std::min<double>(m_metrics.left, end - wanted));
}

double InsidePlot::captionWish() const {
  return 14.0 * m_metrics.em;
}

QRect InsidePlot::captionRect() const {
  const int titles = m_panel.xTitle.empty() ? 0 : m_metrics.em + m_metrics.gap;
  const int top = m_area.bottom() + 1 + m_metrics.em + 2 * m_metrics.gap + titles;
  const int left = static_cast<int>(textLeft(captionWish()));
  return {left, top, m_size.width() - left - 1, std::max(0, m_size.height() - top)};
}

namespace {

void paintPoints(QPainter& painter, const Tensor& points, const std::vector<std::int32_t>& group,
                 double radius, const std::function<QPointF(double, double)>& toPixel) {
  if (points.rank() != 2) return;
  const auto values = points.values<float>();
  painter.setRenderHint(QPainter::Antialiasing, true);
  painter.setPen(Qt::NoPen);
  for (std::size_t p = 0; 2 * p + 1 < values.size(); ++p) {
    const std::int32_t g = p < group.size() ? group[p] : 0;
    painter.setBrush(g < 0 ? QColor(Qt::gray) : categoryQColor(static_cast<std::size_t>(g)));
    const QPointF at = toPixel(static_cast<double>(values[2 * p]), static_cast<double>(values[2 * p + 1]));
    painter.drawEllipse(at, radius, radius);
  }
}

}  // namespace

void InsidePlot::paintData(QPainter& painter) const {
  if (!m_rect) return;
  painter.fillRect(m_area, m_theme.plotBackground);
  const QRectF whole(QPointF(), QSizeF(m_image.size()));
  switch (m_panel.kind) {
    case InsidePanel::Kind::Matrix:
      drawCells(painter, m_image, whole, whole, m_area, m_metrics.enlarge);
      return;
    case InsidePanel::Kind::Strips: {
      if (m_panel.stripGroup.rank() != 2 || m_image.isNull()) return;
      painter.fillRect(m_area, m_theme.background);
      if (m_panel.stripsMove) paintMoves(painter);
      for (Index row = 0; row < m_panel.stripGroup.dim(0); ++row) {
        const QRectF one(0.0, static_cast<double>(row), whole.width(), 1.0);
        drawCells(painter, m_image, whole, one, stripRect(row), m_metrics.enlarge);
        if (static_cast<std::size_t>(row) >= m_panel.stripBorders.size()) continue;
        for (const Index border : m_panel.stripBorders[static_cast<std::size_t>(row)]) {
          const QRectF cell = stripCell(row, border);
          painter.fillRect(
              QRectF(cell.left() - m_metrics.line, cell.top(), 2.0 * m_metrics.line, cell.height()),
              m_theme.background);
        }
      }
      return;
    }
    case InsidePanel::Kind::Scatter: {
      painter.save();
      painter.setRenderHint(QPainter::Antialiasing, true);
      const auto toPixels = [this](double x, double y) { return toPixel(x, y); };
      if (m_panel.anchorsAreRays && m_panel.anchors.rank() == 2) {
        painter.setPen(QPen(m_theme.secondaryText, m_metrics.line));
        painter.setClipRect(m_area);
        const auto rays = m_panel.anchors.values<float>();
        for (std::size_t a = 0; 2 * a + 1 < rays.size(); ++a) {
          // To the border of the plot: only the direction has a meaning.
          const double x = static_cast<double>(rays[2 * a]);
          const double y = static_cast<double>(rays[2 * a + 1]);
          const double length = std::hypot(x, y);
          const double reach = m_rect->axis(QCPAxis::atLeft)->range().size();
          if (length > 0.0)
            painter.drawLine(toPixel(0, 0), toPixel(0.45 * reach * x / length, 0.45 * reach * y / length));
        }
      }
      paintEdges(painter);
      const auto count = m_panel.points.rank() == 2 ? m_panel.points.dim(0) : 0;
      paintPoints(painter, m_panel.points, m_panel.group, (count > 2000 ? 0.12 : 0.2) * m_metrics.em,
                  toPixels);
      painter.restore();
      return;
    }
    default:
      return;
  }
}

void InsidePlot::paintEdges(QPainter& painter) const {
  if (m_panel.points.rank() != 2) return;
  const auto values = m_panel.points.values<float>();
  const auto pixel = [&](std::int32_t p) {
    const auto at = static_cast<std::size_t>(2 * p);
    return toPixel(static_cast<double>(values[at]), static_cast<double>(values[at + 1]));
  };
  for (const InsidePanel::Edge& edge : m_panel.edges) {
    if (std::min(edge.from, edge.to) < 0 || std::max(edge.from, edge.to) >= m_panel.points.dim(0)) continue;
    QColor color =
        edge.category < 0 ? m_theme.frame : categoryQColor(static_cast<std::size_t>(edge.category));
    color.setAlphaF(0.6F);
    painter.setPen(QPen(color, m_metrics.line));
    painter.drawLine(pixel(edge.from), pixel(edge.to));
  }
}

// Above the columns and to the right of the rows, both on one scale: at 1 a doubly stochastic matrix is even.
void InsidePlot::paintSums(QPainter& painter) const {
  double most = 0.0;
  for (const std::vector<double>* sums : {&m_panel.rowSums, &m_panel.columnSums})
    for (const double sum : *sums) most = std::max(most, sum);
  if (!(most > 0.0)) return;
  const double room = 2.0 * m_metrics.em - m_metrics.gap;
  const QRectF area(m_area);
  const double wide = area.width() / static_cast<double>(std::max<std::size_t>(1, m_panel.columnSums.size()));
  const double high = area.height() / static_cast<double>(std::max<std::size_t>(1, m_panel.rowSums.size()));
  QColor fill = m_theme.secondaryText;
  fill.setAlpha(150);
  for (std::size_t c = 0; c < m_panel.columnSums.size(); ++c) {
    const double length = std::max(0.0, m_panel.columnSums[c]) / most * room;
    painter.fillRect(QRectF(area.left() + static_cast<double>(c) * wide, area.top() - 1.0 - length,
                            std::max(1.0, wide - 1.0), length),
                     fill);
  }
  for (std::size_t r = 0; r < m_panel.rowSums.size(); ++r) {
    const double length = std::max(0.0, m_panel.rowSums[r]) / most * room;
    painter.fillRect(QRectF(area.right() + 1.0, area.top() + static_cast<double>(r) * high, length,
                            std::max(1.0, high - 1.0)),
                     fill);
  }
}

void InsidePlot::paintHeading(QPainter& painter) const {
  painter.setFont(m_metrics.bold());
  painter.setPen(m_theme.text);
  const double bar = m_panel.kind == InsidePanel::Kind::Matrix && !matrixBarIsBelow()
                         ? m_size.width() - matrixBarLeft() + m_metrics.gap
                         : 0.0;
  double x = textLeft(headingWidth() + bar);
  const double baseline = QFontMetricsF(m_metrics.bold()).ascent();
  if (!m_letter.isEmpty()) {
    painter.drawText(QPointF(x, baseline), m_letter);
    x += QFontMetricsF(m_metrics.bold()).horizontalAdvance(m_letter) + 1.5 * m_metrics.gap;
    painter.setFont(m_metrics.font);
  }
  const QFontMetricsF font(painter.font());
  // A matrix has its colour bar in the same line.
  const double end = m_panel.kind == InsidePanel::Kind::Matrix && !matrixBarIsBelow()
                         ? matrixBarLeft() - m_metrics.gap
                         : m_size.width() - 1.0;
  QString title = QString::fromStdString(m_panel.title);
  double y = baseline;
  if (headingLines() > 1) {
    // As many words as the first line takes; the others stand in the second.
    int words = static_cast<int>(title.count(QLatin1Char(' ')));
    while (words > 0 && font.horizontalAdvance(title.section(QLatin1Char(' '), 0, words)) > end - x) --words;
    painter.drawText(QPointF(x, y),
                     font.elidedText(title.section(QLatin1Char(' '), 0, words), Qt::ElideRight, end - x));
    title = title.section(QLatin1Char(' '), words + 1);
    y += m_metrics.em;
  }
  painter.drawText(QPointF(x, y), font.elidedText(title, Qt::ElideRight, end - x));
}

void InsidePlot::paintAxisTitles(QPainter& painter) const {
  const QFontMetricsF font(m_metrics.font);
  painter.setFont(m_metrics.font);
  painter.setPen(m_theme.secondaryText);
  const double whole = m_size.width() - 1.0 - m_metrics.gap;
  if (!m_panel.xTitle.empty()) {
    const QString title = font.elidedText(QString::fromStdString(m_panel.xTitle), Qt::ElideRight,
                                          isNarrow() ? whole : m_area.width());
    const double wide = font.horizontalAdvance(title);
    const double y = m_area.bottom() + 1 + m_metrics.em + 2.0 * m_metrics.gap + font.ascent();
    // Centred, unless the picture ends.
    const double x = std::min(m_area.center().x() - 0.5 * wide, m_size.width() - 1.0 - wide);
    painter.drawText(QPointF(x, y), title);
  }
  if (m_panel.yTitle.empty()) return;
  if (isNarrow()) {
    const QString title = font.elidedText(QString::fromStdString(m_panel.yTitle), Qt::ElideRight, whole);
    painter.drawText(QPointF(textLeft(font.horizontalAdvance(title)),
                             abovePlot() - m_metrics.em - 0.5 * m_metrics.gap + font.ascent()),
                     title);
    return;
  }
  const QString title =
      font.elidedText(QString::fromStdString(m_panel.yTitle), Qt::ElideRight, m_area.height());
  painter.save();
  painter.translate(m_area.left() - m_metrics.left + font.ascent(), m_area.center().y());
  painter.rotate(-90.0);
  painter.drawText(QPointF(-0.5 * font.horizontalAdvance(title), 0.0), title);
  painter.restore();
}

void InsidePlot::paintAround(QPainter& painter) const {
  if (!m_rect) return;
  if (m_panel.kind == InsidePanel::Kind::Scatter && !m_panel.anchorsAreRays && m_panel.anchors.rank() == 2) {
    const auto anchors = m_panel.anchors.values<float>();
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, true);
    for (std::size_t a = 0; 2 * a + 1 < anchors.size(); ++a) {
      const QPointF at =
          toPixel(static_cast<double>(anchors[2 * a]), static_cast<double>(anchors[2 * a + 1]));
      painter.setPen(QPen(m_theme.text, 1.5 * m_metrics.line));
      painter.setBrush(categoryQColor(a));
      painter.drawRect(QRectF(at - QPointF(0.3, 0.3) * m_metrics.em, QSizeF(0.6, 0.6) * m_metrics.em));
    }
    painter.restore();
  }
  if (m_panel.kind != InsidePanel::Kind::Strips) paintFrame(painter, m_area, m_theme.frame, m_metrics.line);
  paintHeading(painter);
  paintAxisTitles(painter);
  paintNames(painter);
  QRect caption = captionRect();
  const bool curves = m_panel.kind == InsidePanel::Kind::Curves && m_panel.curves.size() > 1;
  if (const std::vector<LegendEntry> names = curves && !curveNamesFit() ? curveNames() : stripLegend(m_panel);
      !names.empty()) {
    paintLegend(painter, caption, names, m_metrics, m_theme.text);
    caption.setTop(caption.top() + legendHeight(names, caption.width(), m_metrics));
    painter.setFont(m_metrics.font);
  }
  if (m_panel.kind == InsidePanel::Kind::Matrix && matrixBarIsBelow())
    caption.setTop(caption.top() + m_metrics.em + m_metrics.gap);
  if (caption.height() >= m_metrics.em)
    paintWrapped(painter, caption, QString::fromStdString(m_panel.caption), m_metrics, m_theme.secondaryText);
}

void InsidePlot::paintNames(QPainter& painter) const {
  const QFontMetricsF font(m_metrics.font);
  painter.setFont(m_metrics.font);
  if (m_panel.kind == InsidePanel::Kind::Matrix) {
    painter.setPen(m_theme.secondaryText);
    paintMatrixBar(painter);
    paintSums(painter);
    return;
  }
  if (m_panel.kind != InsidePanel::Kind::Curves) return;
  for (const InsidePanel::Marker& marker : m_panel.markers) {
    const double x = toPixel(marker.x, 0.0).x();
    QPen pen(m_theme.text, m_metrics.line);
    pen.setDashPattern({3.0, 3.0});
    painter.setPen(pen);
    painter.drawLine(QLineF(x, m_area.top(), x, m_area.bottom()));
    painter.setPen(m_theme.text);
    const QString text = QString::fromStdString(marker.text);
    const double wide = font.horizontalAdvance(text);
    const double at =
        x + m_metrics.gap + wide < m_area.right() ? x + m_metrics.gap : x - m_metrics.gap - wide;
    // A small plot may have room on neither side: then over the curve, but inside the frame.
    const double last = std::max(m_area.left() + m_metrics.gap + 0.0, m_area.right() - m_metrics.gap - wide);
    painter.drawText(QPointF(std::clamp(at, m_area.left() + m_metrics.gap + 0.0, last), m_area.center().y()),
                     text);
  }
  if (m_panel.curves.size() > 1 && curveNamesFit()) paintCurveNames(painter);
}

std::vector<LegendEntry> InsidePlot::curveNames() const {
  std::vector<LegendEntry> names;
  for (std::size_t c = 0; c < m_panel.curves.size(); ++c)
    names.push_back({QString::fromStdString(m_panel.curves[c].name), categoryQColor(c)});
  return names;
}

QSizeF InsidePlot::curveNamesSize() const {
  const QFontMetricsF font(m_metrics.font);
  double widest = 0.0;
  for (const InsidePanel::Curve& curve : m_panel.curves)
    widest = std::max(widest, font.horizontalAdvance(QString::fromStdString(curve.name)));
  return {widest + 1.8 * m_metrics.em, static_cast<double>(m_panel.curves.size()) * m_metrics.em};
}

bool InsidePlot::curveNamesFit() const {
  const QSizeF size = curveNamesSize();
  return size.width() <= 0.75 * m_area.width() && size.height() <= 0.6 * m_area.height();
}

// In the corner that the fewest points of the curves touch.
void InsidePlot::paintCurveNames(QPainter& painter) const {
  const QFontMetricsF font(m_metrics.font);
  const QSizeF size = curveNamesSize();
  const QRectF inner = QRectF(m_area).adjusted(m_metrics.gap, m_metrics.gap, -m_metrics.gap, -m_metrics.gap);
  const std::array<QPointF, 4> corners{inner.topLeft(), QPointF(inner.right() - size.width(), inner.top()),
                                       QPointF(inner.left(), inner.bottom() - size.height()),
                                       QPointF(inner.right() - size.width(), inner.bottom() - size.height())};
  QPointF best = corners[1];
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  for (const QPointF& corner : corners) {
    const QRectF box(corner, size);
    std::size_t inside = 0;
    for (const InsidePanel::Curve& curve : m_panel.curves)
      for (std::size_t i = 0; i < std::min(curve.x.size(), curve.y.size()); ++i)
        inside += box.contains(toPixel(curve.x[i], curve.y[i])) ? 1 : 0;
    if (inside < fewest) {
      fewest = inside;
      best = corner;
    }
  }
  double y = best.y();
  painter.setPen(m_theme.text);
  for (std::size_t c = 0; c < m_panel.curves.size(); ++c) {
    painter.fillRect(QRectF(best.x(), y + 0.5 * m_metrics.em, 1.3 * m_metrics.em, 2.0 * m_metrics.line),
                     categoryQColor(c));
    painter.drawText(QPointF(best.x() + 1.7 * m_metrics.em, y + font.ascent()),
                     QString::fromStdString(m_panel.curves[c].name));
    y += m_metrics.em;
  }
}

QString InsidePlot::matrixRange() const {
  const QString high = QString::number(m_scale.high, 'g', 3);
  return m_panel.diverging ? QStringLiteral("±") + high : QStringLiteral("0…") + high;
}

double InsidePlot::matrixBarWidth() const {
  return 1.8 * m_metrics.em;
}

bool InsidePlot::matrixBarIsBelow() const {
  return m_metrics.left + headingWidth() + m_metrics.gap > matrixBarLeft();
}

double InsidePlot::headingWidth() const {
  const QFontMetricsF heading(m_metrics.bold());
  return heading.horizontalAdvance(m_letter + QString::fromStdString(m_panel.title)) + m_metrics.gap;
}

double InsidePlot::matrixBarLeft() const {
  const double text = QFontMetricsF(m_metrics.font).horizontalAdvance(matrixRange());
  return m_size.width() - text - matrixBarWidth() - 2.0 * m_metrics.gap;
}

void InsidePlot::paintMatrixBar(QPainter& painter) const {
  const std::span<const Rgb> map =
      m_panel.diverging ? divergingMap() : colorMap(m_style.colorMap.toStdString());
  const double wide = matrixBarWidth();
  const bool below = matrixBarIsBelow();
  const double top = below ? captionRect().top() : 0.0;
  const double y = top + m_metrics.gap;
  const double x = below ? captionRect().left() : matrixBarLeft();
  QImage strip(256, 1, QImage::Format_RGB32);
  for (int i = 0; i < 256; ++i) {
    const Rgb c = map[static_cast<std::size_t>(i)];
    strip.setPixel(i, 0, qRgb(c.r, c.g, c.b));
  }
  painter.drawImage(QRectF(x, y, wide, 0.6 * m_metrics.em), strip);
  painter.drawText(QPointF(x + wide + m_metrics.gap, top + QFontMetricsF(m_metrics.bold()).ascent()),
                   matrixRange());
}

}  // namespace attnscope
