// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/convolved_slots.h"

#include <algorithm>

#include "core/analysis/channel_mixing.h"
#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

// Taps of a mean: (H, stride, d, d), identity over the stride.
Tensor meanTaps(Index heads, Index stride, Index d) {
  Tensor taps = Tensor::zeros(DType::F32, {heads, stride, d, d});
  auto values = taps.mutableValues<float>();
  for (Index t = 0; t < heads * stride; ++t)
    for (Index c = 0; c < d; ++c)
      values[static_cast<std::size_t>((t * d + c) * d + c)] = 1.0F / static_cast<float>(stride);
  return taps;
}

// True if the taps leave every channel to itself and all channels alike.
bool areScalar(const Tensor& taps) {
  const Index width = taps.dim(3);
  const auto values = taps.values<float>();
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(width * width))
    if (!isScalarMap(values.data() + at, width)) return false;
  return true;
}

}  // namespace

Result<Tensor> addConvolvedSlots(const LoweringRequest& request, Plan& plan, BufferId in, BufferId out,
                                 const std::string& name, Index stride) {
  const Index width = plan.buffers[static_cast<std::size_t>(in)].cols;
  ATTN_ASSIGN(taps, ownTensor(request, name, DType::F32, {stride, width, width}, {},
                              [&] { return meanTaps(plan.shape.heads, stride, width); }));
  ATTN_ASSIGN(bias, ownTensor(request, name + "_bias", DType::F32, {width}, {}, [&] {
                return Tensor::zeros(DType::F32, {plan.shape.heads, width});
              }));
  plan.params.push_back({name, taps.fromFile ? "file" : "mean", [tensor = taps.tensor] { return tensor; }});
  plan.params.push_back(
      {name + "_bias", bias.fromFile ? "file" : "0", [tensor = bias.tensor] { return tensor; }});
  if (in == kValue) {
    const auto biases = bias.tensor.values<float>();
    plan.exact = areScalar(taps.tensor) &&
                 std::all_of(biases.begin(), biases.end(), [](float b) { return b == 0.0F; });
    if (!plan.exact)
      plan.note = name + " mixes value channels or adds a bias: the matrix holds the part without mixing.";
  }
  plan.steps.emplace_back(ConvolveStep{name + " to slots", in, out, taps.tensor, bias.tensor});
  return taps.tensor;
}

Tensor convolvedComposition(const Tensor& taps, Index slots, Index n) {
  const Index heads = taps.dim(0);
  const Index stride = taps.dim(1);
  const Index width = taps.dim(2);
  Tensor tensor = Tensor::zeros(DType::F32, {heads, slots, n});
  for (Index h = 0; h < heads; ++h) {
    auto cells = tensor.mutableSlice<float>(h);
    const float* weights = taps.slice<float>(h).data();
    for (Index j = 0; j < n; ++j)
      cells[static_cast<std::size_t>(j / stride * n + j)] =
          static_cast<float>(meanDiagonal(weights + j % stride * width * width, width));
  }
  return tensor;
}

}  // namespace attnscope
