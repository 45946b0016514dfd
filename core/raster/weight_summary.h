// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/base/tensor.h"
#include "core/raster/color_map.h"

namespace attnscope {

// How the sizes of the weights of pictures are distributed: what a histogram shows and a range is fitted to.
// Counts by the leading bits of |w|, eight bins to a factor of two, so that a quantile is right within 13 %;
// zeros (pairs that take no part) and what is not finite do not count.
//
// A sink is a column of a picture that holds more than a tenth of all its weight: a key that most queries
// fall back on (Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks").
class WeightSummary {
 public:
  // A picture, float32 (rows, cols). Quantiles are of sizes, without their signs.
  void add(const Tensor& picture);
  void add(const WeightSummary& other);

  [[nodiscard]] bool isEmpty() const { return m_total == 0; }
  [[nodiscard]] Index sinks() const { return m_sinks; }
  [[nodiscard]] double largest() const { return m_largest; }
  // The size below which `share` of the weights lie, 0 if there are none; of all, or of those beside the
  // sinks.
  [[nodiscard]] double quantile(double share) const;
  [[nodiscard]] double quantileBesideSinks(double share) const;
  // Weights by their position on a scale, from 0 to 1 in `bins` equal steps; on diverging scales with their
  // signs.
  [[nodiscard]] std::vector<double> histogram(const ValueScale& scale, int bins) const;

 private:
  static constexpr std::size_t kBins = 2048;
  using Bins = std::array<std::uint64_t, kBins>;
  [[nodiscard]] static double quantileOf(const Bins& bins, double share);
  Bins m_bins{};
  Bins m_inSinks{};
  Bins m_negative{};
  std::uint64_t m_total = 0;
  double m_largest = 0.0;
  Index m_sinks = 0;
};

// Where the ends of a scale come from.
enum class ScaleRange {
  Fixed,         // as they stand
  Percentiles,   // the 1st and the 99th percentile of what is drawn
  WithoutSinks,  // those of the weights beside the sinks
};
// Two digits, rounded outwards; as it stands where nothing is drawn.
[[nodiscard]] ValueScale fittedScale(const ValueScale& scale, ScaleRange range, const WeightSummary& summary);

}  // namespace attnscope
