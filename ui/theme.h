// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QFont>
#include <QPalette>
#include <QString>

namespace attnscope {

enum class ThemeChoice { System, Light, Dark };

// Colours of the window around the plots. Data palettes never depend on them.
struct Chrome {
  QColor wall;   // behind the plots
  QColor panel;  // docks, bars, menus
  QColor field;  // what can be edited
  QColor text;
  QColor secondary;
  QColor border;
  QColor hover;
  QColor accent;
  QColor accentSoft;  // what is chosen
  QColor warning;
  QColor warningSoft;
  bool dark = false;

  [[nodiscard]] static Chrome light();
  [[nodiscard]] static Chrome darkTones();
  [[nodiscard]] static Chrome of(const QPalette& palette);  // by its lightness
};

// Gives the whole application its palette and quiet style. System follows the palette that the desktop gave
// at start.
void applyTheme(ThemeChoice choice);

// Sizes relative to the application's font, so that the window follows the user's font size.
[[nodiscard]] QFont smallFont();
[[nodiscard]] QFont captionFont();  // headings of docks: small, spaced capitals
[[nodiscard]] QFont titleFont();

// Black or white, whichever reads better on `background`.
[[nodiscard]] QColor readableOn(const QColor& background);

}  // namespace attnscope
