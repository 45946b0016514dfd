// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/initial_buffers.h"

#include <algorithm>

namespace attnscope {

namespace {

// Rows of the identity on the tokens, columns [begin, begin + width).
Tensor identityValues(Index rows, const IdentitySlab& slab) {
  Tensor values = Tensor::zeros(DType::F32, {1, rows, slab.width});
  auto cells = values.mutableValues<float>();
  for (Index c = 0; c < slab.width; ++c)
    if (slab.begin + c < rows) cells[static_cast<std::size_t>((slab.begin + c) * slab.width + c)] = 1.0F;
  return values;
}

}  // namespace

std::vector<Tensor> initialBuffers(const Plan& plan, const AttentionInput& input, const RunOptions& options) {
  std::vector<Tensor> tensors(plan.buffers.size());
  tensors[kQuery] = input.q;
  tensors[kKey] = input.k;
  tensors[kValue] = options.identity ? identityValues(plan.shape.nK, *options.identity) : input.v;
  for (const auto& [id, tensor] : plan.constants) {
    Tensor& held = tensors[static_cast<std::size_t>(id)];
    held = tensor;
    if (!options.identity) continue;
    if (id == plan.slotValues)
      held = options.identity->withSlots
                 ? slotIdentity(plan, *options.identity)
                 : Tensor::zeros(DType::F32, {1, plan.slotCount, options.identity->width});
    else if (plan.standsForValues(id))
      held = tensors[kValue];
  }
  return tensors;
}

Tensor slotIdentity(const Plan& plan, const IdentitySlab& slab) {
  Tensor values = Tensor::zeros(DType::F32, {1, plan.slotCount, slab.width});
  auto cells = values.mutableValues<float>();
  for (Index slot = 0; slot < plan.slotCount; ++slot) {
    const Index column = plan.shape.nK + slot - slab.begin;
    if (column >= 0 && column < slab.width)
      cells[static_cast<std::size_t>(slot * slab.width + column)] = 1.0F;
  }
  return values;
}

bool movesTokenValues(const Plan& plan, BufferId id) {
  if (id == kValue) return true;
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    const auto* gather = std::get_if<GatherStep>(&step);
    return gather != nullptr && gather->out == id &&
           std::all_of(gather->in.begin(), gather->in.end(),
                       [&](BufferId in) { return movesTokenValues(plan, in); });
  });
}

}  // namespace attnscope
