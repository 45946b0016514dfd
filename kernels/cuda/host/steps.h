// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/host/device_run.h"

namespace attnscope::cuda {

// Tiles, times chunks of value columns, that one launch executes: some 10 ms on a GPU of 2018, by the count
// of its operations. A launch cannot be stopped, so this is the latency of cancel.
inline constexpr double kTilesPerLaunch = 16384.0;

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
