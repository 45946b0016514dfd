// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "kernels/backend.h"

namespace attnscope {

// What stands in the buffers before the first step, by BufferId; empty where a step has to write. A tensor
// may have fewer heads than the plan (shared keys and values, or one head for all): head h of the plan then
// reads head h * held / wanted.
//
// In a run on the identity the values are the identity, and so is a constant that stands for the tokens'
// values (global values that the user gave). Constant values of slots are made of no token: they are 0, or
// the identity of the slots in a probe.
[[nodiscard]] std::vector<Tensor> initialBuffers(const Plan& plan, const AttentionInput& input,
                                                 const RunOptions& options);

// The slots' values of a probe: the slab of the identity on the slots' part of the key axis.
[[nodiscard]] Tensor slotIdentity(const Plan& plan, const IdentitySlab& slab);

// True if the buffer holds the tokens' own values, or rows of them moved about.
[[nodiscard]] bool movesTokenValues(const Plan& plan, BufferId id);

}  // namespace attnscope
