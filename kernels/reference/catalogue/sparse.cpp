// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <cstdlib>

#include "kernels/reference/dense.h"

namespace attnscope {

Result<OracleHead> sparseOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const ParamValues& params = request.params;
  const Index l = params.integer("stride");
  const Index c = params.integer("summary");
  const Index groups = params.integer("sub_blocks");
  const bool fixed = params.choice("pattern") == "fixed";
  const std::string& mode = params.choice("mode");
  const Index factor = mode == "merged"  ? 0
                       : mode == "split" ? request.head % 2 + 1
                                         : params.integer("layer") % 2 + 1;
  const Index u = mode == "split" ? (request.head / 2) % groups : request.head % groups;

  const auto blockOf = [l](Index p) { return std::floor(static_cast<double>(p) / static_cast<double>(l)); };
  const auto inSet = [&](Index i, Index j) {
    const Index p = dense::positionOf(i, q.rows, k.rows);
    if (request.options.causal && j > p) return false;
    const bool first = fixed ? blockOf(j) == blockOf(p) : std::abs(p - j) < l;
    const bool second = fixed ? l - (u + 1) * c <= j % l && j % l < l - u * c : (p - j) % l == 0;
    return (factor != 2 && first) || (factor != 1 && second);
  };
  std::vector<bool> empty;
  for (Index i = 0; i < q.rows; ++i) {
    bool found = false;
    for (Index j = 0; j < k.rows; ++j) found = found || inSet(i, j);
    empty.push_back(!found);
  }
  const auto allowed = [&](Index i, Index j) {
    return empty[static_cast<std::size_t>(i)] ? j == dense::positionOf(i, q.rows, k.rows) : inSet(i, j);
  };
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
