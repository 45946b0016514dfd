// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// What content-based tables show of one head: tokens and centroids, who sits where, how often each token was
// invited, how the centroids moved. For a local head: the keys of its blocks.
[[nodiscard]] Result<std::vector<InsidePanel>> routingPanels(const InsidesRequest& request);

// Of a routed head, before the step that attends at the tables: centroids, then who sits where.
[[nodiscard]] Result<std::vector<Decision>> routingDecisions(const InsidesRequest& request);

}  // namespace attnscope
