// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// What locality-sensitive hashing shows of one head (plan traces "buckets" and "order", (H, rounds, n)): how
// each round sorts the text, queries and hash directions in one plane, sizes of the buckets, how often
// similar queries collide, and how much of full attention the rounds find together. `chunk` tokens are one
// chunk of the sorted order.
[[nodiscard]] Result<std::vector<InsidePanel>> bucketPanels(const InsidesRequest& request, Index chunk);

// Of each round, before the attend step that executes it: the hashing, then the sorting and cutting.
[[nodiscard]] Result<std::vector<Decision>> bucketDecisions(const InsidesRequest& request, Index chunk);

}  // namespace attnscope
