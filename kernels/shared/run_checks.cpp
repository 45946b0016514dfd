// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/run_checks.h"

#include <cmath>
#include <numbers>

#include "core/simd/tile_math.h"

namespace attnscope {

Status checkFinite(const Tensor& out, const std::string& mechanism) {
  const auto values = out.values<float>();
  if (std::isfinite(tile_math::largestSize(values.data(), static_cast<Index>(values.size())))) return {};
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
