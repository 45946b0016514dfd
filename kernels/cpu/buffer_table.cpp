// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/buffer_table.h"

#include "kernels/shared/initial_buffers.h"

namespace attnscope {

BufferTable::BufferTable(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options)
    : m_plan(plan.plan()), m_options(options), m_tensors(initialBuffers(m_plan, input, options)) {}

Tensor& BufferTable::create(BufferId id) {
  Tensor& tensor = m_tensors[static_cast<std::size_t>(id)];
  tensor = Tensor(DType::F32, {m_plan.shape.heads, rows(id), cols(id)});
  return tensor;
}

const float* BufferTable::head(BufferId id, Index h) const {
  const Tensor& held = tensor(id);
  return held.slice<float>(h * held.dim(0) / m_plan.shape.heads).data();
}

}  // namespace attnscope
