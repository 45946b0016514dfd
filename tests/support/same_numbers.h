// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>

#include "core/base/tensor.h"

namespace attnscope::testing {

// Whether two float32 tensors hold the same numbers, to the last bit but for signs of zero.
inline bool sameNumbers(const Tensor& a, const Tensor& b) {
  const auto x = a.values<float>();
  const auto y = b.values<float>();
  return std::equal(x.begin(), x.end(), y.begin(), y.end());
}

}  // namespace attnscope::testing
