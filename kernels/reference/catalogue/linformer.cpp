// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

// Maximum of the keys of each segment, channel by channel: the one projection that is no matrix.
dense::Matrix segmentMaxima(const dense::Matrix& x, Index k) {
  dense::Matrix slots(k, x.cols);
  std::fill(slots.cells.begin(), slots.cells.end(), -std::numeric_limits<double>::infinity());
  for (Index a = 0; a < k; ++a)
    for (Index j = a * x.rows / k; j < (a + 1) * x.rows / k; ++j)
      for (Index c = 0; c < x.cols; ++c) slots.at(a, c) = std::max(slots.at(a, c), x.at(j, c));
  return slots;
}

dense::Matrix firstColumns(const dense::Matrix& matrix, Index cols) {
  dense::Matrix cut(matrix.rows, cols);
  for (Index r = 0; r < matrix.rows; ++r)
    for (Index c = 0; c < cols; ++c) cut.at(r, c) = matrix.at(r, c);
  return cut;
}

}  // namespace

Result<OracleHead> linformerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto keys = dense::keys(request);
  const auto v = dense::values(request);
  const Index k = request.params.integer("k");
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const auto e = request.tensors.find("proj_k");
  const auto slotKeys =
      e == request.tensors.end()
          ? segmentMaxima(keys, k)
          : dense::multiply(firstColumns(dense::headOf(e->second, request.head), keys.rows), keys);
  const auto f = firstColumns(dense::headOf(request.tensors.at("proj_v"), request.head), keys.rows);
  dense::Matrix logits(q.rows, k);
  for (Index i = 0; i < q.rows; ++i)
    for (Index a = 0; a < k; ++a) logits.at(i, a) = scale * dense::dot(q, i, slotKeys, a);
  dense::Softmax bar = dense::softmax(logits, [](Index, Index) { return true; });
  const dense::Matrix matrix = dense::multiply(bar.weights, f);
  OracleHead head;
  head.out = dense::multiply(matrix, v).cells;
  head.matrix = matrix.cells;
  head.lse = std::move(bar.lse);
  head.slotCount = k;
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < keys.rows + k; ++j) head.support.push_back(j < keys.rows ? 0 : 1);
  return head;
}

}  // namespace attnscope
