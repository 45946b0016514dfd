// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/mechanisms/insides.h"
#include "kernels/explore.h"

namespace attnscope {

// One executed step of a plan, or a decision that was made for one, ready to be shown to a class: what
// happened, in a sentence with the numbers of this call, and pictures of what was compared and what came out,
// or of what was decided. Nothing is illustrated: patterns and decisions come from the frozen plan, values
// from the buffers that the pass left.
struct StepFrame {
  std::string title;  // "round 1"
  std::string sentence;
  double seconds = 0.0;             // of all heads; 0 of what is no executed step
  std::vector<InsidePanel> panels;  // at most two
};

// The input, every step of the plan in order, each after the decisions that were made for it, for one head.
// Errors: no pass, cancellation.
[[nodiscard]] Result<std::vector<StepFrame>> framesOf(const Exploration& exploration, Index head,
                                                      const JobContext& job = {});

}  // namespace attnscope
