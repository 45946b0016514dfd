// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <cstdint>
#include <vector>

namespace attnscope {

// A square on its way from one order of tokens to another: rows and columns of its last picture slide to
// their new places. What is drawn on the way are the pixels of that picture; the exact one follows at the
// end.
class OrderMotion {
 public:
  // `picture` shows all rows and columns. Places by token, before and after; empty: the text's own order.
  struct Places {
    std::vector<std::int32_t> before;
    std::vector<std::int32_t> after;
    int count = 0;
  };
  OrderMotion(QImage picture, Places rows, Places columns);

  // t from 0, the picture as it was, to 1.
  [[nodiscard]] QImage at(double t, QRgb background) const;
  // The part of the way that lies behind at t: slow at both ends.
  [[nodiscard]] static double wayAt(double t) { return t * t * (3.0 - 2.0 * t); }

 private:
  QImage m_picture;
  Places m_rows;
  Places m_columns;
};

// How long such a motion takes: about a quarter of a second, and 0 where the desktop wants no animations.
[[nodiscard]] int orderMotionMs(const class QWidget& widget);

}  // namespace attnscope
