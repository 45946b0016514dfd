// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

// W = P2 P1: the inducing points read all keys, the queries read the inducing points.
Result<OracleHead> setOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto v = dense::values(request);
  const auto inducing = dense::headOf(request.tensors.at("inducing"), request.head);
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const auto all = [](Index, Index) { return true; };
  const auto logits = [scale](const dense::Matrix& a, const dense::Matrix& b) {
    dense::Matrix products(a.rows, b.rows);
    for (Index i = 0; i < a.rows; ++i)
      for (Index j = 0; j < b.rows; ++j) products.at(i, j) = scale * dense::dot(a, i, b, j);
    return products;
  };
  const dense::Matrix p1 = dense::softmax(logits(inducing, k), all).weights;
  const dense::Matrix p2 = dense::softmax(logits(q, dense::multiply(p1, k)), all).weights;
  OracleHead head;
  head.out = dense::multiply(p2, dense::multiply(p1, v)).cells;
  head.matrix = dense::multiply(p2, p1).cells;
  head.slotCount = inducing.rows;
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows + inducing.rows; ++j) head.support.push_back(j >= k.rows ? 1 : 0);
  return head;
}

}  // namespace attnscope
