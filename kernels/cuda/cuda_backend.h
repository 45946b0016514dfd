// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <mutex>

#include "kernels/backend.h"
#include "kernels/cuda/device/device.h"

namespace attnscope::cuda {

// Executes frozen plans on a device: everything but the kernels and the driver, so that the tests run it too.
// One run at a time; others wait for their turn and can be cancelled while they do.
class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(std::unique_ptr<Device> device) : m_device(std::move(device)) {}

  [[nodiscard]] DeviceInfo info() const override;
  [[nodiscard]] Status supports(const FrozenPlan& plan) const override;
  [[nodiscard]] double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const override;
  [[nodiscard]] Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input,
                                      const RunOptions& options, const JobContext& job) const override;

 private:
  [[nodiscard]] Result<RunResult> runAlone(const FrozenPlan& plan, const AttentionInput& input,
                                           const RunOptions& options, const JobContext& job) const;
  [[nodiscard]] Status requireDeviceMemory(const FrozenPlan& plan, const RunOptions& options) const;

  std::unique_ptr<Device> m_device;
  mutable std::timed_mutex m_turn;
};

}  // namespace attnscope::cuda
