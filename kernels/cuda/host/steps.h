// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/host/device_run.h"

namespace attnscope::cuda {

// Each writes the buffers that its step names, by launches of the run's device.
[[nodiscard]] Status runStep(const AttendStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const MergeStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const ProjectStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const ConvolveStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const NormaliseRowsStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const FeatureMapStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const RandomFeatureStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const LinearAttendStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const GatherStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const AffineStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const ConcatStep& step, std::size_t index, DeviceRun& run);
[[nodiscard]] Status runStep(const RotateStep& step, std::size_t index, DeviceRun& run);

// Device memory of a step beside its buffers, in bytes.
[[nodiscard]] double scratchBytes(const FrozenPlan& frozen, std::size_t index);

[[nodiscard]] double attendScratchBytes(const FrozenPlan& frozen, const AttendStep& step, std::size_t index);
[[nodiscard]] double linearScratchBytes(const Plan& plan, const LinearAttendStep& step);

}  // namespace attnscope::cuda
