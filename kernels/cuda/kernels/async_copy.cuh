// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/portable.cuh"

// Copies from global to shared memory that go on while the thread computes (PTX ISA, cp.async). What they
// bring may be read after waitForCopies() and, by other threads, a barrier after it. Before sm_80 a copy is a
// load and a store, done when the call returns.
namespace attnscope::cuda {

#if defined(__CUDACC__) && ATTN_AMPERE
__device__ inline void copyOne(float* to, const float* from) {
  asm volatile(
      "cp.async.ca.shared.global [%0], [%1], 4;\n" ::"r"(static_cast<unsigned>(__cvta_generic_to_shared(to))),
      "l"(from)
      : "memory");
}
__device__ inline void copyFour(float* to, const float* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to))),
               "l"(from)
               : "memory");
}
__device__ inline void waitForCopies() {
  asm volatile("cp.async.wait_all;\n" ::: "memory");
}
#elif defined(__CUDACC__)
__device__ inline void copyOne(float* to, const float* from) {
  *to = *from;
}
__device__ inline void copyFour(float* to, const float* from) {
  *reinterpret_cast<Four*>(to) = loadFour(from);
}
__device__ inline void waitForCopies() {}
#else
inline void copyOne(float* to, const float* from) {
  emulation::copyAsync(to, from, 1);
}
inline void copyFour(float* to, const float* from) {
  emulation::copyAsync(to, from, 4);
}
inline void waitForCopies() {
  emulation::waitForCopies();
}
#endif

// Columns [col, col + width) of `count` rows as they are, 0 where nothing is. row(r) is a pointer or null;
// `pitch` and `width` are multiples of 4, `to` and the rows begin at multiples of 16 bytes where `cols` is
// one.
template <int count, int width, int pitch, class RowOf>
__device__ inline void copyRows(float* to, std::int64_t col, std::int64_t cols, RowOf row) {
  const bool whole = cols % 4 == 0;
  for (int e = static_cast<int>(threadIdx.x); e < count * width / 4; e += kThreads) {
    const int r = e / (width / 4);
    const int c = e % (width / 4) * 4;
    const float* from = row(r);
    float* place = to + r * pitch + c;
    if (whole && from != nullptr && col + c < cols) {
      copyFour(place, from + col + c);
      continue;
    }
    ATTN_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (from != nullptr && col + c + i < cols)
        copyOne(place + i, from + col + c + i);
      else
        place[i] = 0.0F;
    }
  }
}

// The same, transposed: [width][pitch].
template <int count, int width, int pitch, class RowOf>
__device__ inline void copyTransposed(float* to, std::int64_t col, std::int64_t cols, RowOf row) {
  for (int e = static_cast<int>(threadIdx.x); e < count * width; e += kThreads) {
    const int r = e / width;
    const int c = e % width;
    const float* from = row(r);
    if (from != nullptr && col + c < cols)
      copyOne(to + c * pitch + r, from + col + c);
    else
      to[c * pitch + r] = 0.0F;
  }
}

}  // namespace attnscope::cuda
