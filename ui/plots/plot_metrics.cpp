// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/plot_metrics.h"

#include <QFontInfo>
#include <QFontMetricsF>
#include <algorithm>
#include <cmath>

namespace attnscope {

QFont PlotMetrics::bold() const {
  QFont heavy = font;
  heavy.setBold(true);
  return heavy;
}

PlotMetrics plotMetrics(const PlotTheme& theme, double fontPixels, Index queries, Index keys, bool tokens) {
  PlotMetrics metrics;
  metrics.font = theme.font;
  const double wanted = fontPixels > 0.0 ? fontPixels : 0.9 * QFontInfo(theme.font).pixelSize();
  metrics.font.setPixelSize(std::max(1, static_cast<int>(std::lround(wanted))));
  const QFontMetricsF font(metrics.font);
  metrics.em = static_cast<int>(std::ceil(font.height()));
  metrics.line = std::max(1.0, std::round(0.07 * wanted));  // whole, so that frames never cover cells
  metrics.gap = std::max(2, static_cast<int>(std::lround(0.35 * wanted)));
  const double longest = font.horizontalAdvance(QString::number(std::max<Index>(99, queries - 1)));
  const double words = tokens ? font.horizontalAdvance(QStringLiteral("attention")) : 0.0;
  metrics.left = static_cast<int>(std::ceil(std::max(longest, words))) + 3 * metrics.gap;
  // Half of the last label of the keys reaches over the edge.
  metrics.right = static_cast<int>(std::ceil(
                      0.5 * font.horizontalAdvance(QString::number(std::max<Index>(9, keys - 1))))) +
                  1;
  metrics.top = std::max(2, static_cast<int>(std::ceil(0.5 * font.height())));
  metrics.bottom =
      tokens ? static_cast<int>(std::ceil(words)) + 3 * metrics.gap : metrics.em + 2 * metrics.gap;
  return metrics;
}

void shortenNumbers(PlotMetrics& metrics) {
  const double longest = QFontMetricsF(metrics.font).horizontalAdvance(QStringLiteral("1.05M"));
  metrics.shortNumbers = true;
  metrics.left = static_cast<int>(std::ceil(longest)) + 3 * metrics.gap;
  metrics.right = static_cast<int>(std::ceil(0.5 * longest)) + 1;
}

void addStrips(PlotMetrics& metrics) {
  metrics.strip = std::max(10, static_cast<int>(std::lround(1.2 * metrics.em)));
  metrics.top += metrics.strip;
  metrics.right = std::max(metrics.right, metrics.strip + metrics.gap);
}

SquareLayout squareLayout(QSize size, const PlotMetrics& metrics, double share) {
  SquareLayout layout;
  const int width = size.width() - metrics.left - metrics.right;
  const int height = size.height() - metrics.top - metrics.bottom - metrics.legend;
  const int side = std::max(16, std::min(width, height));
  const QRect square(metrics.left, metrics.top, side, side);
  layout.legend = QRect(square.left(), square.bottom() + 1 + metrics.bottom,
                        std::max(side, size.width() - metrics.left - 1), metrics.legend);
  if (share <= 0.0) {
    layout.tokens = square;
  } else if (share >= 1.0) {
    layout.slotArea = square;
  } else {
    const int space = 2 * metrics.gap;
    const int part = std::max(4, static_cast<int>(std::lround((side - space) * share)));
    layout.tokens = square.adjusted(0, 0, -(part + space), 0);
    layout.slotArea = QRect(square.right() + 1 - part, square.top(), part, side);
  }
  return layout;
}

double slotShare(Index tokens, Index slotCount, bool tokensRead) {
  if (slotCount < 1) return 0.0;
  if (!tokensRead) return 1.0;
  return std::clamp(static_cast<double>(slotCount) / static_cast<double>(tokens + slotCount), 0.2, 0.5);
}

}  // namespace attnscope
