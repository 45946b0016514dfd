// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QRect>
#include <memory>

#include "core/mechanisms/insides.h"
#include "ui/plots/legend.h"
#include "ui/plots/plot_metrics.h"
#include "ui/plots/view_style.h"

class QCPAxisRect;
class QCustomPlot;

namespace attnscope {

// Makes a QCustomPlot into one picture of a mechanism's insides: a heading, the plot, and its caption below.
// The window and the figures use it alike.
class InsidePlot {
 public:
  explicit InsidePlot(QCustomPlot& plot);

  void setLook(const PlotMetrics& metrics, const PlotTheme& theme, const ViewStyle& style);
  void setPanel(const InsidePanel& panel);
  void setHeading(const QString& letter);
  // Lays everything out in a picture of this size; replot afterwards.
  void update(QSize size);

  // The query whose token is under a position; -1: none.
  [[nodiscard]] qint64 tokenAt(QPointF position) const;
  // Marks a query where it stands; -1: none. Redraw the overlay afterwards.
  void setMarked(qint64 query) { m_marked = query; }

 private:
  void build();
  [[nodiscard]] int roomForNumbers() const;
  void buildMatrix();
  void buildCurves();
  void buildBars();
  void buildScatter();
  void buildStrips();
  void fitRange(double x0, double x1, double y0, double y1, double margin);
  void paintData(class QPainter& painter) const;
  void paintAround(QPainter& painter) const;
  void paintNames(QPainter& painter) const;
  // Names of curves stand inside the plot where they leave room for the curves, else above the caption.
  [[nodiscard]] bool curveNamesFit() const;
  [[nodiscard]] std::vector<LegendEntry> curveNames() const;
  [[nodiscard]] QSizeF curveNamesSize() const;
  void paintCurveNames(QPainter& painter) const;
  void paintMatrixBar(QPainter& painter) const;
  [[nodiscard]] QString matrixRange() const;
  [[nodiscard]] double matrixBarWidth() const;
  [[nodiscard]] double matrixBarLeft() const;
  void paintMarks(QPainter& painter) const;
  [[nodiscard]] QRectF stripRect(Index row) const;
  [[nodiscard]] QRectF stripCell(Index row, Index cell) const;
  [[nodiscard]] QPointF toPixel(double x, double y) const;
  [[nodiscard]] QRect captionRect() const;

  QCustomPlot& m_plot;
  PlotMetrics m_metrics;
  PlotTheme m_theme;
  ViewStyle m_style;
  InsidePanel m_panel;
  QString m_letter;
  QSize m_size;
  QRect m_area;
  QCPAxisRect* m_rect = nullptr;
  QImage m_image;
  ValueScale m_scale;  // of a matrix: by its own largest value
  qint64 m_marked = -1;
};

// Height of a heading, a square-ish plot and the caption for a width.
[[nodiscard]] int insideHeight(const InsidePanel& panel, int width, const PlotMetrics& metrics);

}  // namespace attnscope
