// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/reference/dense.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace attnscope::dense {

Matrix headOf(const Tensor& tensor, Index head) {
  Matrix matrix(tensor.dim(1), tensor.dim(2));
  const auto from = tensor.slice<float>(tensor.dim(0) == 1 ? 0 : head);
  std::copy(from.begin(), from.end(), matrix.cells.begin());
  return matrix;
}

Matrix queries(const OracleRequest& request) {
  return headOf(request.input.q, request.head);
}
Matrix keys(const OracleRequest& request) {
  return headOf(request.input.k, request.input.kvHead(request.head));
}
Matrix values(const OracleRequest& request) {
  return headOf(request.input.v, request.input.kvHead(request.head));
}

Matrix multiply(const Matrix& a, const Matrix& b) {
  Matrix product(a.rows, b.cols);
  for (Index i = 0; i < a.rows; ++i)
    for (Index t = 0; t < a.cols; ++t)
      for (Index j = 0; j < b.cols; ++j) product.at(i, j) += a.at(i, t) * b.at(t, j);
  return product;
}

double dot(const Matrix& a, Index i, const Matrix& b, Index j) {
  double sum = 0.0;
  for (Index c = 0; c < a.cols; ++c) sum += a.at(i, c) * b.at(j, c);
  return sum;
}

Softmax softmax(const Matrix& logits, const std::function<bool(Index, Index)>& allowed) {
  Softmax result{Matrix(logits.rows, logits.cols), {}};
  for (Index i = 0; i < logits.rows; ++i) {
    double largest = -std::numeric_limits<double>::infinity();
    for (Index j = 0; j < logits.cols; ++j)
      if (allowed(i, j)) largest = std::max(largest, logits.at(i, j));
    double sum = 0.0;
    for (Index j = 0; j < logits.cols; ++j)
      if (allowed(i, j)) sum += result.weights.at(i, j) = std::exp(logits.at(i, j) - largest);
    for (Index j = 0; j < logits.cols && sum > 0.0; ++j) result.weights.at(i, j) /= sum;
    result.lse.push_back(sum > 0.0 ? largest + std::log(sum) : -std::numeric_limits<double>::infinity());
  }
  return result;
}

OracleHead fromWeights(Softmax softmax, const Matrix& v, const std::function<bool(Index, Index)>& allowed) {
  OracleHead head;
  head.out = multiply(softmax.weights, v).cells;
  for (Index i = 0; i < softmax.weights.rows; ++i)
    for (Index j = 0; j < softmax.weights.cols; ++j) head.support.push_back(allowed(i, j) ? 1 : 0);
  head.matrix = std::move(softmax.weights.cells);
  head.lse = std::move(softmax.lse);
  return head;
}

}  // namespace attnscope::dense
