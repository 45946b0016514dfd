// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/plan/plan.h"
#include "kernels/backend.h"

namespace attnscope {

// The buffers of one run on the CPU; kernels/shared/initial_buffers.h says what stands in them at first.
class BufferTable {
 public:
  BufferTable(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options);

  // Storage for what a step writes; uninitialised.
  Tensor& create(BufferId id);
  [[nodiscard]] const float* head(BufferId id, Index h) const;
  [[nodiscard]] const Tensor& tensor(BufferId id) const { return m_tensors[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Tensor& tensor(BufferId id) { return m_tensors[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Index rows(BufferId id) const { return m_plan.buffers[static_cast<std::size_t>(id)].rows; }
  [[nodiscard]] Index cols(BufferId id) const { return m_plan.buffers[static_cast<std::size_t>(id)].cols; }

  [[nodiscard]] const Plan& plan() const { return m_plan; }
  [[nodiscard]] const RunOptions& options() const { return m_options; }

 private:
  const Plan& m_plan;
  const RunOptions& m_options;
  std::vector<Tensor> m_tensors;
};

}  // namespace attnscope
