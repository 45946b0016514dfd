// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/mechanisms/insides.h"

namespace attnscope {

// What every fixed pattern shows of itself: which of its rules lets how many keys in. The rules are the
// plan's labels.

// Keys of each query by rule, at up to about 512 queries.
[[nodiscard]] InsidePanel keysByRule(const FrozenPlan& plan, Index head);

// Pairs of the whole head by rule.
[[nodiscard]] InsidePanel pairsByRule(const FrozenPlan& plan, Index head, const std::string& caption);

}  // namespace attnscope
