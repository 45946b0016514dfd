// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

Result<OracleHead> blockwiseOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const Index g = request.params.integer("blocks");
  const auto permutation = request.tensors.at("permutations").slice<std::int32_t>(request.head);
  const auto allowed = [&](Index i, Index j) {
    if (request.options.causal && j > dense::positionOf(i, q.rows, k.rows)) return false;
    return (j * g) / k.rows == permutation[static_cast<std::size_t>((i * g) / q.rows)];
  };
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
