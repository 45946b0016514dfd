// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/run_checks.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numbers>

namespace attnscope {

Status checkFinite(const Tensor& out, const std::string& mechanism) {
  // Neither NaN nor infinite: no exponent is all ones. Integers, since sums in order would wait for each
  // other.
  std::uint32_t largest = 0;
  for (const float x : out.values<float>())
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x) & 0x7f800000U);
  if (largest < 0x7f800000U) return {};
  return fail(
      ErrorKind::Compute,
      mechanism +
          ": the output overflows float32. The input's values are too large; scale q and k down, or give a "
          "smaller --scale.");
}

Status checkProductRange(const AttendStep& step, Index d, double largestQ, double largestK,
                         const std::string& mechanism) {
  if (step.scale * std::numbers::log2e * static_cast<double>(d) * largestQ * largestK < 1e38) return {};
  return fail(ErrorKind::Compute,
              mechanism +
                  ": products of queries and keys can overflow float32. The input's values are too "
                  "large; scale q and k down, or give a smaller --scale.");
}

}  // namespace attnscope
