// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFont>
#include <QRect>
#include <QSize>

#include "core/base/tensor.h"
#include "ui/plots/view_style.h"

namespace attnscope {

// Sizes around a plot in the units of the device that it is painted on: pixels of the window, or of a figure
// at its resolution. Margins depend on the font and on the longest label only, never on what is shown, so
// that the squares of a wall stay aligned.
struct PlotMetrics {
  QFont font;         // of ticks and legends; sized in pixels, so that it is the same on every device
  double line = 1.0;  // width of frames and ticks
  int em = 12;        // height of the font
  int gap = 4;        // between a plot and what stands beside it
  int left = 0;       // room for the labels of the queries
  int right = 0;
  int top = 0;
  int bottom = 0;             // room for the labels of the keys
  int legend = 0;             // below that: room for the names of the labels
  int strip = 0;              // height of the marginals above and to the right, within `top` and `right`
  int enlarge = 0;            // see drawCells()
  bool shortNumbers = false;  // "262k" and "…2144" instead of "262144" beside small squares

  [[nodiscard]] QFont bold() const;
};

// For a square of `queries` x `keys` cells. `fontPixels` 0: a little smaller than the theme's font.
[[nodiscard]] PlotMetrics plotMetrics(const PlotTheme& theme, double fontPixels, Index queries, Index keys,
                                      bool tokens);

// Takes the room that long indices need away from a square that has none to spare: they are written short.
void shortenNumbers(PlotMetrics& metrics);

// Makes room for marginals: the same around all squares of a wall, so that they stay aligned.
void addStrips(PlotMetrics& metrics);

// Where things are in a plot of a given size.
struct SquareLayout {
  QRect tokens;    // empty if only slots are shown
  QRect slotArea;  // empty if there are none
  QRect legend;
  [[nodiscard]] QRect all() const { return tokens.united(slotArea); }
};
// `slotShare` of the width goes to the slots: 0 none, 1 everything.
[[nodiscard]] SquareLayout squareLayout(QSize size, const PlotMetrics& metrics, double slotShare);

// The part of the width that the slots get beside `tokens`.
[[nodiscard]] double slotShare(Index tokens, Index slotCount, bool tokensRead);

}  // namespace attnscope
