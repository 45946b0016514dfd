// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <span>
#include <vector>

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

// Where two measured curves meet: between neighbouring common lengths, on straight lines through the
// logarithms.
struct Crossing {
  double n = 0.0;
  bool firstWasFaster = false;  // below n the first curve has the smaller times
};
// Lengths rising; only those that both curves have are compared.
[[nodiscard]] std::vector<Crossing> crossings(std::span<const double> n1, std::span<const double> seconds1,
                                              std::span<const double> n2, std::span<const double> seconds2);

}  // namespace attnscope
