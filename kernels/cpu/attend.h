// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// AttendStep on the CPU: streaming softmax over the tiles of the frozen plan. One task a row of tiles, so the
// result does not depend on the number of threads. Memory: a packed copy of keys and values for a group of
// heads, and 64 x 64 logits a thread.
[[nodiscard]] Status attendOnCpu(const FrozenPlan& plan, std::size_t stepIndex, BufferTable& buffers,
                                 const JobContext& job);

// Bytes of the packed copies, at most.
[[nodiscard]] double attendScratchBytes(const FrozenPlan& plan, std::size_t stepIndex);

}  // namespace attnscope
