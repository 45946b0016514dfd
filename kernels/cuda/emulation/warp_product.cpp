// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/emulation/warp_product.h"

#include <cmath>

namespace attnscope::cuda::emulation {

namespace {

constexpr int kRows = 16;
constexpr int kCols = 8;
constexpr int kMostDepth = 16;
constexpr std::uint32_t kBelowTf32 = 0x1fff;  // bits of a float that TF32 has not

struct Matrices {
  float left[kRows][kMostDepth];
  float right[kMostDepth][kCols];
};

float ofBf16(std::uint32_t bits) {
  return std::bit_cast<float>(bits << 16);
}

// Of the PTX ISA's pages on fragments, by its formulas for row and column and not by what kernels read.
void place(const WarpProduct& lane, int number, Matrices& matrices) {
  const int group = number >> 2;
  const int member = number % 4;
  for (int i = 0; i < 4; ++i) {
    const int row = i % 2 == 0 ? group : group + 8;
    if (lane.format == MmaFormat::Tf32) {
      matrices.left[row][i < 2 ? member : member + 4] = std::bit_cast<float>(lane.a[i]);
    } else {
      const int col = member * 2 + (i < 2 ? 0 : 8);
      matrices.left[row][col] = ofBf16(lane.a[i] & 0xffffU);
      matrices.left[row][col + 1] = ofBf16(lane.a[i] >> 16);
    }
  }
  for (int i = 0; i < 2; ++i) {
    if (lane.format == MmaFormat::Tf32) {
      matrices.right[member + 4 * i][group] = std::bit_cast<float>(lane.b[i]);
    } else {
      const int row = member * 2 + 8 * i;
      matrices.right[row][group] = ofBf16(lane.b[i] & 0xffffU);
      matrices.right[row + 1][group] = ofBf16(lane.b[i] >> 16);
    }
  }
}

bool isRounded(const WarpProduct& lane) {
  if (lane.format != MmaFormat::Tf32) return true;
  std::uint32_t all = lane.b[0] | lane.b[1];
  for (int i = 0; i < 4; ++i) all |= lane.a[i];
  return (all & kBelowTf32) == 0;
}

}  // namespace

std::uint32_t roundToTf32(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (!std::isfinite(x)) return bits & ~kBelowTf32;
  return (bits + (kBelowTf32 + 1) / 2) & ~kBelowTf32;
}

std::uint16_t roundToBf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (std::isnan(x)) return 0x7fff;
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}

int multiplyWarp(const std::array<WarpProduct*, 32>& lanes) {
  Matrices matrices{};
  for (int lane = 0; lane < 32; ++lane) {
    const WarpProduct& share = *lanes[static_cast<std::size_t>(lane)];
    if (!isRounded(share)) return lane;
    place(share, lane, matrices);
  }
  const int depth = lanes[0]->format == MmaFormat::Tf32 ? 8 : 16;
  for (int lane = 0; lane < 32; ++lane) {
    float* c = lanes[static_cast<std::size_t>(lane)]->c;
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8;
      const int col = lane % 4 * 2 + (i & 1);
      double sum = static_cast<double>(c[i]);
      for (int k = 0; k < depth; ++k)
        sum += static_cast<double>(matrices.left[row][k]) * static_cast<double>(matrices.right[k][col]);
      c[i] = static_cast<float>(sum);
    }
  }
  return -1;
}

}  // namespace attnscope::cuda::emulation
