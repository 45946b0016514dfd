// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/portable.cuh"

// Products of a warp on tensor cores: c (16 x 8) += a (16 x K) b (K x 8), inputs rounded to the format, sums
// in float32. Which lane holds which elements is fixed by the PTX ISA ("Matrix fragments for mma.m16n8k8" and
// "mma.m16n8k16"): with g = lane / 4 and t = lane % 4,
//   c0 c1: row g, columns 2t and 2t + 1; c2 c3: row g + 8.
//   TF32, K = 8:   a0 (g, t), a1 (g + 8, t), a2 (g, t + 4), a3 (g + 8, t + 4); b0 (t, g), b1 (t + 4, g).
//   bf16, K = 16:  pairs along K, the smaller in the low half. a0 (g, 2t), a1 (g + 8, 2t), a2 (g, 2t + 8),
//                  a3 (g + 8, 2t + 8); b0 (2t, g), b1 (2t + 8, g).
namespace attnscope::cuda {

struct LeftFragment {
  std::uint32_t a[4];
};
struct RightFragment {
  std::uint32_t b[2];
};

#if defined(__CUDACC__) && ATTN_AMPERE
__device__ inline std::uint32_t roundToTf32(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
__device__ inline std::uint32_t roundToBf16(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
__device__ inline void mmaTf32(float (&c)[4], const LeftFragment& left, const RightFragment& right) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(left.a[0]), "r"(left.a[1]), "r"(left.a[2]), "r"(left.a[3]), "r"(right.b[0]), "r"(right.b[1]));
}
__device__ inline void mmaBf16(float (&c)[4], const LeftFragment& left, const RightFragment& right) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(left.a[0]), "r"(left.a[1]), "r"(left.a[2]), "r"(left.a[3]), "r"(right.b[0]), "r"(right.b[1]));
}
#elif !defined(__CUDACC__)
inline std::uint32_t roundToTf32(float x) {
  return emulation::roundToTf32(x);
}
inline std::uint32_t roundToBf16(float low, float high) {
  return emulation::roundToBf16(low) | static_cast<std::uint32_t>(emulation::roundToBf16(high)) << 16;
}
inline void mmaTf32(float (&c)[4], const LeftFragment& left, const RightFragment& right,
                    const std::source_location where = std::source_location::current()) {
  emulation::multiplyInWarp(emulation::MmaFormat::Tf32, c, left.a, right.b, where);
}
inline void mmaBf16(float (&c)[4], const LeftFragment& left, const RightFragment& right,
                    const std::source_location where = std::source_location::current()) {
  emulation::multiplyInWarp(emulation::MmaFormat::Bf16, c, left.a, right.b, where);
}
#endif

#if ATTN_AMPERE
// Fragments out of shared memory. left(row, k) stands at left[row * pitch + k], right(k, col) at
// right[k * depthStep + col * colStep].
struct Tf32 {
  static constexpr int kDepth = 8;
  __device__ static LeftFragment left(const float* at, int pitch) {
    const float* from = at + group() * pitch + member();
    return {{roundToTf32(from[0]), roundToTf32(from[8 * pitch]), roundToTf32(from[4]),
             roundToTf32(from[8 * pitch + 4])}};
  }
  __device__ static RightFragment right(const float* at, int depthStep, int colStep) {
    const float* from = at + member() * depthStep + group() * colStep;
    return {{roundToTf32(from[0]), roundToTf32(from[4 * depthStep])}};
  }
  __device__ static void multiplyAdd(float (&c)[4], const LeftFragment& left, const RightFragment& right) {
    mmaTf32(c, left, right);
  }
  __device__ static int group() { return static_cast<int>(threadIdx.x) % 32 / 4; }
  __device__ static int member() { return static_cast<int>(threadIdx.x) % 4; }
};

struct Bf16 {
  static constexpr int kDepth = 16;
  __device__ static LeftFragment left(const float* at, int pitch) {
    const float* from = at + Tf32::group() * pitch + 2 * Tf32::member();
    const float* below = from + 8 * pitch;
    return {{roundToBf16(from[0], from[1]), roundToBf16(below[0], below[1]), roundToBf16(from[8], from[9]),
             roundToBf16(below[8], below[9])}};
  }
  __device__ static RightFragment right(const float* at, int depthStep, int colStep) {
    const float* from = at + 2 * Tf32::member() * depthStep + Tf32::group() * colStep;
    return {{roundToBf16(from[0], from[depthStep]), roundToBf16(from[8 * depthStep], from[9 * depthStep])}};
  }
  __device__ static void multiplyAdd(float (&c)[4], const LeftFragment& left, const RightFragment& right) {
    mmaBf16(c, left, right);
  }
};
#endif

}  // namespace attnscope::cuda
