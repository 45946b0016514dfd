// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/backend.h"

namespace attnscope {

// A device that nobody named, with another behind it: what the first fails at (no memory, no kernel for the
// shape, a device that was lost) the second computes, and RunResult::fellBack says so. Cancelling and errors
// of the input are not failures of a device. A precision that the second lacks becomes fp32, which is said as
// well. Both must outlive it.
class FallbackBackend final : public Backend {
 public:
  FallbackBackend(const Backend& first, const Backend& second) : m_first(first), m_second(second) {}

  [[nodiscard]] DeviceInfo info() const override { return m_first.info(); }
  [[nodiscard]] Status supports(const FrozenPlan& plan) const override;
  [[nodiscard]] double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const override;
  [[nodiscard]] Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input,
                                      const RunOptions& options, const JobContext& job) const override;

 private:
  const Backend& m_first;
  const Backend& m_second;
};

}  // namespace attnscope
