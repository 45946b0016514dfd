// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QRectF>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/token_group.h"
#include "core/plan/token_order.h"
#include "kernels/marginals.h"
#include "ui/plots/axis_ticks.h"
#include "ui/plots/legend.h"
#include "ui/plots/plot_metrics.h"

class QCPAxisRect;
class QCustomPlot;

namespace attnscope {

// The tokens of a text, held by whoever holds the input: a long text is not copied for each square.
using TokenTexts = std::shared_ptr<const std::vector<std::string>>;
// Null where there are none. `owner` keeps `texts` alive.
[[nodiscard]] TokenTexts sharedTexts(const std::shared_ptr<const void>& owner,
                                     const std::vector<std::string>& texts);

// What a square of queries (down) by keys (across) shows. Positions are in cells.
struct SquareContent {
  Index queries = 0;
  Index keys = 0;
  Index slotCount = 0;
  double slotShare = 0.0;  // see slotShare(): 1 shows the slots only
  QRectF viewport;         // over the tokens; the slots are always shown whole

  QImage tokenImage;
  QRectF tokenCells;  // the cells that the image stands for
  QImage slotImage;
  QRectF slotCells;
  // Drawn over the images while these belong to another viewport or are coarse: tiles, the finest last.
  struct Patch {
    QImage image;
    QRectF cells;
  };
  std::vector<Patch> tokenPatches;
  std::vector<Patch> slotPatches;
  QString corner;  // "coarse: 1 of 64 rows"; empty where the picture is exact

  QString scaleNote;  // "own scale 0.0012…0.34"; empty where the scale is shared

  TokenTexts queryTexts;  // null: numbers
  TokenTexts keyTexts;
  std::vector<LegendEntry> legend;
  std::shared_ptr<const Marginals> marginals;  // null: none
  double tokenNames = 1.0;  // opacity of ticks' labels and marginals: less while tokens change places
  std::shared_ptr<const TokenOrder> order;  // which token stands at which place; null: the text's own

  // For print.
  QString letter;
  QString heading;
  QString queryTitle;
  QString keyTitle;
  bool queryLabels = true;
  QString note;  // instead of cells
};

// Puts the texts and marginals of a content into an order; keeps the text's own if it is null or of other
// lengths.
void layOut(SquareContent& content, std::shared_ptr<const TokenOrder> order);

// What moves over the picture without redrawing it.
struct SquareOverlay {
  qint64 hoveredQuery = -1;
  qint64 hoveredKey = -1;
  qint64 selectedQuery = -1;
  qint64 selectedKey = -1;
  QPointF selectedAway;  // how far the selected (key, query) are from there, on their way to another order
  // The selected group, as places of rows, columns and slots.
  TokenRanges groupRows;
  TokenRanges groupColumns;
  TokenRanges groupSlots;
  bool focused = false;  // the keys go to this square
  bool busy = false;
  double phase = 0.0;  // 0..1: where the bar of an unfinished job is
};

// Makes a QCustomPlot into a square: its axes, images, legend and cross-hair. The window and the figures use
// it alike.
class SquarePlot {
 public:
  explicit SquarePlot(QCustomPlot& plot);

  void setLook(const PlotMetrics& metrics, const PlotTheme& theme);
  void setSize(QSize size);

  SquareContent content;
  SquareOverlay overlay;
  // To be called after `content` or the size changed; replot afterwards.
  void update();

  [[nodiscard]] const SquareLayout& layout() const { return m_layout; }
  [[nodiscard]] const PlotMetrics& metrics() const { return m_metrics; }
  // The cell under a position: y is the query, x the key, or below 0 over the slots.
  [[nodiscard]] std::optional<QPointF> cellAt(QPointF position) const;

 private:
  void updateTicks();
  void paintCells(class QPainter& painter) const;
  void paintAround(QPainter& painter) const;
  // What stands below the slots, and from which x on.
  struct SlotCaption {
    QString text;
    double x = 0.0;
  };
  [[nodiscard]] SlotCaption slotCaption() const;
  void paintTitles(QPainter& painter) const;
  void paintMarginals(QPainter& painter) const;
  [[nodiscard]] std::vector<AxisTick> numbered(std::vector<AxisTick> ticks,
                                               const std::vector<std::int32_t>& order) const;
  void paintPlate(QPainter& painter, const QString& text, bool atTop) const;
  void paintOverlay(QPainter& painter) const;
  void paintLines(QPainter& painter, qint64 query, qint64 key, QPointF away, const QColor& color) const;
  void paintGroup(QPainter& painter) const;
  void paintFocus(QPainter& painter) const;
  void paintBusy(QPainter& painter) const;

  QCustomPlot& m_plot;
  PlotMetrics m_metrics;
  PlotTheme m_theme;
  QSize m_size;
  SquareLayout m_layout;
  std::vector<QCPAxisRect*> m_rects;
};

}  // namespace attnscope
