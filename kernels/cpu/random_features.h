// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// RandomFeatureStep on the CPU: Choromanski et al., arXiv 2009.14794, without anything that is added to keep
// numbers small; that is left to LinearAttendStep.
[[nodiscard]] Status randomFeaturesOnCpu(const RandomFeatureStep& step, BufferTable& buffers,
                                         const JobContext& job);

}  // namespace attnscope
