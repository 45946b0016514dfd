// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/base/tensor.h"

namespace attnscope {

// exp(x - max) / sum of them, in double; not empty, all finite. For pictures and decisions on the host: the
// backends have kernels of their own.
void softmaxInPlace(std::span<double> row);

// Rows of softmax(scale a b^T) for row vectors a (rows, d) and b (cols, d): (rows, cols).
[[nodiscard]] std::vector<double> softmaxProducts(std::span<const float> a, std::span<const float> b, Index d,
                                                  double scale);

}  // namespace attnscope
