// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/portable.cuh"

namespace attnscope::cuda {

// A block of 256 threads makes a tile of 64 x 64 sums; thread t has the 4 x 4 of rows 4 (t / 16) .. and
// columns 4 (t % 16) .. in registers. Operands stand in shared memory by depth: [depth][kPitch].
inline constexpr int kPitch = kSide + 4;
inline constexpr int kDepth = 32;
inline constexpr int kOperand = kDepth * kPitch;

struct Cell {
  int row;
  int col;
};
__device__ inline Cell firstCell() {
  const int thread = static_cast<int>(threadIdx.x);
  return {thread / 16 * 4, thread % 16 * 4};
}
// In steps over rows four neighbouring threads share a row.
__device__ inline Cell rowShare() {
  const int thread = static_cast<int>(threadIdx.x);
  return {thread / 4, thread % 4};
}
__device__ inline float rowMaximum(float value) {
  value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, 1));
  return fmaxf(value, __shfl_xor_sync(kAllLanes, value, 2));
}
template <class T>
__device__ inline T rowSum(T value) {
  value += __shfl_xor_sync(kAllLanes, value, 1);
  return value + __shfl_xor_sync(kAllLanes, value, 2);
}

using Sums = float[4][4];

__device__ inline void clear(Sums& sums) {
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) sums[i][j] = 0.0F;
  }
}

// sums += left^T right over `depth` entries.
template <int depth>
__device__ inline void multiplyAdd(const float* left, const float* right, Sums& sums) {
  const Cell cell = firstCell();
  ATTN_UNROLL_BY_4
  for (int c = 0; c < depth; ++c) {
    const Four a = loadFour(left + c * kPitch + cell.row);
    const Four b = loadFour(right + c * kPitch + cell.col);
    sums[0][0] += a.x * b.x, sums[0][1] += a.x * b.y, sums[0][2] += a.x * b.z, sums[0][3] += a.x * b.w;
    sums[1][0] += a.y * b.x, sums[1][1] += a.y * b.y, sums[1][2] += a.y * b.z, sums[1][3] += a.y * b.w;
    sums[2][0] += a.z * b.x, sums[2][1] += a.z * b.y, sums[2][2] += a.z * b.z, sums[2][3] += a.z * b.w;
    sums[3][0] += a.w * b.x, sums[3][1] += a.w * b.y, sums[3][2] += a.w * b.z, sums[3][3] += a.w * b.w;
  }
}

// Columns [col, col + kDepth) of 64 rows, transposed; row(r) is a pointer or null. Everything that does not
// exist is `missing`.
template <class RowOf>
__device__ inline void loadTransposed(float* to, std::int64_t col, std::int64_t cols, float missing,
                                      RowOf row) {
  for (int e = static_cast<int>(threadIdx.x); e < kSide * kDepth; e += kThreads) {
    const int r = e / kDepth;
    const int c = e % kDepth;
    const float* from = row(r);
    to[c * kPitch + r] = from != nullptr && col + c < cols ? from[col + c] : missing;
  }
}

// Columns [col, col + 64) of `count` rows as they are, 0 where nothing is.
template <class RowOf>
__device__ inline void loadRows(float* to, int count, std::int64_t col, std::int64_t cols, RowOf row) {
  for (int e = static_cast<int>(threadIdx.x); e < count * kSide; e += kThreads) {
    const int r = e / kSide;
    const int c = e % kSide;
    const float* from = row(r);
    to[r * kPitch + c] = from != nullptr && col + c < cols ? from[col + c] : 0.0F;
  }
}

}  // namespace attnscope::cuda
