// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "core/plan/plan.h"

namespace attnscope {

// Finite inputs can still overflow in products: better refused than drawn.
[[nodiscard]] Status checkFinite(const Tensor& out, const std::string& mechanism);

// Fast softmax code swallows NaN: a product that could leave the range of float32 is refused beforehand. No
// sum of |q_c k_c| exceeds d times the largest sizes of q and k.
[[nodiscard]] Status checkProductRange(const AttendStep& step, Index d, double largestQ, double largestK,
                                       const std::string& mechanism);

// Products of tiny features leave float32's range downwards, and a quotient of what is left of them looks
// like a number. `denominators` are those of the step, (H, n_q, 1). A denominator of 0 is right where
// features can be 0 or nothing is read, and refused where they cannot.
[[nodiscard]] Status checkDenominators(const LinearAttendStep& step, const Plan& plan,
                                       const Tensor& denominators);

}  // namespace attnscope
