// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/row_steps.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"
#include "kernels/cpu/for_rows.h"

namespace attnscope {

namespace {

// One head of a tensor that has an axis of heads, or serves all heads.
const float* headOf(const Tensor& tensor, Index h) {
  return tensor.slice<float>(tensor.dim(0) == 1 ? 0 : h).data();
}

Index padded(Index width) {
  return (width + 15) / 16 * 16;
}

}  // namespace

Status gatherOnCpu(const GatherStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.out);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    std::vector<const float*> inputs;
    for (const BufferId in : step.in) inputs.push_back(buffers.head(in, h));
    const SparseRows& rows = *step.heads[static_cast<std::size_t>(h)];
    float* target = out.mutableSlice<float>(h).data();
    std::vector<const float*> read;
    std::vector<float> weights;
    for (Index i = begin; i < end; ++i) {
      read.clear();
      weights.clear();
      for (auto e = rows.begin[static_cast<std::size_t>(i)]; e < rows.begin[static_cast<std::size_t>(i) + 1];
           ++e) {
        const SparseRows::Entry& entry = rows.entries[static_cast<std::size_t>(e)];
        read.push_back(inputs[static_cast<std::size_t>(entry.input)] + entry.row * cols);
        weights.push_back(entry.weight);
      }
      row_math::combineRows(read.data(), weights.data(), static_cast<Index>(read.size()), cols,
                            target + i * cols);
    }
  });
}

Status affineOnCpu(const AffineStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index from = buffers.cols(step.in);
  const Index to = buffers.cols(step.out);
  const Index width = padded(to);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    const float* in = buffers.head(step.in, h) + begin * from;
    float* target = out.mutableSlice<float>(h).data() + begin * to;
    const float* bias = step.bias.empty() ? nullptr : headOf(step.bias, h);
    std::vector<float> product(static_cast<std::size_t>((end - begin) * width));
    if (!step.weight.empty()) {
      std::vector<float> weight(static_cast<std::size_t>(from * width), 0.0F);
      for (Index a = 0; a < from; ++a)
        std::copy_n(headOf(step.weight, h) + a * to, to, weight.data() + a * width);
      tile_math::gemm(in, from, weight.data(), width, product.data(), width, end - begin, width, from, false);
    }
    for (Index i = 0; i < end - begin; ++i)
      for (Index c = 0; c < to; ++c) {
        const float x =
            step.weight.empty() ? in[i * from + c] : product[static_cast<std::size_t>(i * width + c)];
        const float y = bias == nullptr ? x : x + bias[c];
        target[i * to + c] = step.relu ? std::max(y, 0.0F) : y;
      }
  });
}

Status concatOnCpu(const ConcatStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.out);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    float* target = out.mutableSlice<float>(h).data();
    Index at = 0;
    for (std::size_t p = 0; p < step.in.size(); ++p) {
      const float* in = buffers.head(step.in[p], h);
      const Index width = buffers.cols(step.in[p]);
      const auto factor = static_cast<float>(step.factors[p]);
      for (Index i = begin; i < end; ++i)
        for (Index c = 0; c < width; ++c) target[i * cols + at + c] = factor * in[i * width + c];
      at += width;
    }
  });
}

Status rotateOnCpu(const RotateStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const Index half = cols / 2;
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    const float* in = buffers.head(step.in, h);
    float* target = out.mutableSlice<float>(h).data();
    for (Index c = 0; c < half; ++c) {
      const double frequency = std::pow(10000.0, -2.0 * static_cast<double>(c) / static_cast<double>(cols));
      for (Index i = begin; i < end; ++i) {
        const double angle = step.positions[static_cast<std::size_t>(i)] * frequency;
        const double sine = std::sin(angle);
        const double cosine = std::cos(angle);
        const double a = in[i * cols + c];
        const double b = in[i * cols + half + c];
        target[i * cols + c] = static_cast<float>(b * sine - a * cosine);
        target[i * cols + half + c] = static_cast<float>(a * sine + b * cosine);
      }
    }
  });
}

}  // namespace attnscope
