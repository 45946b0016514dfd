// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/plan/plan.h"

namespace attnscope {

// The effective support of one head on the key axis [tokens | slots], in token order, read off the steps that
// will be executed: every view of a pattern is drawn from this.
[[nodiscard]] PatternPtr supportOf(const Plan& plan, Index head);

}  // namespace attnscope
