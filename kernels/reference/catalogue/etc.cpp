// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/notes.h"

namespace attnscope {

Result<OracleHead> etcOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto v = dense::values(request);
  const Index n = k.rows;
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const reference::Notes notes = reference::notesOf(request);
  const Index count = notes.count;
  const Index clip = request.params.integer("clip");
  const auto labelScore = [&](Index i, Index label) {
    const auto vectors = request.tensors.find("label_vectors");
    if (clip == 0 || vectors == request.tensors.end()) return 0.0;
    const auto rows = vectors->second.slice<float>(request.head);
    double sum = request.tensors.at("label_bias").slice<float>(request.head)[static_cast<std::size_t>(label)];
    for (Index c = 0; c < q.cols; ++c) sum += q.at(i, c) * rows[static_cast<std::size_t>(label * q.cols + c)];
    return sum;
  };
  // Columns: tokens, then notes.
  dense::Matrix logits(n, n + count);
  const auto allowed = [&](Index i, Index j) {
    if (j < n) return std::abs(i - j) <= request.params.integer("radius");
    return !request.params.flag("hard_l2g") || notes.segment[static_cast<std::size_t>(i)] == j - n;
  };
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n + count; ++j) {
      Index label = 2 * clip + 1;
      if (j < n)
        label = j >= i ? std::min(j - i, clip) : clip + std::min(i - j, clip);
      else if (notes.segment[static_cast<std::size_t>(i)] == j - n)
        label = 2 * clip + 2;
      const double content = j < n ? dense::dot(q, i, k, j) : dense::dot(q, i, notes.keys, j - n);
      logits.at(i, j) = scale * (content + labelScore(i, label));
    }
  return reference::overTokensAndNotes(dense::softmax(logits, allowed), v, notes, allowed);
}

}  // namespace attnscope
