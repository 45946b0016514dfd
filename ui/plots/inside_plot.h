// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QRect>
#include <memory>

#include "core/mechanisms/insides.h"
#include "ui/plots/legend.h"
#include "ui/plots/plot_metrics.h"
#include "ui/plots/view_style.h"
#include "ui/state/selected_group.h"

class QCPAxisRect;
class QCustomPlot;

namespace attnscope {

// What a position in a picture of insides stands for: tokens (-1: none) and groups of its panel.
struct InsideHit {
  qint64 query = -1;
  qint64 key = -1;
  std::int32_t group = -1;     // index into the panel's groups
  std::int32_t keyGroup = -1;  // of a cell of a matrix that has groups on both axes: that of its column
};

struct InsideMarks {
  qint64 query = -1;
  qint64 key = -1;
  SelectedGroupPtr group;
  bool ownGroup = false;  // chosen in these insides
  bool focused = false;   // the keys go to this picture
};

// What a click there selects; null where nothing stands for several tokens.
[[nodiscard]] SelectedGroupPtr selectionOf(const InsidePanel& panel, const InsideHit& hit,
                                           const QString& owner);

// How many things the cells of an axis of a matrix stand for.
[[nodiscard]] Index countOn(const InsidePanel::TokenAxis& axis, Index cells);

// What the colours of strips mean; empty where the caption says it.
[[nodiscard]] std::vector<LegendEntry> stripLegend(const InsidePanel& panel);

// Whether a picture of this width has its width to spare for nothing but the plot: then the title of the
// vertical axis stands above it, and a long heading takes two lines.
[[nodiscard]] bool isNarrowInside(int width, const PlotMetrics& metrics);

// Makes a QCustomPlot into one picture of a mechanism's insides: a heading, the plot, and its caption below.
// The window and the figures use it alike.
class InsidePlot {
 public:
  explicit InsidePlot(QCustomPlot& plot);

  void setLook(const PlotMetrics& metrics, const PlotTheme& theme, const ViewStyle& style);
  void setPanel(const InsidePanel& panel);
  void setHeading(const QString& letter);
  // In a narrow picture; in figures, whose pictures are aligned with squares, never.
  void setTitlesAbove(bool above) { m_titlesAbove = above; }
  // Lays everything out in a picture of this size; replot afterwards.
  void update(QSize size);

  [[nodiscard]] const InsidePanel& panel() const { return m_panel; }
  // What is under a position.
  [[nodiscard]] InsideHit hitAt(QPointF position) const;
  // What the overlay marks; redraw it afterwards. A group of this column is marked where the groups of the
  // panel name it, one of another column only where its tokens stand.
  void setMarks(const InsideMarks& marks) { m_marks = marks; }

 private:
  void build();
  [[nodiscard]] double numbersWidth() const;
  [[nodiscard]] int roomForNumbers() const;
  [[nodiscard]] bool isNarrow() const { return m_titlesAbove && isNarrowInside(m_size.width(), m_metrics); }
  [[nodiscard]] int headingLines() const;
  // Above the plot: the heading, and in a narrow picture the title of the vertical axis.
  [[nodiscard]] int abovePlot() const;
  void paintHeading(QPainter& painter) const;
  void paintAxisTitles(QPainter& painter) const;
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
  void paintSums(QPainter& painter) const;
  void paintEdges(QPainter& painter) const;
  void paintMatrixBar(QPainter& painter) const;
  [[nodiscard]] QString matrixRange() const;
  [[nodiscard]] double matrixBarWidth() const;
  [[nodiscard]] double matrixBarLeft() const;
  // In the line of the heading, or above the caption where the heading needs the line.
  [[nodiscard]] bool matrixBarIsBelow() const;
  [[nodiscard]] double headingWidth() const;
  void paintMarks(QPainter& painter) const;
  void paintItemMarks(QPainter& painter) const;
  void paintAxisMarks(QPainter& painter) const;
  void paintGridMarks(QPainter& painter) const;
  void paintPointMarks(QPainter& painter) const;
  void paintStripMarks(QPainter& painter) const;
  void paintMoves(QPainter& painter) const;
  [[nodiscard]] bool isChosen(std::int32_t group) const;
  void hitCurves(QPointF position, InsideHit& hit) const;
  void hitMatrix(QPointF position, InsideHit& hit) const;
  void hitStrips(QPointF position, InsideHit& hit) const;
  void hitPoints(QPointF position, InsideHit& hit) const;
  [[nodiscard]] QRectF stripRect(Index row) const;
  [[nodiscard]] QRectF stripCell(Index row, Index cell) const;
  [[nodiscard]] QPointF toPixel(double x, double y) const;
  [[nodiscard]] QRect captionRect() const;
  // Where heading and caption begin: with the plot, or further left where a narrow picture has no room to
  // give.
  [[nodiscard]] double textLeft(double wanted) const;
  [[nodiscard]] double captionWish() const;  // the width from which a caption lets the axis have its room

  QCustomPlot& m_plot;
  PlotMetrics m_metrics;
  PlotTheme m_theme;
  ViewStyle m_style;
  InsidePanel m_panel;
  QString m_letter;
  bool m_titlesAbove = false;
  QSize m_size;
  QRect m_area;
  QCPAxisRect* m_rect = nullptr;
  QImage m_image;
  ValueScale m_scale;  // of a matrix: by its own largest value
  InsideMarks m_marks;
};

// Height of a heading, a square-ish plot and the caption for a width.
[[nodiscard]] int insideHeight(const InsidePanel& panel, int width, const PlotMetrics& metrics);

}  // namespace attnscope
