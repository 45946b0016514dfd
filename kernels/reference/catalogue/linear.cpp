// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

dense::Matrix features(const dense::Matrix& x, const std::string& kind) {
  if (kind == "poly2") {
    dense::Matrix products(x.rows, x.cols * x.cols);
    for (Index i = 0; i < x.rows; ++i)
      for (Index a = 0; a < x.cols; ++a)
        for (Index b = 0; b < x.cols; ++b) products.at(i, a * x.cols + b) = x.at(i, a) * x.at(i, b);
    return products;
  }
  dense::Matrix mapped = x;
  for (double& value : mapped.cells) {
    if (kind == "elu1") value = value > 0.0 ? value + 1.0 : std::exp(value);
    if (kind == "exp") value = std::exp(value);
    if (kind == "relu") value = std::max(value, 0.0);
    if (kind == "relu2") value = std::max(value, 0.0) * std::max(value, 0.0);
  }
  return mapped;
}

}  // namespace

// The quadratic form, without any state: W_ij = phi(q_i).phi(k_j) / (sum over the keys read + eps).
Result<OracleHead> linearOracle(const OracleRequest& request) {
  const auto phiQ = features(dense::queries(request), request.params.choice("feature"));
  const auto phiK = features(dense::keys(request), request.params.choice("feature"));
  const auto v = dense::values(request);
  const double eps = request.params.real("eps");
  const auto allowed = [&](Index i, Index j) {
    return !request.options.causal || j <= dense::positionOf(i, phiQ.rows, phiK.rows);
  };
  dense::Softmax weights{dense::Matrix(phiQ.rows, phiK.rows), {}};
  for (Index i = 0; i < phiQ.rows; ++i) {
    double sum = eps;
    for (Index j = 0; j < phiK.rows; ++j)
      if (allowed(i, j)) sum += weights.weights.at(i, j) = dense::dot(phiQ, i, phiK, j);
    for (Index j = 0; j < phiK.rows; ++j)
      weights.weights.at(i, j) = sum == 0.0 ? 0.0 : weights.weights.at(i, j) / sum;
  }
  return dense::fromWeights(std::move(weights), v, allowed);
}

}  // namespace attnscope
