// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// One source for nvcc and for g++: what is CUDA's own comes from the compiler or from the emulation.
#ifdef __CUDACC__
#include <cuda_runtime.h>
// Shared memory of a block, without a constructor.
#define ATTN_SHARED(type, name) __shared__ type name
#define ATTN_UNROLL _Pragma("unroll")
#define ATTN_UNROLL_BY_4 _Pragma("unroll 4")
#define ATTN_NO_UNROLL _Pragma("unroll 1")
// At least two blocks on a multiprocessor: 128 registers a thread.
#define ATTN_KERNEL __global__ void __launch_bounds__(::attnscope::cuda::kThreads, 2)
// What sm_80 brought: tensor cores for TF32 and bf16, and copies that do not pass through registers.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define ATTN_AMPERE 1
#else
#define ATTN_AMPERE 0
#endif
#else
#include "kernels/cuda/emulation/cuda_emulation.h"
#define ATTN_SHARED(type, name) type& name = ::attnscope::cuda::emulation::sharedObject<type>()
#define ATTN_UNROLL
#define ATTN_UNROLL_BY_4
#define ATTN_NO_UNROLL
// Internal: a program that also holds the CUDA backend has nvcc's launchers under the same names.
#define ATTN_KERNEL static inline void
#define ATTN_AMPERE 1
#endif

#include <cmath>
#include <cstdint>

#include "kernels/cuda/device/args.h"

namespace attnscope::cuda {

inline constexpr float kNegativeInfinity = -__builtin_huge_valf();
inline constexpr unsigned kAllLanes = 0xffffffffU;

__device__ inline const float* headOf(const Rows& rows, int head) {
  // 32 bits: a division of 64 is a call on a GPU, and a call saves registers to memory.
  const unsigned held =
      static_cast<unsigned>(head) * static_cast<unsigned>(rows.held) / static_cast<unsigned>(rows.heads);
  return rows.data + held * rows.headSize;
}

// 16 bytes that are read at once.
struct alignas(16) Four {
  float x, y, z, w;
};
__device__ inline Four loadFour(const float* from) {
  return *reinterpret_cast<const Four*>(from);
}

__device__ inline float warpMaximum(float value) {
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  return value;
}
__device__ inline double warpSum(double value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

// Floats as integers of the same order, for atomicMax.
__device__ inline std::int32_t orderedBits(float value) {
  const std::int32_t bits = __float_as_int(value);
  return bits >= 0 ? bits : bits ^ 0x7fffffff;
}
__device__ inline float fromOrderedBits(std::int32_t bits) {
  return __int_as_float(bits >= 0 ? bits : bits ^ 0x7fffffff);
}

// sin and cos of any angle, without the table in local memory that sin() keeps for large ones.
struct SineCosine {
  double sine;
  double cosine;
};
__device__ inline SineCosine sineCosine(double angle) {
  const double turns = angle * 0.31830988618379067154;  // 1 / pi
  return {sinpi(turns), cospi(turns)};
}

}  // namespace attnscope::cuda
