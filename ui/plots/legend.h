// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QRectF>
#include <QString>
#include <optional>
#include <vector>

#include "ui/plots/plot_metrics.h"

class QPainter;

namespace attnscope {

struct LegendEntry {
  QString name;
  QColor color;
  bool hidden = false;  // drawn hollow: its pairs are left out
};

// Swatches and names from the top left, broken into lines. What does not fit into `area` is counted in a
// frame at its end ("+2").
void paintLegend(QPainter& painter, const QRectF& area, const std::vector<LegendEntry>& entries,
                 const PlotMetrics& metrics, const QColor& text);

// What an area has room for: the first `shown` entries, with names cut short where `elided`; `more` is where
// the others are counted, empty where there are none.
struct LegendFit {
  std::size_t shown = 0;
  bool elided = false;
  QRectF more;
};
[[nodiscard]] LegendFit legendFit(const QRectF& area, const std::vector<LegendEntry>& entries,
                                  const PlotMetrics& metrics);

// The entry under a position; empty where there is none.
[[nodiscard]] std::optional<std::size_t> legendEntryAt(const QRectF& area,
                                                       const std::vector<LegendEntry>& entries,
                                                       const PlotMetrics& metrics, QPointF position);

// Height of that legend in an area of the given width.
[[nodiscard]] int legendHeight(const std::vector<LegendEntry>& entries, double width,
                               const PlotMetrics& metrics);

// A sentence wrapped to a rectangle in plain lines of text (so that it stays text in vector files); the last
// line that fits ends in an ellipsis if there is more.
void paintWrapped(QPainter& painter, const QRectF& area, const QString& text, const PlotMetrics& metrics,
                  const QColor& color);

}  // namespace attnscope
