// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QRect>
#include <QString>
#include <functional>
#include <memory>
#include <vector>

#include "ui/plots/axis_ticks.h"
#include "ui/plots/plot_metrics.h"

class QCPAxis;
class QCPAxisRect;
class QCustomPlot;
class QPaintDevice;
class QPainter;

namespace attnscope {

// A plot without margins, selections or mouse handling of its own: the panel above it does these.
[[nodiscard]] QCustomPlot* makeBarePlot(QWidget* parent);

// Takes a plot away that a new one replaces. It is deleted with the next turn of the event loop: a style
// sheet that is being applied resizes widgets and goes on to visit those that it found before, this one
// included. `kept` (what the plot's layers call) lives as long as the plot.
void retirePlot(QCustomPlot* plot, std::shared_ptr<void> kept = nullptr);

// Empties the layout of the plot and puts axis rects exactly at the given rectangles of a plot of the given
// size.
[[nodiscard]] std::vector<QCPAxisRect*> placeAxisRects(QCustomPlot& plot, QSize size,
                                                       const std::vector<QRect>& places);
void moveAxisRects(QCustomPlot& plot, QSize size, const std::vector<QRect>& places);

// Something painted by a function on a layer of the plot ("background", "main", "legend" or "overlay"), in
// the plot's own units. Belongs to the plot.
void addPainted(QCustomPlot& plot, const QString& layer, std::function<void(QPainter&)> paint);

// Redraws the overlay alone: cross-hairs move without redrawing what lies below.
void replotOverlay(QCustomPlot& plot);

// Colours, fonts and line widths of all four axes of a rect; no grid, no ticks inside.
void styleAxes(QCPAxisRect& rect, const PlotMetrics& metrics, const PlotTheme& theme);
void setTicks(QCPAxis& axis, const std::vector<AxisTick>& ticks);

// A thin frame around, not over, the outermost cells.
void paintFrame(QPainter& painter, const QRectF& rect, const QColor& color, double line);

// Paints a plot of the given size with its top left corner at `at`.
void paintPlot(QPainter& painter, QCustomPlot& plot, QPoint at, QSize size);

}  // namespace attnscope
