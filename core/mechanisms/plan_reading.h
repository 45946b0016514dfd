// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/plan/plan.h"

namespace attnscope {

// What panels look up in a finished plan.

// The decision of this name; an empty tensor if the plan kept none.
[[nodiscard]] Tensor traceOf(const Plan& plan, const std::string& name);

// Index of the first step of this kind after `from` others of it. The plan has one: it was made by the
// mechanism that asks.
template <class Kind>
[[nodiscard]] Index stepOf(const Plan& plan, Index from = 0) {
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    if (std::holds_alternative<Kind>(plan.steps[s]) && from-- == 0) return static_cast<Index>(s);
  return std::ssize(plan.steps);
}

}  // namespace attnscope
