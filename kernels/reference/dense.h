// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <vector>

#include "kernels/reference/oracle.h"

namespace attnscope::dense {

// Row-major matrix of doubles: the plain mathematics that the oracles are written in.
struct Matrix {
  Index rows = 0;
  Index cols = 0;
  std::vector<double> cells;

  Matrix() = default;
  Matrix(Index r, Index c) : rows(r), cols(c), cells(static_cast<std::size_t>(r * c), 0.0) {}
  double& at(Index r, Index c) { return cells[static_cast<std::size_t>(r * cols + c)]; }
  [[nodiscard]] double at(Index r, Index c) const { return cells[static_cast<std::size_t>(r * cols + c)]; }
};

// Queries, keys and values of the request's head.
[[nodiscard]] Matrix queries(const OracleRequest& request);
[[nodiscard]] Matrix keys(const OracleRequest& request);
[[nodiscard]] Matrix values(const OracleRequest& request);
// One head of a tensor (H, rows, cols).
[[nodiscard]] Matrix headOf(const Tensor& tensor, Index head);

[[nodiscard]] Matrix multiply(const Matrix& a, const Matrix& b);
[[nodiscard]] double dot(const Matrix& a, Index i, const Matrix& b, Index j);

// Softmax by rows of scale * q k^T + bias over the pairs that `allowed` admits; an empty row stays 0 with lse
// -inf.
struct Softmax {
  Matrix weights;
  std::vector<double> lse;
};
[[nodiscard]] Softmax softmax(const Matrix& logits, const std::function<bool(Index, Index)>& allowed);

// Position of query i on the key axis.
[[nodiscard]] inline Index positionOf(Index i, Index nQ, Index nK) {
  return i + nK - nQ;
}

// Result of a mechanism whose weights are on the tokens.
[[nodiscard]] OracleHead fromWeights(Softmax softmax, const Matrix& v,
                                     const std::function<bool(Index, Index)>& allowed);

}  // namespace attnscope::dense
