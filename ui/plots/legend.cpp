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
  double width = 0.0;  // with its swatch
};

QString countOf(std::size_t more) {
  return QStringLiteral("+%1").arg(more);
}

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
    placed.push_back({QPointF(x, y), text, wide});
    x += wide + 3.0 * metrics.gap;
  }
  return placed;
}

LegendFit fit(const QRectF& area, const std::vector<Placed>& placed, const PlotMetrics& metrics) {
  LegendFit fit;
  const auto hasLine = [&](const Placed& entry) { return entry.at.y() + metrics.em <= area.height() + 1.0; };
  while (fit.shown < placed.size() && hasLine(placed[fit.shown])) ++fit.shown;
  if (fit.shown == placed.size()) return fit;
  // The count ends the last line; a name that it would cover is counted as well.
  const QFontMetricsF font(metrics.font);
  const double last = fit.shown > 0 ? placed[fit.shown - 1].at.y() : 0.0;
  while (true) {
    const double wide = font.horizontalAdvance(countOf(placed.size() - fit.shown)) + 2.0 * metrics.gap;
    fit.more =
        QRectF(area.right() - wide - metrics.line, area.top() + last, wide, static_cast<double>(metrics.em));
    if (fit.shown == 0) return fit;
    const Placed& before = placed[fit.shown - 1];
    const bool covers =
        before.at.y() == last && area.left() + before.at.x() + before.width + metrics.gap > fit.more.left();
    if (!covers) return fit;
    --fit.shown;
  }
}

}  // namespace

LegendFit legendFit(const QRectF& area, const std::vector<LegendEntry>& entries, const PlotMetrics& metrics) {
  const std::vector<Placed> placed = place(entries, area.width(), metrics);
  LegendFit room = fit(area, placed, metrics);
  for (std::size_t i = 0; i < room.shown; ++i) room.elided = room.elided || placed[i].text != entries[i].name;
  return room;
}

void paintLegend(QPainter& painter, const QRectF& area, const std::vector<LegendEntry>& entries,
                 const PlotMetrics& metrics, const QColor& text) {
  const std::vector<Placed> placed = place(entries, area.width(), metrics);
  const QFontMetricsF font(metrics.font);
  const double swatch = 0.8 * metrics.em;
  painter.setFont(metrics.font);
  const LegendFit room = fit(area, placed, metrics);
  for (std::size_t i = 0; i < room.shown; ++i) {
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
  if (room.shown == placed.size()) return;
  QColor frame = text;
  frame.setAlpha(110);
  painter.setPen(QPen(frame, metrics.line));
  painter.setBrush(Qt::NoBrush);
  painter.drawRoundedRect(room.more, 3.0 * metrics.line, 3.0 * metrics.line);
  painter.setPen(text);
  painter.drawText(QPointF(room.more.left() + metrics.gap, room.more.top() + font.ascent()),
                   countOf(placed.size() - room.shown));
}

std::optional<std::size_t> legendEntryAt(const QRectF& area, const std::vector<LegendEntry>& entries,
                                         const PlotMetrics& metrics, QPointF position) {
  if (!area.contains(position)) return std::nullopt;
  const std::vector<Placed> placed = place(entries, area.width(), metrics);
  const std::size_t shown = fit(area, placed, metrics).shown;
  for (std::size_t i = 0; i < shown; ++i)
    if (QRectF(area.topLeft() + placed[i].at, QSizeF(placed[i].width, metrics.em)).contains(position))
      return i;
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
