// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/axis_ticks.h"

#include <algorithm>
#include <cmath>

#include "core/base/units.h"

namespace attnscope {

namespace {

// Smallest round step that is at least `wanted`: powers of two where the length is a multiple of 16, since
// blocks, windows and buckets fall on them; 1, 2, 5, 10, ... elsewhere.
Index roundStep(double wanted, bool binary) {
  Index step = 1;
  if (binary) {
    while (static_cast<double>(step) < wanted) step *= 2;
    return step;
  }
  for (Index decade = 1;; decade *= 10)
    for (const Index factor : {1, 2, 5})
      if (static_cast<double>(factor * decade) >= wanted) return factor * decade;
}

// Control characters would break a label into lines or be invisible.
QString shown(const std::string& token) {
  QString text = QString::fromStdString(token);
  text.replace(QLatin1Char('\n'), QChar(0x21b5));
  text.replace(QLatin1Char('\t'), QChar(0x21e5));
  return text.trimmed().isEmpty() ? QString(QChar(0x2423)) : text;
}

}  // namespace

bool fitsTokens(double extent, double pixels, double lineHeight) {
  return extent > 0.0 && pixels / extent >= std::max(16.0, lineHeight);
}

std::vector<AxisTick> cellTicks(double begin, double extent, Index count, double pixels, double minPixels) {
  std::vector<AxisTick> ticks;
  if (count < 1 || !(extent > 0.0) || !(pixels > 0.0)) return ticks;
  const Index step = roundStep(minPixels * extent / pixels, count % 16 == 0);
  const auto first = static_cast<Index>(std::ceil((begin - 0.5) / static_cast<double>(step))) * step;
  const double end = std::min(begin + extent, static_cast<double>(count));
  for (Index i = std::max<Index>(0, first); static_cast<double>(i) + 0.5 <= end; i += step)
    ticks.push_back({static_cast<double>(i) + 0.5, QString::number(i)});
  const bool atEnd = begin + extent >= static_cast<double>(count) - 0.5;
  if (atEnd && begin <= 0.5 && count > 1) {
    // The last index closes the axis; a round one that would touch it gives way.
    const double last = static_cast<double>(count) - 0.5;
    while (ticks.size() > 1 && (last - ticks.back().position) * pixels / extent < 0.8 * minPixels)
      ticks.pop_back();
    if (ticks.empty() || ticks.back().position < last) ticks.push_back({last, QString::number(count - 1)});
  }
  return ticks;
}

std::vector<AxisTick> tokenTicks(double begin, double extent, const std::vector<std::string>& texts,
                                 const QFontMetricsF& metrics, double maxWidth) {
  std::vector<AxisTick> ticks;
  const auto count = static_cast<Index>(texts.size());
  const Index first = std::clamp<Index>(static_cast<Index>(std::ceil(begin - 0.5)), 0, count);
  for (Index i = first; i < count && static_cast<double>(i) + 0.5 <= begin + extent; ++i)
    ticks.push_back(
        {static_cast<double>(i) + 0.5,
         metrics.elidedText(shown(texts[static_cast<std::size_t>(i)]), Qt::ElideRight, maxWidth)});
  return ticks;
}

void shorten(std::vector<AxisTick>& ticks) {
  constexpr Index kLong = 100000;
  // Three digits tell indices apart that differ by a hundredth of the largest.
  double apart = INFINITY;
  double largest = 0.0;
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    largest = std::max(largest, ticks[i].position);
    if (i > 0) apart = std::min(apart, ticks[i].position - ticks[i - 1].position);
  }
  const bool round = apart >= largest / 100.0;
  for (AxisTick& tick : ticks) {
    const auto index = static_cast<Index>(tick.position);
    if (index < kLong) continue;
    tick.text = round
                    ? QString::fromStdString(compactText(static_cast<double>(index))).remove(QLatin1Char(' '))
                    : QChar(0x2026) + QString::number(index).right(4);
  }
}

QString powerOfTen(int exponent) {
  static const QString digits = QStringLiteral("⁰¹²³⁴⁵⁶⁷⁸⁹");
  if (exponent == 0) return QStringLiteral("1");
  if (exponent == 1) return QStringLiteral("10");
  QString text = QStringLiteral("10");
  if (exponent < 0) text += QChar(0x207b);
  for (const QChar digit : QString::number(std::abs(exponent))) text += digits[digit.digitValue()];
  return text;
}

}  // namespace attnscope
