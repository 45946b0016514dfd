// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// Steps that make each row of their output from rows of their inputs, on the CPU. Each writes the buffer that
// it names, in parallel over heads and blocks of rows whose borders depend on the shape alone.
[[nodiscard]] Status gatherOnCpu(const GatherStep& step, BufferTable& buffers, const JobContext& job);
[[nodiscard]] Status affineOnCpu(const AffineStep& step, BufferTable& buffers, const JobContext& job);
[[nodiscard]] Status concatOnCpu(const ConcatStep& step, BufferTable& buffers, const JobContext& job);
[[nodiscard]] Status rotateOnCpu(const RotateStep& step, BufferTable& buffers, const JobContext& job);

}  // namespace attnscope
