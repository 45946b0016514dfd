// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/tensor.h"

namespace attnscope {

// The scalar that stands for a (d, d) map between channels where channels cannot be told apart: trace / d.
// Exact if the map is that multiple of the identity.
[[nodiscard]] inline double meanDiagonal(const float* map, Index d) {
  double trace = 0.0;
  for (Index c = 0; c < d; ++c) trace += static_cast<double>(map[c * d + c]);
  return trace / static_cast<double>(d);
}

// True if the map is a multiple of the identity, cell by cell.
[[nodiscard]] inline bool isScalarMap(const float* map, Index d) {
  for (Index a = 0; a < d; ++a)
    for (Index c = 0; c < d; ++c)
      if (map[a * d + c] != (a == c ? map[0] : 0.0F)) return false;
  return true;
}

}  // namespace attnscope
