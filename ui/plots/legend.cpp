// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/legend.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

struct Placed {
  QPointF at;
  QString text;
};

// Lines are `lineHeight` apart; entries keep their order.
std::vector<Placed> place(const std::vector<LegendEntry>& entries, double width, const PlotMetrics& metrics) {
  const QFontMetricsF font(metrics.font);
  const double swatch = 0.8 * metrics.em;
  std::vector<Placed> placed;
  double x = 0.0;
  double y = 0.0;
  for (const LegendEntry& entry : entries) {
    const QString text =
        font.elidedText(entry.name, Qt::ElideRight, std::max(1.0, width - swatch - metrics.gap));
    const double wide = swatch + metrics.gap + font.horizontalAdvance(text);
    if (x > 0.0 && x + wide > width) {
      x = 0.0;
      y += 1.15 * metrics.em;
    }
    placed.push_back({QPointF(x, y), text});
    x += wide + 3.0 * metrics.gap;
  }
  return placed;
}

}  // namespace

void paintLegend(QPainter& painter, const QRectF& area, const std::vector<LegendEntry>& entries,
                 const PlotMetrics& metrics, const QColor& text) {
  const std::vector<Placed> placed = place(entries, area.width(), metrics);
  const QFontMetricsF font(metrics.font);
  const double swatch = 0.8 * metrics.em;
  painter.setFont(metrics.font);
  std::size_t fitting = 0;
  while (fitting < placed.size() && placed[fitting].at.y() + metrics.em <= area.height() + 1.0) ++fitting;
  for (std::size_t i = 0; i < fitting; ++i) {
    const QPointF at = area.topLeft() + placed[i].at;
    const QRectF box(at.x(), at.y() + 0.5 * (metrics.em - swatch), swatch, swatch);
    QColor name = text;
    if (entries[i].hidden) {
      name.setAlpha(130);
      painter.setPen(QPen(entries[i].color, 1.5 * metrics.line));
      painter.drawRect(box.adjusted(metrics.line, metrics.line, -metrics.line, -metrics.line));
    } else {
      painter.fillRect(box, entries[i].color);
    }
    painter.setPen(name);
    painter.drawText(QPointF(at.x() + swatch + metrics.gap, at.y() + font.ascent()), placed[i].text);
  }
  if (fitting < placed.size()) {
    painter.setPen(text);
    const QString more = QStringLiteral("+%1").arg(placed.size() - fitting);
    painter.drawText(QPointF(area.right() - font.horizontalAdvance(more), area.bottom() - font.descent()),
                     more);
  }
}

std::optional<std::size_t> legendEntryAt(const QRectF& area, const std::vector<LegendEntry>& entries,
                                         const PlotMetrics& metrics, QPointF position) {
  if (!area.contains(position)) return std::nullopt;
  const std::vector<Placed> placed = place(entries, area.width(), metrics);
  const QFontMetricsF font(metrics.font);
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const double wide = 0.8 * metrics.em + metrics.gap + font.horizontalAdvance(placed[i].text);
    const QRectF box(area.topLeft() + placed[i].at, QSizeF(wide, metrics.em));
    if (box.bottom() <= area.bottom() + 1.0 && box.contains(position)) return i;
  }
  return std::nullopt;
}

int legendHeight(const std::vector<LegendEntry>& entries, double width, const PlotMetrics& metrics) {
  if (entries.empty()) return 0;
  return static_cast<int>(std::ceil(place(entries, width, metrics).back().at.y() + 1.15 * metrics.em));
}

void paintWrapped(QPainter& painter, const QRectF& area, const QString& text, const PlotMetrics& metrics,
                  const QColor& color) {
  const QFontMetricsF font(metrics.font);
  painter.setFont(metrics.font);
  painter.setPen(color);
  QStringList lines;
  QString line;
  for (const QString& word : text.split(QLatin1Char(' '), Qt::SkipEmptyParts)) {
    const QString longer = line.isEmpty() ? word : line + QLatin1Char(' ') + word;
    if (!line.isEmpty() && font.horizontalAdvance(longer) > area.width()) {
      lines << line;
      line = word;
    } else {
      line = longer;
    }
  }
  if (!line.isEmpty()) lines << line;
  const auto fitting = std::max<qsizetype>(1, static_cast<qsizetype>((area.height() + 1.0) / metrics.em));
  if (lines.size() > fitting) {
    const QString rest = lines[fitting - 1] + QLatin1Char(' ') + lines[fitting];  // longer than a line
    lines.resize(fitting);
    lines.last() = font.elidedText(rest, Qt::ElideRight, area.width());
  }
  double y = area.top() + font.ascent();
  for (const QString& one : lines) {
    painter.drawText(QPointF(area.left(), y), font.elidedText(one, Qt::ElideRight, area.width()));
    y += metrics.em;
  }
}

}  // namespace attnscope
