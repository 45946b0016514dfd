// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/buffer_table.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <bit>

#include "kernels/shared/initial_buffers.h"

namespace attnscope {

BufferTable::BufferTable(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options)
    : m_plan(plan.plan()),
      m_options(options),
      m_tensors(initialBuffers(m_plan, input, options)),
      m_largest(plan.plan().buffers.size(), -1.0F) {}

Tensor& BufferTable::create(BufferId id) {
  m_largest[static_cast<std::size_t>(id)] = -1.0F;
  Tensor& tensor = m_tensors[static_cast<std::size_t>(id)];
  tensor = Tensor(DType::F32, {m_plan.shape.heads, rows(id), cols(id)});
  return tensor;
}

float BufferTable::largestSize(BufferId id) {
  float& known = m_largest[static_cast<std::size_t>(id)];
  if (known >= 0.0F) return known;
  const auto values = tensor(id).values<float>();
  known = tbb::parallel_reduce(
      tbb::blocked_range<std::size_t>(0, values.size(), std::size_t{1} << 16), 0.0F,
      [&](const tbb::blocked_range<std::size_t>& range, float largest) {
        // Sizes of floats are ordered like their bits without the sign: integers, which vectorise.
        auto bits = std::bit_cast<std::uint32_t>(largest);
        for (std::size_t i = range.begin(); i < range.end(); ++i)
          bits = std::max(bits, std::bit_cast<std::uint32_t>(values[i]) & 0x7fffffffU);
        return std::bit_cast<float>(bits);
      },
      [](float a, float b) { return std::max(a, b); });
  return known;
}

const float* BufferTable::head(BufferId id, Index h) const {
  const Tensor& held = tensor(id);
  return held.slice<float>(h * held.dim(0) / m_plan.shape.heads).data();
}

}  // namespace attnscope
