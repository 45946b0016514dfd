// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <utility>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

dense::Matrix layerNorm(const dense::Matrix& x) {
  dense::Matrix y(x.rows, x.cols);
  const auto d = static_cast<double>(x.cols);
  for (Index i = 0; i < x.rows; ++i) {
    double sum = 0.0;
    for (Index c = 0; c < x.cols; ++c) sum += x.at(i, c);
    double variance = 0.0;
    for (Index c = 0; c < x.cols; ++c) variance += std::pow(x.at(i, c) - sum / d, 2.0);
    for (Index c = 0; c < x.cols; ++c) y.at(i, c) = (x.at(i, c) - sum / d) / std::sqrt(variance / d + 1e-6);
  }
  return y;
}

// Is row i among the w rows that centroid c likes best? Counts those that are preferred to it.
dense::Matrix memberships(const dense::Matrix& centroids, const dense::Matrix& rows, Index w) {
  dense::Matrix scores(centroids.rows, rows.rows);
  dense::Matrix member(centroids.rows, rows.rows);
  for (Index c = 0; c < centroids.rows; ++c) {
    for (Index i = 0; i < rows.rows; ++i) scores.at(c, i) = dense::dot(centroids, c, rows, i);
    for (Index i = 0; i < rows.rows; ++i) {
      Index preferred = 0;
      for (Index j = 0; j < rows.rows; ++j)
        if (scores.at(c, j) > scores.at(c, i) || (scores.at(c, j) == scores.at(c, i) && j < i)) ++preferred;
      member.at(c, i) = preferred < w ? 1.0 : 0.0;
    }
  }
  return member;
}

dense::Matrix logitsOf(const dense::Matrix& q, const dense::Matrix& k, double scale) {
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return logits;
}

OracleHead localHead(const OracleRequest& request, double scale) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto block = static_cast<double>(request.params.integer("local_block"));
  const auto blockOf = [&](Index p) { return std::floor(static_cast<double>(p) / block); };
  const auto allowed = [&](Index i, Index j) {
    const Index p = dense::positionOf(i, q.rows, k.rows);
    const double distance = blockOf(p) - blockOf(j);
    return request.options.causal ? j <= p && distance <= 1.0 : std::abs(distance) <= 1.0;
  };
  OracleHead head =
      dense::fromWeights(dense::softmax(logitsOf(q, k, scale), allowed), dense::values(request), allowed);
  head.lse.clear();
  return head;
}

}  // namespace

// Table after table as a masked softmax over all tokens: n^2 k, no gathering, no orders.
Result<OracleHead> routingOracle(const OracleRequest& request) {
  const auto q = layerNorm(dense::queries(request));
  const std::string& share = request.params.choice("share_qk");
  const bool causal = request.options.causal;
  const bool shared = share == "on" || (share == "default" && causal);
  const auto k = layerNorm(shared ? dense::queries(request) : dense::keys(request));
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  if (request.head >= request.input.shape().heads - request.params.integer("local_heads"))
    return localHead(request, scale);
  const auto centroids = dense::headOf(request.tensors.at("centroids"), request.head);
  const Index w = request.params.integer("window");
  const auto queryAt = memberships(centroids, q, w);
  const auto keyAt = memberships(centroids, k, w);
  const auto logits = logitsOf(q, k, scale);
  dense::Matrix total(q.rows, k.rows);
  std::vector<double> tables(static_cast<std::size_t>(q.rows), 0.0);
  OracleHead head;
  head.support.assign(static_cast<std::size_t>(q.rows * k.rows), 0);
  for (Index c = 0; c < centroids.rows; ++c) {
    const auto seated = [&](Index i, Index j) {
      return queryAt.at(c, i) > 0.0 && keyAt.at(c, j) > 0.0 && !(causal && j > i);
    };
    const auto allowed = [&](Index i, Index j) {
      const Index self = dense::positionOf(i, q.rows, k.rows);
      if (request.params.real("self_penalty") == 0.0 || j != self || !seated(i, j)) return seated(i, j);
      for (Index other = 0; other < k.rows; ++other)
        if (other != j && seated(i, other)) return false;
      return true;
    };
    const auto softmax = dense::softmax(logits, allowed);
    for (Index i = 0; i < q.rows; ++i) {
      tables[static_cast<std::size_t>(i)] += queryAt.at(c, i);
      for (Index j = 0; j < k.rows; ++j) {
        total.at(i, j) += softmax.weights.at(i, j);
        if (allowed(i, j)) head.support[static_cast<std::size_t>(i * k.rows + j)] = 1;
      }
    }
  }
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j)
      if (tables[static_cast<std::size_t>(i)] > 0.0) total.at(i, j) /= tables[static_cast<std::size_t>(i)];
  head.out = dense::multiply(total, dense::values(request)).cells;
  head.matrix = std::move(total.cells);
  return head;
}

}  // namespace attnscope
