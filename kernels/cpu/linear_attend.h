// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// LinearAttendStep on the CPU: Katharopoulos et al., arXiv 2006.16236, in the chunked form. The keys are cut
// into blocks; each block's share of the state is summed in parallel, the states are added up in order, and
// then every block reads its own in parallel. Block borders depend on the shape alone.
[[nodiscard]] Status linearAttendOnCpu(const LinearAttendStep& step, BufferTable& buffers,
                                       const JobContext& job);

// Bytes of the states of all blocks of one head.
[[nodiscard]] double linearScratchBytes(Index n, Index features, Index dV);

}  // namespace attnscope
