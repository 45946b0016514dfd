// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>

namespace attnscope {

// seconds = factor * n^exponent, least squares on logarithms over the upper half of the lengths (at least 3
// points).
struct ScalingFit {
  double exponent = 0.0;
  double halfWidth = 0.0;  // 95 % confidence interval of the exponent is exponent +- halfWidth
  double factor = 0.0;
  double fromN = 0.0;  // the range that was fitted
  double toN = 0.0;
};

// Empty if there are fewer than 3 points. Both spans have the same length; all values above 0.
[[nodiscard]] std::optional<ScalingFit> fitScaling(std::span<const double> n,
                                                   std::span<const double> seconds);

}  // namespace attnscope
