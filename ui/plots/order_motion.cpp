// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/order_motion.h"

#include <QStyle>
#include <QWidget>
#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

constexpr int kMotionMs = 280;

double placeOf(const std::vector<std::int32_t>& places, int token) {
  return places.empty() ? token : places[static_cast<std::size_t>(token)];
}

// Which pixel of the old picture stands at each pixel of the new one (-1: none). Tokens that have moved far
// are drawn last, over those that they pass.
std::vector<int> sourcePixels(const OrderMotion::Places& places, int pixels, double t) {
  std::vector<int> source(static_cast<std::size_t>(pixels), -1);
  std::vector<int> tokens(static_cast<std::size_t>(places.count));
  for (int token = 0; token < places.count; ++token) tokens[static_cast<std::size_t>(token)] = token;
  const auto way = [&](int token) {
    return std::abs(placeOf(places.after, token) - placeOf(places.before, token));
  };
  std::stable_sort(tokens.begin(), tokens.end(), [&](int a, int b) { return way(a) < way(b); });
  const double cell = static_cast<double>(pixels) / places.count;
  for (const int token : tokens) {
    const double from = placeOf(places.before, token);
    const double at = from + t * (placeOf(places.after, token) - from);
    // Small cells fall into the pixel where they begin, larger ones end where the next one begins.
    const double begin = at * cell;
    const auto first = static_cast<int>(cell < 1.0 ? std::floor(begin) : std::round(begin));
    const int past = cell < 1.0 ? first + 1 : std::max(first + 1, static_cast<int>(std::round(begin + cell)));
    for (int pixel = std::max(0, first); pixel < std::min(past, pixels); ++pixel) {
      const double inside =
          cell < 1.0 ? 0.0 : (static_cast<double>(pixel - first) + 0.5) / std::max(1, past - first);
      source[static_cast<std::size_t>(pixel)] =
          std::clamp(static_cast<int>((from + inside) * cell), 0, pixels - 1);
    }
  }
  return source;
}

}  // namespace

OrderMotion::OrderMotion(QImage picture, Places rows, Places columns)
    : m_picture(std::move(picture).convertToFormat(QImage::Format_RGB32)),
      m_rows(std::move(rows)),
      m_columns(std::move(columns)) {}

QImage OrderMotion::at(double t, QRgb background) const {
  const double eased = wayAt(t);
  const std::vector<int> rows = sourcePixels(m_rows, m_picture.height(), eased);
  const std::vector<int> columns = sourcePixels(m_columns, m_picture.width(), eased);
  QImage frame(m_picture.size(), QImage::Format_RGB32);
  for (int y = 0; y < frame.height(); ++y) {
    auto* line = reinterpret_cast<QRgb*>(frame.scanLine(y));
    const int row = rows[static_cast<std::size_t>(y)];
    const auto* from = row < 0 ? nullptr : reinterpret_cast<const QRgb*>(m_picture.constScanLine(row));
    for (int x = 0; x < frame.width(); ++x) {
      const int column = columns[static_cast<std::size_t>(x)];
      line[x] = from && column >= 0 ? from[column] : background;
    }
  }
  return frame;
}

int orderMotionMs(const QWidget& widget) {
  return widget.style()->styleHint(QStyle::SH_Widget_Animation_Duration, nullptr, &widget) > 0 ? kMotionMs
                                                                                               : 0;
}

}  // namespace attnscope
