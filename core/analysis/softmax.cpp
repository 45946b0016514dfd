// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/softmax.h"

#include <algorithm>
#include <cmath>

namespace attnscope {

void softmaxInPlace(std::span<double> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  double total = 0.0;
  for (double& x : row) total += x = std::exp(x - largest);
  for (double& x : row) x /= total;
}

std::vector<double> softmaxProducts(std::span<const float> a, std::span<const float> b, Index d,
                                    double scale) {
  const Index rows = static_cast<Index>(a.size()) / d;
  const Index cols = static_cast<Index>(b.size()) / d;
  std::vector<double> weights(static_cast<std::size_t>(rows * cols));
  for (Index i = 0; i < rows; ++i) {
    const std::span<double> row(weights.data() + i * cols, static_cast<std::size_t>(cols));
    for (Index j = 0; j < cols; ++j) {
      double sum = 0.0;
      for (Index c = 0; c < d; ++c)
        sum += static_cast<double>(a[static_cast<std::size_t>(i * d + c)]) *
               b[static_cast<std::size_t>(j * d + c)];
      row[static_cast<std::size_t>(j)] = scale * sum;
    }
    softmaxInPlace(row);
  }
  return weights;
}

}  // namespace attnscope
