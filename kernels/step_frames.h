// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/mechanisms/insides.h"
#include "kernels/explore.h"

namespace attnscope {

// One executed step of a plan, ready to be shown to a class: what happened, in a sentence with the numbers of
// this call, and pictures of what was compared and what came out. Nothing is illustrated: patterns come from
// the frozen plan, values from the buffers that the pass left.
struct StepFrame {
  std::string title;  // "round 1"
  std::string sentence;
  double seconds = 0.0;
  std::vector<InsidePanel> panels;  // at most two
};

// The input, every step of the plan in order, for one head. Errors: cancellation.
[[nodiscard]] Result<std::vector<StepFrame>> framesOf(const Exploration& exploration, Index head,
                                                      const JobContext& job = {});

}  // namespace attnscope
