// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// What a sorting of blocks shows of one head: scores, the balanced matrix, how fast it balances, and the
// blocks before and after.
[[nodiscard]] Result<std::vector<InsidePanel>> sortingPanels(const InsidesRequest& request);

// Before the step that mixes the keys: the scores, their balancing, and what is brought where.
[[nodiscard]] Result<std::vector<Decision>> sortingDecisions(const InsidesRequest& request);

}  // namespace attnscope
