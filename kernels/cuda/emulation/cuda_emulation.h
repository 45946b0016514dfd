// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

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

// Fibres change only at barriers and exchanges, so plain reads and writes are atomic.
template <class T>
T atomicMax(T* place, T value) {
  const T before = *place;
  if (value > before) *place = value;
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
