// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/scaling_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

namespace attnscope {

namespace {

// Two-sided 95 % points of Student's t by degrees of freedom.
double studentT(std::size_t freedom) {
  static constexpr std::array<double, 30> kTable{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                                 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                                 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                                 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  if (freedom == 0) return std::numeric_limits<double>::infinity();
  if (freedom <= kTable.size()) return kTable[freedom - 1];
  // Cornish and Fisher's first two terms around the normal point: within 0.001 from 30 degrees on.
  const double z = 1.959964;
  const double v = static_cast<double>(freedom);
  return z + (z * z * z + z) / (4.0 * v) +
         (5.0 * std::pow(z, 5) + 16.0 * z * z * z + 3.0 * z) / (96.0 * v * v);
}

}  // namespace

std::optional<ScalingFit> fitScaling(std::span<const double> n, std::span<const double> seconds) {
  if (n.size() < 3 || n.size() != seconds.size()) return std::nullopt;
  std::vector<std::size_t> order(n.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return n[a] < n[b]; });
  // Short lengths measure call overhead, so only the upper half is asked for the exponent.
  const std::size_t used = std::max<std::size_t>(3, (n.size() + 1) / 2);
  const std::span<const std::size_t> upper = std::span(order).last(used);

  const double count = static_cast<double>(used);
  double meanX = 0.0;
  double meanY = 0.0;
  for (const std::size_t i : upper) {
    meanX += std::log(n[i]) / count;
    meanY += std::log(seconds[i]) / count;
  }
  double sxx = 0.0;
  double sxy = 0.0;
  for (const std::size_t i : upper) {
    const double dx = std::log(n[i]) - meanX;
    sxx += dx * dx;
    sxy += dx * (std::log(seconds[i]) - meanY);
  }
  if (!(sxx > 0.0)) return std::nullopt;  // one length measured three times has no exponent

  ScalingFit fit;
  fit.exponent = sxy / sxx;
  const double intercept = meanY - fit.exponent * meanX;
  fit.factor = std::exp(intercept);
  double residual = 0.0;
  for (const std::size_t i : upper) {
    const double e = std::log(seconds[i]) - intercept - fit.exponent * std::log(n[i]);
    residual += e * e;
  }
  fit.halfWidth = studentT(used - 2) * std::sqrt(residual / (count - 2.0) / sxx);
  fit.fromN = n[upper.front()];
  fit.toN = n[upper.back()];
  return fit;
}

std::vector<Crossing> crossings(std::span<const double> n1, std::span<const double> seconds1,
                                std::span<const double> n2, std::span<const double> seconds2) {
  std::vector<Crossing> found;
  double lastN = 0.0;
  double lastGap = 0.0;  // log of the first time over the second
  for (std::size_t i = 0; i < n1.size(); ++i) {
    const auto same = std::find(n2.begin(), n2.end(), n1[i]);
    if (same == n2.end()) continue;
    const double gap = std::log(seconds1[i] / seconds2[static_cast<std::size_t>(same - n2.begin())]);
    if (lastN > 0.0 && lastGap * gap < 0.0) {
      const double share = lastGap / (lastGap - gap);
      found.push_back(
          {std::exp(std::log(lastN) + share * (std::log(n1[i]) - std::log(lastN))), lastGap < 0.0});
    }
    if (gap != 0.0) {
      lastN = n1[i];
      lastGap = gap;
    }
  }
  return found;
}

}  // namespace attnscope
