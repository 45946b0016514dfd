// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QIcon>

class QPainter;

namespace attnscope {

enum class Glyph {
  Close,
  Add,
  Search,
  Info,
  Warning,
  ChevronDown,
  ChevronUp,
  Reset,
  Undo,
  Redo,
  Open,
  Export,
  Pin,
  Unlinked,
  Sorted
};

// Line icons drawn by the program in the palette's text colour at the moment of painting, so they follow the
// theme and every pixel ratio. No icon theme is needed.
[[nodiscard]] QIcon glyphIcon(Glyph glyph);
void drawGlyph(QPainter& painter, Glyph glyph, const QRectF& square, const QColor& color);

// The rounded square with a column's letter in the column's colour.
void drawBadge(QPainter& painter, const QRectF& square, int column);

}  // namespace attnscope
