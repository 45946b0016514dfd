// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/tile.cuh"

namespace attnscope::cuda {

struct ProductShared {
  alignas(16) float left[kOperand];
  alignas(16) float right[kOperand];
};

// One tile of a product of one head. Long sums are taken in pieces of 512 and the pieces added in double, so
// that they keep their digits. Grid: tiles of columns, tiles of rows, heads.
ATTN_KERNEL runProduct(ProductArgs args) {
  ATTN_SHARED(ProductShared, shared);
  constexpr int kPiece = 512;
  const int head = static_cast<int>(blockIdx.z);
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.y) * kSide;
  const std::int64_t col0 = static_cast<std::int64_t>(blockIdx.x) * kSide;
  const float* a = headOf(args.a, head);
  const float* b = headOf(args.b, head);
  const float* bias = args.bias.data != nullptr ? headOf(args.bias, head) : nullptr;
  double totals[4][4] = {};
  for (std::int64_t begin = 0; begin < args.depth; begin += kPiece) {
    const std::int64_t end = begin + kPiece < args.depth ? begin + kPiece : args.depth;
    Sums sums;
    clear(sums);
    for (std::int64_t at = begin; at < end; at += kDepth) {
      loadTransposed(shared.left, at, args.depth, 0.0F,
                     [&](int r) { return row0 + r < args.m ? a + (row0 + r) * args.a.cols : nullptr; });
      loadRows(shared.right, kDepth, col0, args.n,
               [&](int r) { return at + r < args.depth ? b + (at + r) * args.b.cols : nullptr; });
      __syncthreads();
      multiplyAdd<kDepth>(shared.left, shared.right, sums);
      __syncthreads();
    }
    ATTN_UNROLL
    for (int i = 0; i < 4; ++i) {
      ATTN_UNROLL
      for (int j = 0; j < 4; ++j) totals[i][j] += static_cast<double>(sums[i][j]);
    }
  }
  const Cell cell = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const std::int64_t row = row0 + cell.row + i;
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t col = col0 + cell.col + j;
      if (row >= args.m || col >= args.n) continue;
      float value = static_cast<float>(totals[i][j]);
      if (bias != nullptr) value += bias[col];
      if (args.relu != 0) value = fmaxf(value, 0.0F);
      args.out[(head * args.m + row) * args.n + col] = value;
    }
  }
}

}  // namespace attnscope::cuda
