// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "kernels/cuda/emulation/cuda_emulation.h"

namespace attnscope::cuda::emulation {

// What one lane gives to a product of its warp: 4 sums, 4 registers of the left and 2 of the right operand.
struct WarpProduct {
  MmaFormat format;
  float* c;
  const std::uint32_t* a;
  const std::uint32_t* b;
};

// c += a b of the whole warp. -1, or the lane whose registers hold no rounded TF32.
[[nodiscard]] int multiplyWarp(const std::array<WarpProduct*, 32>& lanes);

}  // namespace attnscope::cuda::emulation
