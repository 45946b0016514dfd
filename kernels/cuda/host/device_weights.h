// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/host/device_run.h"
#include "kernels/shared/weight_source.h"

namespace attnscope::cuda {

// Gathers during a run what the output's weights are made of, so that it stays on the device when the run is
// over.
class WeightsOfRun {
 public:
  // Collects nothing where the plan's output is not made of such steps.
  WeightsOfRun(const Plan& plan, bool wanted);

  // After step `index`, before what it used is let go.
  [[nodiscard]] Status collect(std::size_t index, DeviceRun& run, std::vector<SharedMemory> stepMemory);
  // Null where nothing was collected. Called with the device's turn, which the source must not be let go
  // with.
  [[nodiscard]] Result<std::shared_ptr<const WeightSource>> source(
      DeviceRun& run, const std::shared_ptr<SharedDevice>& device);

 private:
  std::vector<OutputStep> m_wanted;
  std::vector<WeightStep> m_steps;
  std::vector<SharedMemory> m_memory;
  double m_width = 0.0;  // of a tile, in units of a launch's budget
};

// Device memory beside what a run has anyway.
[[nodiscard]] double weightBytes(const Plan& plan);

}  // namespace attnscope::cuda
