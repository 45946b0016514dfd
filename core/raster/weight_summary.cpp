// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/raster/weight_summary.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace attnscope {

namespace {

constexpr int kDroppedBits = 20;  // of a float's 31 without the sign
constexpr double kSinkShare = 0.1;
constexpr std::size_t kLeastColumns = 20;

std::size_t binOf(float size) {
  return std::bit_cast<std::uint32_t>(size) >> kDroppedBits;
}

// The middle of a bin.
double sizeOf(std::size_t bin) {
  const auto bits = (static_cast<std::uint32_t>(bin) << kDroppedBits) + (1U << (kDroppedBits - 1));
  return std::bit_cast<float>(bits);
}

// Two digits, the last one rounded up or down.
double outwards(double value, bool up) {
  if (!(value > 0.0)) return value;
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 1.0);
  const double digits = value / unit;
  // A value that has two digits only keeps them, whatever its last bit.
  const double near = std::round(digits);
  return unit * (std::abs(digits - near) < 1e-6 ? near : up ? std::ceil(digits) : std::floor(digits));
}

}  // namespace

void WeightSummary::add(const Tensor& picture) {
  if (picture.rank() != 2 || picture.empty()) return;
  const auto cols = static_cast<std::size_t>(picture.dim(1));
  std::vector<double> columns(cols, 0.0);
  double sum = 0.0;
  const auto forEach = [&picture](auto visit) {
    for (Index r = 0; r < picture.dim(0); ++r) {
      const auto row = picture.slice<float>(r);
      for (std::size_t c = 0; c < row.size(); ++c) {
        const float size = std::abs(row[c]);
        if (size > 0.0F && std::isfinite(size)) visit(c, row[c], size);
      }
    }
  };
  forEach([&](std::size_t c, float value, float size) {
    ++m_bins[binOf(size)];
    if (value < 0.0F) ++m_negative[binOf(size)];
    ++m_total;
    columns[c] += size;
    sum += size;
    m_largest = std::max<double>(m_largest, size);
  });
  // Of fewer than twenty columns many hold a tenth without being sinks.
  if (cols < kLeastColumns) return;
  const auto isSink = [&](double column) { return column > kSinkShare * sum; };
  const auto found = std::count_if(columns.begin(), columns.end(), isSink);
  m_sinks += found;
  if (found == 0) return;
  forEach([&](std::size_t c, float, float size) {
    if (isSink(columns[c])) ++m_inSinks[binOf(size)];
  });
}

void WeightSummary::add(const WeightSummary& other) {
  for (std::size_t i = 0; i < kBins; ++i) {
    m_bins[i] += other.m_bins[i];
    m_inSinks[i] += other.m_inSinks[i];
    m_negative[i] += other.m_negative[i];
  }
  m_total += other.m_total;
  m_largest = std::max(m_largest, other.m_largest);
  m_sinks += other.m_sinks;
}

double WeightSummary::quantileOf(const Bins& bins, double share) {
  const std::uint64_t total = std::accumulate(bins.begin(), bins.end(), std::uint64_t{0});
  const double wanted = std::clamp(share, 0.0, 1.0) * static_cast<double>(total);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBins; ++i) {
    below += bins[i];
    if (bins[i] > 0 && static_cast<double>(below) >= wanted) return sizeOf(i);
  }
  return 0.0;
}

double WeightSummary::quantile(double share) const {
  return share >= 1.0 ? m_largest : std::min(quantileOf(m_bins, share), m_largest);
}

double WeightSummary::quantileBesideSinks(double share) const {
  Bins beside{};
  for (std::size_t i = 0; i < kBins; ++i) beside[i] = m_bins[i] - m_inSinks[i];
  return std::min(quantileOf(beside, share), m_largest);
}

std::vector<double> WeightSummary::histogram(const ValueScale& scale, int bins) const {
  std::vector<double> heights(static_cast<std::size_t>(std::max(1, bins)), 0.0);
  const auto count = [&](double value, std::uint64_t weights) {
    const auto at = static_cast<Index>(scale.position(value) * static_cast<double>(heights.size()));
    heights[static_cast<std::size_t>(std::clamp<Index>(at, 0, std::ssize(heights) - 1))] +=
        static_cast<double>(weights);
  };
  for (std::size_t i = 0; i < kBins; ++i) {
    if (m_bins[i] == 0) continue;
    const std::uint64_t negative = scale.diverging ? m_negative[i] : 0;
    count(sizeOf(i), m_bins[i] - negative);
    if (negative > 0) count(-sizeOf(i), negative);
  }
  return heights;
}

ValueScale fittedScale(const ValueScale& scale, ScaleRange range, const WeightSummary& summary) {
  ValueScale fitted = scale;
  if (range == ScaleRange::Fixed || summary.isEmpty() || scale.kind == ValueScale::Kind::RowMax)
    return fitted;
  const bool beside = range == ScaleRange::WithoutSinks && summary.quantileBesideSinks(0.99) > 0.0;
  const double high = beside ? summary.quantileBesideSinks(0.99) : summary.quantile(0.99);
  const double low = beside ? summary.quantileBesideSinks(0.01) : summary.quantile(0.01);
  fitted.high = outwards(high, true);
  // At least a decade, so that a scale is left where all weights are alike.
  fitted.low = std::min(outwards(low, false), fitted.high / 10.0);
  return fitted;
}

}  // namespace attnscope
