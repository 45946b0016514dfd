// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/oracle.h"
#include "tests/support/call_table.h"

namespace attnscope::testing {

inline double largestRowNorm(const Tensor& tensor) {
  const Index d = tensor.dim(2);
  const auto values = tensor.values<float>();
  double largest = 0.0;
  for (std::size_t begin = 0; begin < values.size(); begin += static_cast<std::size_t>(d)) {
    double sum = 0.0;
    for (Index c = 0; c < d; ++c)
      sum += static_cast<double>(values[begin + static_cast<std::size_t>(c)]) *
             values[begin + static_cast<std::size_t>(c)];
    largest = std::max(largest, std::sqrt(sum));
  }
  return largest;
}

inline double squaredLargest(const Tensor& tensor) {
  return std::pow(largestRowNorm(tensor), 2.0);
}

// What stands for a logit in a Performer: its features are exponentials of w.x - |x|^2/2, for the
// trigonometric kind circular functions of w.x, and both lose their rounding error relatively.
inline double featureExponent(const Call& call, const AttentionInput& input, const PlannedCall& planned) {
  const double scale =
      call.spec.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(input.shape().d)));
  const double root = std::sqrt(scale);
  const double direction = largestRowNorm(planned.plan->plan().params.front().make());
  return direction * root * (largestRowNorm(input.q) + largestRowNorm(input.k)) +
         0.5 * scale * (squaredLargest(input.q) + squaredLargest(input.k));
}

// What errors grow with: the largest size of a logit, the largest sum of the sizes of a row's weights, the
// largest value.
struct Sizes {
  double logit = 0.0;
  double rowSum = 1.0;
  double value = 0.0;
};
inline Sizes sizesOf(const Call& call, const AttentionInput& input, const OracleResult& oracle,
                     const PlannedCall& planned) {
  const bool unitKeys = call.spec.id == "reformer";
  const double scale = call.spec.options.scale.value_or(
      unitKeys ? 1.0 : 1.0 / std::sqrt(static_cast<double>(input.shape().d)));
  Sizes sizes;
  sizes.logit = call.spec.id == "performer"
                    ? featureExponent(call, input, planned)
                    : scale * largestRowNorm(input.q) * (unitKeys ? 1.0 : largestRowNorm(input.k));
  const auto matrix = oracle.matrix.values<double>();
  const auto nK = static_cast<std::size_t>(input.shape().nK);
  for (std::size_t begin = 0; begin < matrix.size(); begin += nK) {
    double sum = 0.0;
    for (std::size_t j = 0; j < nK; ++j) sum += std::abs(matrix[begin + j]);
    sizes.rowSum = std::max(sizes.rowSum, sum);
  }
  for (const float v : input.v.values<float>())
    sizes.value = std::max(sizes.value, static_cast<double>(std::abs(v)));
  return sizes;
}

// Bound on the error of single precision. A logit of size L, made of rounded products, is off by a few eps L;
// its exponential by that much relatively; a weighted sum of values by that times sum |w| |v|. The factor 16
// covers the constants of summation by tiles; a wrong cell is off by a weight, orders of magnitude more.
inline double bound(const Call& call, const AttentionInput& input, const OracleResult& oracle,
                    const PlannedCall& planned) {
  const Sizes sizes = sizesOf(call, input, oracle, planned);
  return 16.0 * static_cast<double>(std::numeric_limits<float>::epsilon()) * (1.0 + sizes.logit) *
         sizes.rowSum * sizes.value;
}

// The same where inputs of products are rounded relatively by at most u (2^-11 for TF32, 2^-8 for bf16),
// beside the bound above. Each of q and k being off by u moves a logit by 2 u L (sum |q_c k_c| <= |q| |k|), a
// weight over their sum by a factor within exp(4 u L), and rounding weights and values adds 2 u. An attend
// step that reads what another wrote adds as much again.
inline double tensorBound(const Call& call, const AttentionInput& input, const OracleResult& oracle,
                          const PlannedCall& planned, double u, int attendSteps) {
  const Sizes sizes = sizesOf(call, input, oracle, planned);
  return bound(call, input, oracle, planned) +
         attendSteps * (std::expm1(4.0 * u * sizes.logit) + 2.0 * u) * sizes.rowSum * sizes.value;
}

}  // namespace attnscope::testing
