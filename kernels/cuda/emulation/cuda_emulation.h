// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>
#include <vector>

// What kernel sources use of CUDA, for g++. Threads of a block are fibres of one thread of the processor (see
// emulator.h): each runs to its next barrier or exchange in a warp, so plain memory behaves as a GPU's would
// where all barriers stand, and wrongly, reproducibly, where one is missing.
namespace attnscope::cuda::emulation {

struct Index3 {
  unsigned x = 0;
  unsigned y = 0;
  unsigned z = 0;
};

// The fibre that runs now.
[[nodiscard]] const Index3& currentThread();
[[nodiscard]] const Index3& currentBlock();
[[nodiscard]] const Index3& currentGrid();

void waitForBlock(const std::source_location& where);
// Gives `bits` to the warp and takes those of `lane`; all lanes of the mask have to come, from the same
// place.
[[nodiscard]] std::uint64_t exchange(unsigned mask, std::uint64_t bits, int lane,
                                     const std::source_location& where);
[[nodiscard]] int currentLane();

// A copy to shared memory that has been started: it happens when its thread waits for it, and until then its
// place holds NaN. One that a thread never waits for is a mistake of the kernel.
struct PendingCopy {
  float* to;
  const float* from;
  int count;
};
[[nodiscard]] std::vector<PendingCopy>& pendingCopies();  // of the fibre that runs now
void reportMisaligned(const float* place, int count);
constexpr std::uint32_t kPoison = 0x7fc0dead;  // NaN as a float, and in pairs as a double

inline void copyAsync(float* to, const float* from, int count) {
  for (const float* place : {static_cast<const float*>(to), from})
    if (reinterpret_cast<std::uintptr_t>(place) % (sizeof(float) * static_cast<unsigned>(count)) != 0)
      reportMisaligned(place, count);
  for (int i = 0; i < count; ++i) to[i] = std::bit_cast<float>(kPoison);
  pendingCopies().push_back({to, from, count});
}
inline void waitForCopies() {
  for (const PendingCopy& copy : pendingCopies())
    for (int i = 0; i < copy.count; ++i) copy.to[i] = copy.from[i];
  pendingCopies().clear();
}

// To the nearest TF32 (10 bits of fraction), ties away from zero, as cvt.rna does; to the nearest bf16, ties
// to even, as cvt.rn does.
[[nodiscard]] std::uint32_t roundToTf32(float x);
[[nodiscard]] std::uint16_t roundToBf16(float x);

// mma.sync m16n8k8 on TF32 or m16n8k16 on bf16: all 32 lanes give their fragments and get their share of
// c + a b. Products are exact, the sum is made in double and rounded to float once; a tensor core rounds more
// often and by other rules, within the same bounds. Registers that hold no rounded TF32 are a mistake.
enum class MmaFormat { Tf32, Bf16 };
void multiplyInWarp(MmaFormat format, float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                    const std::source_location& where);

// Shared memory of the block, full of NaN when the block starts, with a guarded end.
[[nodiscard]] void* sharedMemory(std::size_t bytes);
template <class T>
[[nodiscard]] T& sharedObject() {
  static_assert(std::is_trivially_default_constructible_v<T>);
  return *static_cast<T*>(sharedMemory(sizeof(T)));
}

template <class T>
[[nodiscard]] std::uint64_t toBits(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
[[nodiscard]] T fromBits(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace attnscope::cuda::emulation

#define __device__
#define __global__
#define __host__
#define threadIdx (::attnscope::cuda::emulation::currentThread())
#define blockIdx (::attnscope::cuda::emulation::currentBlock())
#define gridDim (::attnscope::cuda::emulation::currentGrid())

inline void __syncthreads(const std::source_location where = std::source_location::current()) {
  attnscope::cuda::emulation::waitForBlock(where);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int laneMask,
                  const std::source_location where = std::source_location::current()) {
  namespace emulation = attnscope::cuda::emulation;
  return emulation::fromBits<T>(
      emulation::exchange(mask, emulation::toBits(value), emulation::currentLane() ^ laneMask, where));
}

template <class T>
T atomicMax(T* place, T value) {
  const std::atomic_ref<T> held(*place);
  T before = held.load(std::memory_order_relaxed);
  while (value > before && !held.compare_exchange_weak(before, value, std::memory_order_relaxed)) {
  }
  return before;
}

inline std::int32_t __float_as_int(float value) {
  return std::bit_cast<std::int32_t>(value);
}
inline float __int_as_float(std::int32_t bits) {
  return std::bit_cast<float>(bits);
}
inline long long __double_as_longlong(double value) {
  return std::bit_cast<long long>(value);
}
inline double __longlong_as_double(long long bits) {
  return std::bit_cast<double>(bits);
}

inline double rsqrt(double x) {
  return 1.0 / std::sqrt(x);
}

// Exact reduction to half turns before the angle is rounded, as CUDA's functions do.
inline double sinpi(double x) {
  return std::sin(3.14159265358979323846 * std::remainder(x, 2.0));
}
inline double cospi(double x) {
  return std::cos(3.14159265358979323846 * std::remainder(x, 2.0));
}
