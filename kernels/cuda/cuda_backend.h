// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "kernels/cuda/host/shared_device.h"

namespace attnscope::cuda {

// Executes frozen plans on a device: everything but the kernels and the driver, so that the tests run it too.
// One run at a time; others wait for their turn and can be cancelled while they do. What a plan decides alone
// (tile maps, orders, weights, constants) stays on the device until the plan dies or the memory is needed,
// and a later run of the same plan finds it there. A run that keeps its buffers also leaves a WeightSource.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::unique_ptr<Device> device)
      : m_device(std::make_shared<SharedDevice>(std::move(device))) {}

  [[nodiscard]] DeviceInfo info() const override;
  [[nodiscard]] Status supports(const FrozenPlan& plan) const override;
  [[nodiscard]] double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const override;
  [[nodiscard]] Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input,
                                      const RunOptions& options, const JobContext& job) const override;

 private:
  [[nodiscard]] Result<RunResult> runAlone(const FrozenPlan& plan, const AttentionInput& input,
                                           const RunOptions& options, const JobContext& job,
                                           PlanOnDevice& held) const;
  [[nodiscard]] Result<bool> requireDeviceMemory(const FrozenPlan& plan, const RunOptions& options,
                                                 PlanOnDevice& held) const;

  std::shared_ptr<SharedDevice> m_device;
};

}  // namespace attnscope::cuda
