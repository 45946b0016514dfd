// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <cstdlib>
#include <set>

#include "kernels/reference/dense.h"

namespace attnscope {

Result<OracleHead> longformerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto v = dense::values(request);
  const auto own = [&](const char* name, const dense::Matrix& fallback) {
    const auto it = request.tensors.find(name);
    return it == request.tensors.end() ? fallback : dense::headOf(it->second, request.head);
  };
  const auto qGlobal = own("q_global", q);
  const auto kGlobal = own("k_global", k);
  const auto vGlobal = own("v_global", v);
  const auto& list = request.params.list("globals");
  const std::set<Index> globals(list.begin(), list.end());
  const auto& dilations = request.params.list("dilation");
  const Index dilation =
      dilations.size() == 1 ? dilations[0] : dilations[static_cast<std::size_t>(request.head)];
  const Index half = request.params.integer("window") / 2;
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));

  const auto allowed = [&](Index i, Index j) {
    if (request.options.causal && j > i) return false;
    if (globals.contains(i) || globals.contains(j)) return true;
    return (i - j) % dilation == 0 && std::abs(i - j) / dilation <= half;
  };
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j)
      logits.at(i, j) =
          scale * (globals.contains(i) ? dense::dot(qGlobal, i, kGlobal, j) : dense::dot(q, i, k, j));
  OracleHead head = dense::fromWeights(dense::softmax(logits, allowed), v, allowed);
  for (const Index i : globals)  // rows of global tokens read values of their own
    for (Index c = 0; c < v.cols; ++c) {
      double sum = 0.0;
      for (Index j = 0; j < v.rows; ++j)
        sum += head.matrix[static_cast<std::size_t>(i * v.rows + j)] * vGlobal.at(j, c);
      head.out[static_cast<std::size_t>(i * v.cols + c)] = sum;
    }
  return head;
}

}  // namespace attnscope
