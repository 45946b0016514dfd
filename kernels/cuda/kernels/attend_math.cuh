// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/async_copy.cuh"
#include "kernels/cuda/kernels/tensor_core.cuh"
#include "kernels/cuda/kernels/tile.cuh"

// How an attend block multiplies: in float32, or on tensor cores. Each way says where its operands stand in
// shared memory and which 16 cells of the tile a thread sums; the kernel around it is one (attend.cuh).
//   cell(i, j)        of sums[i][j]
//   place(row, key)   of a logit or weight
//   loadOperand       kSlice columns of 64 queries or keys, asynchronously
//   multiplyOperands  sums += queries keys^T over a slice
//   multiplyValues    sums += weights values over kHalf keys from firstKey on
namespace attnscope::cuda {

inline constexpr int kSlice = 16;        // columns of queries and keys that are loaded at once
inline constexpr int kHalf = kSide / 2;  // values that are loaded at once

struct Float32Math {
  static constexpr int kOperandFloats = kSlice * kPitch;
  static constexpr int kValuePitch = kPitch;

  __device__ static Cell cell(int i, int j) {
    const Cell first = firstCell();
    return {first.row + i, first.col + j};
  }
  __device__ static int place(int row, int key) { return key * kPitch + row; }
  template <class RowOf>
  __device__ static void loadOperand(float* to, std::int64_t col, std::int64_t cols, RowOf row) {
    copyTransposed<kSide, kSlice, kPitch>(to, col, cols, row);
  }
  __device__ static void multiplyOperands(const float* queries, const float* keys, Sums& sums) {
    multiplyAdd<kSlice>(queries, keys, sums);
  }
  __device__ static void multiplyValues(const float* weights, int firstKey, const float* values, Sums& sums) {
    multiplyAdd<kHalf>(weights + place(0, firstKey), values, sums);
  }
};

#if ATTN_AMPERE
// Warp w sums rows 16 (w % 4) .. and columns 32 (w / 4) .., four products of 16 x 8 beside each other. The
// pitches keep the lanes of a fragment in different banks.
template <class Format>
struct TensorMath {
  static constexpr int kOperandPitch = kSlice + 4;
  static constexpr int kOperandFloats = kSide * kOperandPitch;
  static constexpr int kValuePitch = kSide + 8;

  __device__ static int warpRow() { return static_cast<int>(threadIdx.x) / 32 % 4 * 16; }
  __device__ static int warpCol() { return static_cast<int>(threadIdx.x) / 128 * 32; }
  __device__ static Cell cell(int i, int j) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    return {warpRow() + lane / 4 + j / 2 * 8, warpCol() + 8 * i + lane % 4 * 2 + j % 2};
  }
  __device__ static int place(int row, int key) { return row * kPitch + key; }
  template <class RowOf>
  __device__ static void loadOperand(float* to, std::int64_t col, std::int64_t cols, RowOf row) {
    copyRows<kSide, kSlice, kOperandPitch>(to, col, cols, row);
  }
  __device__ static void multiplyOperands(const float* queries, const float* keys, Sums& sums) {
    multiply<kSlice>(queries + warpRow() * kOperandPitch, kOperandPitch, keys + warpCol() * kOperandPitch, 1,
                     kOperandPitch, sums);
  }
  __device__ static void multiplyValues(const float* weights, int firstKey, const float* values, Sums& sums) {
    multiply<kHalf>(weights + place(warpRow(), firstKey), kPitch, values + warpCol(), kValuePitch, 1, sums);
  }

 private:
  template <int depth>
  __device__ static void multiply(const float* left, int pitch, const float* right, int depthStep,
                                  int colStep, Sums& sums) {
    ATTN_UNROLL
    for (int k = 0; k < depth; k += Format::kDepth) {
      const LeftFragment a = Format::left(left + k, pitch);
      ATTN_UNROLL
      for (int i = 0; i < 4; ++i)
        Format::multiplyAdd(sums[i], a,
                            Format::right(right + k * depthStep + 8 * i * colStep, depthStep, colStep));
    }
  }
};
#endif

}  // namespace attnscope::cuda
