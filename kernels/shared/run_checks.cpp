// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/run_checks.h"

#include <numbers>

namespace attnscope {

Status checkFinite(const Tensor& out, const std::string& mechanism) {
  float worst = 0.0F;
  for (const float x : out.values<float>()) worst += x * 0.0F;  // NaN if any value is NaN or infinite
  if (worst == 0.0F) return {};
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
