// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// Where synthesised logits come from, what they look like, and what ordinary attention would have done.
[[nodiscard]] Result<std::vector<InsidePanel>> syntheticPanels(const InsidesRequest& request);

}  // namespace attnscope
