// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QFont>
#include <QString>
#include <QStringList>

#include "core/raster/color_map.h"
#include "core/raster/weight_summary.h"
#include "kernels/effective.h"

namespace attnscope {

// Choices about how numbers are drawn, shared by all panels of a wall and by the figures.
struct ViewStyle {
  QString colorMap = QStringLiteral("viridis");
  ValueScale scale;
  EffectiveMatrix::Reduce reduce = EffectiveMatrix::Reduce::Max;
  QStringList hidden;      // names of reasons that patterns leave out, sorted
  bool marginals = false;  // beside maps, what each key receives and over how many keys each query spreads
  ScaleRange range = ScaleRange::Fixed;  // what the ends of `scale` follow; of maps and of differences apart
};

[[nodiscard]] bool sameStyle(const ViewStyle& a, const ViewStyle& b);

// The style of a column that is coloured by its own weights: where the shared scale has fixed ends, these
// follow its percentiles.
[[nodiscard]] ViewStyle ownScaleStyle(ViewStyle style, const WeightSummary& drawn);
// "own scale 0.0012…0.34", for the corner of such a picture.
[[nodiscard]] QString scaleNote(const ViewStyle& style);

// Colours and fonts around the data. The data palettes never depend on it.
struct PlotTheme {
  QColor background;
  QColor plotBackground;  // behind cells that are not read
  QColor text;
  QColor secondaryText;
  QColor frame;
  QColor crosshair;
  QColor accent;
  QFont font;

  [[nodiscard]] static PlotTheme light();
  [[nodiscard]] static PlotTheme dark();
  [[nodiscard]] static PlotTheme forPalette(const class QPalette& palette);  // by its lightness
};

// Letter and colour that name the mechanism of a column everywhere: A blue, B orange, C green, D pink, ...
[[nodiscard]] QChar columnLetter(int column);
[[nodiscard]] QColor columnColor(int column);

}  // namespace attnscope
