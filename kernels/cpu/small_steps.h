// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// The steps beside attention, on the CPU. Each writes the buffers that it names, in parallel over heads and
// blocks of rows whose borders depend on the shape alone: the same bytes on any number of threads.
[[nodiscard]] Status mergeOnCpu(const MergeStep& step, BufferTable& buffers, const JobContext& job);
[[nodiscard]] Status projectOnCpu(const ProjectStep& step, BufferTable& buffers, const JobContext& job);
// In a run on the identity a convolution of values uses the part of each tap that does not mix channels (its
// trace over the width), since channels are then keys.
[[nodiscard]] Status convolveOnCpu(const ConvolveStep& step, BufferTable& buffers, const JobContext& job);
[[nodiscard]] Status normaliseRowsOnCpu(const NormaliseRowsStep& step, BufferTable& buffers,
                                        const JobContext& job);
[[nodiscard]] Status featureMapOnCpu(const FeatureMapStep& step, BufferTable& buffers, const JobContext& job);

}  // namespace attnscope
