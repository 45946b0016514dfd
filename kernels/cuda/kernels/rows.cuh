// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/portable.cuh"

namespace attnscope::cuda {

// Kernels that make each cell or each row of their output alone. Cells: grid.x covers rows * cols. Rows: a
// warp each, 8 a block. grid.y: heads.
__device__ inline std::int64_t cellIndex() {
  return static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
}
__device__ inline std::int64_t warpRow() {
  return static_cast<std::int64_t>(blockIdx.x) * (kThreads / 32) + threadIdx.x / 32;
}
__device__ inline int lane() {
  return static_cast<int>(threadIdx.x % 32);
}
__device__ inline int headIndex() {
  return static_cast<int>(blockIdx.y);
}

ATTN_KERNEL runFill(FillArgs args) {
  const std::int64_t i = cellIndex();
  if (i < args.count) args.out[i] = args.word;
}

// NaN counts as infinite: it must not pass for a small number.
ATTN_KERNEL runLargestSize(LargestSizeArgs args) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * kThreads;
  float largest = 0.0F;
  for (std::int64_t i = cellIndex(); i < args.count; i += stride) {
    const float size = fabsf(args.in[i]);
    largest = size == size ? fmaxf(largest, size) : -kNegativeInfinity;
  }
  largest = warpMaximum(largest);
  if (lane() == 0) atomicMax(args.out, __float_as_int(largest));
}

ATTN_KERNEL runMerge(MergeArgs args) {
  const std::int64_t row = warpRow();
  const int head = headIndex();
  if (row >= args.rows) return;
  float largest = kNegativeInfinity;
  for (int p = 0; p < args.parts; ++p) largest = fmaxf(largest, headOf(args.lses[p], head)[row]);
  const bool none = largest == kNegativeInfinity;
  double sum = 0.0;
  for (int p = 0; p < args.parts && !none; ++p)
    sum += static_cast<double>(expf(headOf(args.lses[p], head)[row] - largest));
  const double inverse = none ? 0.0 : 1.0 / sum;
  for (std::int64_t c = lane(); c < args.cols; c += 32) {
    double value = 0.0;
    for (int p = 0; p < args.parts && !none; ++p)
      value += static_cast<double>(expf(headOf(args.lses[p], head)[row] - largest)) *
               static_cast<double>(headOf(args.outs[p], head)[row * args.cols + c]);
    args.out[(head * args.rows + row) * args.cols + c] = static_cast<float>(value * inverse);
  }
  if (lane() == 0)
    args.lse[head * args.rows + row] =
        none ? largest : static_cast<float>(static_cast<double>(largest) + log(sum));
}

ATTN_KERNEL runBias(BiasArgs args) {
  const std::int64_t i = cellIndex();
  const int head = headIndex();
  const std::int64_t size = args.rows * args.in.cols;
  if (i >= size) return;
  float value = headOf(args.in, head)[i];
  if (args.bias.data != nullptr) value += headOf(args.bias, head)[i % args.in.cols];
  args.out[head * size + i] = args.relu != 0 ? fmaxf(value, 0.0F) : value;
}

ATTN_KERNEL runSegments(SegmentsArgs args) {
  const std::int64_t segment = warpRow();
  const int head = headIndex();
  if (segment >= args.segments) return;
  const std::int64_t cols = args.in.cols;
  const std::int64_t begin = args.bounds[segment];
  const std::int64_t end = args.bounds[segment + 1];
  const std::int64_t last = args.kind == SegmentsArgs::First && end > begin ? begin + 1 : end;
  const float* in = headOf(args.in, head);
  for (std::int64_t c = lane(); c < cols; c += 32) {
    double sum = 0.0;
    float largest = kNegativeInfinity;
    for (std::int64_t j = begin; j < last; ++j) {
      sum += static_cast<double>(in[j * cols + c]);
      largest = fmaxf(largest, in[j * cols + c]);
    }
    float value = 0.0F;
    if (last > begin)
      value = args.kind == SegmentsArgs::Max ? largest
                                             : static_cast<float>(sum / static_cast<double>(last - begin));
    args.out[(head * args.segments + segment) * cols + c] = value;
  }
}

ATTN_KERNEL runMix(MixArgs args) {
  const std::int64_t row = warpRow();  // of the output: mixed block and row in it
  const int head = headIndex();
  if (row >= args.mixed * args.block) return;
  const std::int64_t cols = args.in.cols;
  const std::int64_t blocks = args.mix.cols;
  const std::int64_t t = row % args.block;
  const bool inAll = (blocks - 1) * args.block + t < args.n;
  const float* shares = headOf(inAll ? args.mix : args.shortMix, head) + row / args.block * blocks;
  const float* in = headOf(args.in, head);
  for (std::int64_t c = lane(); c < cols; c += 32) {
    double sum = 0.0;
    for (std::int64_t v = 0; v < blocks && v * args.block + t < args.n; ++v)
      sum += static_cast<double>(shares[v]) * static_cast<double>(in[(v * args.block + t) * cols + c]);
    args.out[(head * args.mixed * args.block + row) * cols + c] = static_cast<float>(sum);
  }
}

ATTN_KERNEL runConvolve(ConvolveArgs args) {
  const std::int64_t slot = warpRow();
  const int head = headIndex();
  if (slot >= args.rows) return;
  const std::int64_t cols = args.in.cols;
  const float* in = headOf(args.in, head);
  const float* taps = headOf(args.weight, head);
  const bool biased = args.bias.data != nullptr && args.alone == nullptr && slot * args.stride < args.n;
  for (std::int64_t c = lane(); c < cols; c += 32) {
    double sum = biased ? static_cast<double>(headOf(args.bias, head)[c]) : 0.0;
    for (std::int64_t t = 0; t < args.stride && slot * args.stride + t < args.n; ++t) {
      const float* row = in + (slot * args.stride + t) * cols;
      if (args.alone != nullptr) {
        sum += args.alone[head * args.stride + t] * static_cast<double>(row[c]);
        continue;
      }
      const float* tap = taps + t * cols * cols + c;
      for (std::int64_t a = 0; a < cols; ++a)
        sum += static_cast<double>(row[a]) * static_cast<double>(tap[a * cols]);
    }
    args.out[(head * args.rows + slot) * cols + c] = static_cast<float>(sum);
  }
}

ATTN_KERNEL runNormalise(NormaliseArgs args) {
  const std::int64_t row = warpRow();
  const int head = headIndex();
  if (row >= args.rows) return;  // the whole warp
  const std::int64_t d = args.in.cols;
  const float* in = headOf(args.in, head) + row * d;
  double mean = 0.0;
  if (args.standard != 0) {
    for (std::int64_t c = lane(); c < d; c += 32) mean += static_cast<double>(in[c]);
    mean = warpSum(mean) * args.inverseCols;
  }
  double squares = 0.0;
  for (std::int64_t c = lane(); c < d; c += 32) {
    const double less = static_cast<double>(in[c]) - mean;
    squares += less * less;
  }
  squares = warpSum(squares);
  if (args.standard != 0) squares = squares * args.inverseCols + 1e-6;
  const double factor = squares > 0.0 ? rsqrt(squares) : 0.0;
  for (std::int64_t c = lane(); c < d; c += 32)
    args.out[(head * args.rows + row) * d + c] =
        static_cast<float>((static_cast<double>(in[c]) - mean) * factor);
}

ATTN_KERNEL runFeatures(FeaturesArgs args) {
  const std::int64_t i = cellIndex();
  const int head = headIndex();
  const std::int64_t size = args.rows * args.outCols;
  if (i >= size) return;
  const std::int64_t col = i % args.outCols;
  const float* in = headOf(args.in, head) + i / args.outCols * args.in.cols;
  const float x = in[args.kind == FeaturesArgs::Poly2 ? col / args.in.cols : col];
  float value = fmaxf(x, 0.0F);
  if (args.kind == FeaturesArgs::Elu1) value = x > 0.0F ? x + 1.0F : expf(x);
  if (args.kind == FeaturesArgs::Exp) value = expf(x);
  if (args.kind == FeaturesArgs::Relu2) value *= value;
  if (args.kind == FeaturesArgs::Poly2) value = x * in[col % args.in.cols];
  args.out[head * size + i] = value;
}

ATTN_KERNEL runRowNorms(RowNormsArgs args) {
  const std::int64_t row = warpRow();
  const int head = headIndex();
  if (row >= args.rows) return;
  const float* in = headOf(args.in, head) + row * args.in.cols;
  double sum = 0.0;
  for (std::int64_t c = lane(); c < args.in.cols; c += 32)
    sum += static_cast<double>(in[c]) * static_cast<double>(in[c]);
  sum = 0.5 * args.scale * args.scale * warpSum(sum);
  if (lane() != 0) return;
  args.half[head * args.rows + row] = sum;
  atomicMax(args.largest + head, static_cast<unsigned long long>(__double_as_longlong(sum)));
}

ATTN_KERNEL runRandomFeatures(RandomFeaturesArgs args) {
  const std::int64_t i = cellIndex();
  const int head = headIndex();
  if (i >= args.rows * args.m) return;
  const std::int64_t row = i / args.m;
  const std::int64_t a = i % args.m;
  const bool pairs = args.kind == RandomFeaturesArgs::Hyperbolic || args.kind == RandomFeaturesArgs::Trig;
  const std::int64_t width = pairs ? 2 * args.m : args.m;
  float* out = args.out + (head * args.rows + row) * width;
  const float product = args.products[head * args.rows * args.m + i];
  const double half = args.half[head * args.rows + row];
  const float damping = static_cast<float>(half);
  switch (args.kind) {
    case RandomFeaturesArgs::Positive:
      out[a] = product - damping;
      break;
    case RandomFeaturesArgs::Hyperbolic:
      out[a] = product - damping;
      out[args.m + a] = -product - damping;
      break;
    case RandomFeaturesArgs::Trig: {
      double factor = 1.0;
      if (args.largest != nullptr)
        factor = exp(half - __longlong_as_double(static_cast<long long>(args.largest[head])));
      const SineCosine turned = sineCosine(static_cast<double>(product));
      out[a] = static_cast<float>(factor * turned.sine);
      out[args.m + a] = static_cast<float>(factor * turned.cosine);
      break;
    }
    default:
      out[a] = fmaxf(product, 0.0F) + args.eps;
  }
}

ATTN_KERNEL runGather(GatherArgs args) {
  const std::int64_t row = warpRow();
  const int head = headIndex();
  if (row >= args.rows) return;
  const GatherHead& sparse = args.heads[head];
  for (std::int64_t c = lane(); c < args.cols; c += 32) {
    float sum = 0.0F;
    for (std::int64_t e = sparse.begin[row]; e < sparse.begin[row + 1]; ++e) {
      const GatherEntry entry = sparse.entries[e];
      sum += entry.weight * headOf(args.in[entry.input], head)[entry.row * args.cols + c];
    }
    args.out[(head * args.rows + row) * args.cols + c] = sum;
  }
}

ATTN_KERNEL runConcat(ConcatArgs args) {
  const std::int64_t i = cellIndex();
  const int head = headIndex();
  const std::int64_t cols = args.in.cols;
  if (i >= args.rows * cols) return;
  args.out[(head * args.rows + i / cols) * args.outCols + args.at + i % cols] =
      args.factor * headOf(args.in, head)[i];
}

ATTN_KERNEL runRotate(RotateArgs args) {
  const std::int64_t row = warpRow();
  const int head = headIndex();
  if (row >= args.rows) return;
  const std::int64_t cols = args.in.cols;
  const std::int64_t half = cols / 2;
  const float* in = headOf(args.in, head) + row * cols;
  float* out = args.out + (head * args.rows + row) * cols;
  for (std::int64_t c = lane(); c < half; c += 32) {
    const SineCosine turned = sineCosine(args.positions[row] * args.frequencies[c]);
    const double a = static_cast<double>(in[c]);
    const double b = static_cast<double>(in[half + c]);
    out[c] = static_cast<float>(b * turned.sine - a * turned.cosine);
    out[half + c] = static_cast<float>(a * turned.sine + b * turned.cosine);
  }
}

}  // namespace attnscope::cuda
