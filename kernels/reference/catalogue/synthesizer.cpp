// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

// x W + b for all rows.
dense::Matrix layer(const OracleRequest& request, const dense::Matrix& x, const std::string& weight,
                    const std::string& bias) {
  dense::Matrix y = dense::multiply(x, dense::headOf(request.tensors.at(weight), request.head));
  const auto b = request.tensors.at(bias).slice<float>(request.head);
  for (Index i = 0; i < y.rows; ++i)
    for (Index c = 0; c < y.cols; ++c) y.at(i, c) += static_cast<double>(b[static_cast<std::size_t>(c)]);
  return y;
}

// Any matrix with at least the rows and columns of the logits.
dense::Matrix synthesised(const OracleRequest& request, const dense::Matrix& x, Index keys) {
  const std::string& mode = request.params.choice("mode");
  const auto tensor = [&](const char* name) { return dense::headOf(request.tensors.at(name), request.head); };
  if (mode == "random") return tensor("logits");
  if (mode == "dense") {
    dense::Matrix hidden = layer(request, x, "w1", "b1");
    for (double& value : hidden.cells) value = std::max(0.0, value);
    return layer(request, hidden, "w2", "b2");
  }
  dense::Matrix logits(x.rows, keys);
  if (mode == "factorised-random") {
    const auto a = tensor("logits_a");
    const auto b = tensor("logits_b");
    for (Index i = 0; i < x.rows; ++i)
      for (Index j = 0; j < keys; ++j) logits.at(i, j) = dense::dot(a, i, b, j);
    return logits;
  }
  const auto a = layer(request, x, "w_a", "b_a");
  const auto b = layer(request, x, "w_b", "b_b");
  for (Index i = 0; i < x.rows; ++i)
    for (Index j = 0; j < keys; ++j) logits.at(i, j) = a.at(i, j / b.cols) * b.at(i, j % b.cols);
  return logits;
}

}  // namespace

Result<OracleHead> synthesizerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const double alpha = request.params.real("alpha");
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const auto table = synthesised(request, q, k.rows);
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j)
      logits.at(i, j) = (1.0 - alpha) * scale * dense::dot(q, i, k, j) + alpha * table.at(i, j);
  const auto allowed = [&](Index i, Index j) {
    return !request.options.causal || j <= dense::positionOf(i, q.rows, k.rows);
  };
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
