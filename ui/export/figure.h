// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QRectF>
#include <QSizeF>
#include <QString>
#include <memory>
#include <vector>

#include "core/analysis/reach.h"
#include "core/base/error.h"
#include "kernels/bench/sweep.h"
#include "kernels/explore.h"
#include "ui/plots/panel.h"
#include "ui/plots/view_style.h"

namespace attnscope {

// One column of a figure.
struct FigureColumn {
  QString title;  // "Longformer (w = 32)"
  std::shared_ptr<const Exploration> exploration;
  std::vector<InsidePanel> insides;    // only read where the figure has a row of insides
  std::shared_ptr<const Reach> reach;  // only read where it has a row of reach
  // What a row of differences takes off. Null: the column is the baseline itself, or `noBaseline` says why
  // there is none, which then stands in the place of the difference.
  std::shared_ptr<const Exploration> baseline = nullptr;
  QString noBaseline = {};
  bool ownScale = false;  // its map and difference are coloured by its own weights, and say so
};

// A figure for print: rows of views by columns of mechanisms, on one set of axes and one colour scale, or the
// scaling curves. Drawn by the same code as the window, on another device; nothing on screen changes.
struct FigureSpec {
  std::vector<PanelKind> rows{PanelKind::Map};
  std::vector<FigureColumn> columns;
  std::vector<SweepPoint> sweep;    // a scaling figure if not empty; then rows and explorations are not read
  std::vector<SweepPoint> overlay;  // another run, laid under the curves
  std::string theory = "none";      // drawn beside the curves: "pairs", "flops" or "bytes"
  Index head = 0;
  std::shared_ptr<const TokenOrder> order;  // of queries and keys in all squares; null: as in the text
  QRectF viewport;                          // cells; empty: everything
  QSizeF millimetres;                       // width and height; a height of 0 takes what the panels need
  double dpi = 300.0;                       // raster output only
  double fontPoints = 7.0;                  // journals ask for 5 to 8
  bool letters = true;                      // a, b, c on the panels
  PlotTheme theme = PlotTheme::light();
  ViewStyle style;
  QString provenance;  // program, version, device, input, seed: goes into the file's metadata
  std::string
      session;  // as by sessionText(): the file can be opened as the wall that it shows; empty: it cannot
};

// A figure in three steps, for the window: make() computes the numbers, on any thread, and can be cancelled;
// paintNext() paints a part of it, on the GUI thread, until nothing is left; save() encodes it and writes the
// file, on any thread. Errors (Usage, Output) name the file and the remedy. Copies are one figure.
class PreparedFigure {
 public:
  [[nodiscard]] static Result<PreparedFigure> make(const FigureSpec& spec, const QString& path,
                                                   const JobContext& job = {});
  [[nodiscard]] Result<bool> paintNext() const;  // false: all is painted
  [[nodiscard]] Status save(const JobContext& job = {}) const;

 private:
  struct Data;
  explicit PreparedFigure(std::shared_ptr<Data> data);
  std::shared_ptr<Data> m_data;
};

// All steps in one call. Writes .png, .svg or .pdf by the file's ending. Text stays text and cells stay
// sharp in the vector formats. Needs a QApplication, no display: the offscreen platform will do.
[[nodiscard]] Status writeFigure(const FigureSpec& spec, const QString& path, const JobContext& job = {});

}  // namespace attnscope
