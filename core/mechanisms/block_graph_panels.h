// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/mechanisms/insides.h"

namespace attnscope {

// Blocks of `block` tokens as a graph, an edge where the first query of a block reads the other block: as a
// matrix of rules, as a ring, where only chords are far reads, and as numbers of steps from block to block
// (breadth-first search). Long texts show their first blocks.
[[nodiscard]] std::vector<InsidePanel> blockGraphPanels(const FrozenPlan& plan, Index head, Index block);

}  // namespace attnscope
