// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/run_checks.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/simd/tile_math.h"

namespace attnscope {

Status checkFinite(const Tensor& out, const std::string& mechanism) {
  const auto values = out.values<float>();
  if (std::isfinite(tile_math::largestSize(values.data(), static_cast<Index>(values.size())))) return {};
  return fail(ErrorKind::Compute, mechanism +
                                      ": the output overflows float32. Values v, or products of q and k, are "
                                      "too large; scale them down, or "
                                      "choose a smaller scale.");
}

Status checkProductRange(const AttendStep& step, Index d, double largestQ, double largestK,
                         const std::string& mechanism) {
  if (step.scale * std::numbers::log2e * static_cast<double>(d) * largestQ * largestK < 1e38) return {};
  return fail(ErrorKind::Compute,
              mechanism +
                  ": products of queries and keys can overflow float32. The input's values are too "
                  "large; scale q and k down, or choose a smaller scale.");
}

namespace {

// Features that are above 0 for every finite number.
bool featuresArePositive(const Plan& plan, BufferId features) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    const auto* map = std::get_if<FeatureMapStep>(&step);
    return map != nullptr && map->out == features &&
           (map->feature == Feature::Elu1 || map->feature == Feature::Exp);
  });
}

}  // namespace

Status checkDenominators(const LinearAttendStep& step, const Plan& plan, const Tensor& denominators) {
  if (step.exponents) return {};
  constexpr float kLeast = 0x1p-100F;  // below it products may have lost digits
  const bool positive = featuresArePositive(plan, step.phiQ) && featuresArePositive(plan, step.phiK);
  const Index rows = plan.shape.nQ;
  // When causal, the first queries may be before all keys.
  const Index first = step.causal ? std::max<Index>(0, rows - plan.shape.nK) : 0;
  const auto values = denominators.values<float>();
  for (std::size_t at = 0; at < values.size(); ++at) {
    const float size = std::abs(values[at]);
    const bool lost = size == 0.0F ? positive && static_cast<Index>(at) % rows >= first : size < kLeast;
    if (lost)
      return fail(ErrorKind::Compute,
                  plan.mechanism +
                      ": the features of queries and keys are so small that their products leave float32's "
                      "range. Give q and k other sizes, or have the reference compute it.");
  }
  return {};
}

}  // namespace attnscope
