// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace attnscope {

// Vectorised loops that find the largest of many numbers. Raw pointers for the reason that tile_math.h gives.
namespace selection {

using Index = std::int64_t;

// The largest of n >= 1 numbers, or the one of largest size.
struct Lead {
  Index place = 0;  // the first, if there are several
  float value = 0.0F;
  bool clear = false;  // all others are more than `slack` below it
};
Lead leader(const float* values, Index n, bool sizes, float slack);

// How many of n numbers are at least `threshold`.
Index countAtLeast(const float* values, Index n, float threshold);

// bits[i / 64] bit i % 64: values[i] >= threshold. n is a multiple of 64.
void markAtLeast(const float* values, Index n, float threshold, std::uint64_t* bits);

// Bit c of bits[r]: first[r] <= values[c] < first[r] + length[r]; 64 values, any number of rows.
void markWithin(const std::int32_t* values, const std::int32_t* first, const std::int32_t* length, Index rows,
                std::uint64_t* bits);

}  // namespace selection
}  // namespace attnscope
