// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QRect>
#include <QSize>
#include <memory>
#include <vector>

#include "ui/export/figure.h"
#include "ui/plots/color_bar.h"
#include "ui/plots/legend.h"
#include "ui/plots/plot_metrics.h"
#include "ui/plots/view_numbers.h"

class QPainter;

namespace attnscope {

// What kind of device the page is painted on.
struct PageDevice {
  double unitsPerInch = 300.0;   // pixels of a raster; steps of a vector format
  double pixelsPerInch = 300.0;  // resolution at which matrices are embedded
  bool vector = false;
};

// Patterns, maps and reach are squares on the axes of the tokens; insides have axes of their own.
inline bool isSquare(PanelKind kind) {
  return kind != PanelKind::Insides;
}

// A figure laid out in whole units of its device, with its numbers. Laying it out is cheap; making the
// numbers and their pictures can take as long as a forward pass and may happen on any thread; painting
// belongs to the GUI thread, and goes part by part, so that the window can do something else in between.
class FigurePage {
 public:
  // Error (Usage) if there is nothing to draw or no room for it.
  [[nodiscard]] static Result<FigurePage> layOut(const FigureSpec& spec, const PageDevice& device);
  [[nodiscard]] Status computeNumbers(const JobContext& job);
  [[nodiscard]] std::size_t parts() const;
  void paintPart(std::size_t part, QPainter& painter) const;

  [[nodiscard]] QSize size() const { return m_size; }
  [[nodiscard]] QSizeF millimetres() const;
  [[nodiscard]] int unitsPerInch() const { return static_cast<int>(m_device.unitsPerInch); }

 private:
  struct Cell {
    PanelKind kind = PanelKind::Map;
    std::size_t column = 0;
    std::size_t inside = 0;  // index into the column's insides
    QPoint at;
    QSize size;
    PlotMetrics metrics;
    QString letter;
    bool firstRow = false;
    bool firstColumn = false;
    bool lastSquare = false;  // carries the title of the key axis
    ViewNumbersPtr numbers;
    QImage tokenImage;  // the numbers in their colours
    QImage slotImage;
    std::shared_ptr<const Marginals> marginals;  // of a map, where the style asks for them
  };

  FigurePage(FigureSpec spec, const PageDevice& device) : m_spec(std::move(spec)), m_device(device) {}
  Status layOutScaling();
  Status layOutWall();
  void measureColumns();
  [[nodiscard]] int barWidth() const;
  [[nodiscard]] int sideThatFits(int width, int height) const;
  [[nodiscard]] int rowHeight(std::size_t row, int side) const;
  [[nodiscard]] bool isLastSquareRow(std::size_t row) const;
  [[nodiscard]] int insideRows(std::size_t first, std::size_t past) const;  // of these columns
  [[nodiscard]] Status fitColumns(int width, int height);
  [[nodiscard]] int bands() const;
  [[nodiscard]] int tallestLegend() const;
  void placeBand(std::size_t first, std::size_t past, int& y);
  void placeRow(std::size_t row, int inside, std::size_t first, std::size_t past, int& y);
  [[nodiscard]] std::shared_ptr<const TokenOrder> orderOf(const Exploration& exploration) const;
  [[nodiscard]] NumberRequest requestFor(const Cell& cell) const;
  [[nodiscard]] QRectF viewportOf(const Exploration& exploration) const;
  [[nodiscard]] std::vector<LegendEntry> legendOf(PanelKind kind, const FigureColumn& column) const;
  [[nodiscard]] double slotShareOf(const Exploration& exploration) const;
  void paintSquare(QPainter& painter, const Cell& cell) const;
  void paintInside(QPainter& painter, const Cell& cell) const;
  void paintBars(QPainter& painter) const;
  void fitScales();
  void makeImages(Cell& cell) const;
  [[nodiscard]] ViewStyle styleOf(const Cell& cell) const;  // of a cell with weights
  [[nodiscard]] const ViewStyle& styleOf(BarContent content) const;
  void paintScaling(QPainter& painter) const;

  FigureSpec m_spec;
  PageDevice m_device;
  PlotMetrics m_metrics;  // of the first column
  ViewStyle m_mapStyle;   // the scales fitted to what is drawn
  ViewStyle m_differenceStyle;
  int m_otherLeft = 0;     // left margin of the other columns
  int m_legendHeight = 0;  // of a row of patterns or reach: the tallest of them
  int m_side = 0;
  int m_perBand = 1;  // columns beside each other; the others follow below
  QSize m_size;
  std::vector<Cell> m_cells;
  struct Bar {
    BarContent content = BarContent::Weight;
    QRect area;
  };
  std::vector<Bar> m_bars;  // one a row of maps or differences, in each band
};

}  // namespace attnscope
