// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <set>

#include "kernels/reference/notes.h"

namespace attnscope {

Result<OracleHead> bigbirdOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const Index b = request.params.integer("block");
  const Index r = request.params.integer("random");
  const Index blocks = (k.rows + b - 1) / b;
  const Index last = blocks - 1;
  const bool extended = request.params.choice("variant") == "etc";
  const bool fallback = blocks < r + (extended ? 3 : 5);
  std::vector<std::set<Index>> reads(static_cast<std::size_t>(blocks));
  for (Index row = 0; row < blocks; ++row) {
    auto& set = reads[static_cast<std::size_t>(row)];
    if (fallback || (!extended && (row == 0 || row == last))) {
      for (Index other = 0; other < blocks; ++other) set.insert(other);
      continue;
    }
    set = {row - 1, row, row + 1};
    if (!extended) set.insert({0, last});
    for (Index a = 0; a < r; ++a)
      set.insert(request.tensors.at("random_blocks")
                     .slice<std::int32_t>(request.head)[static_cast<std::size_t>(row * r + a)]);
  }
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const Index n = k.rows;
  const auto allowed = [&](Index i, Index j) {
    return j >= n || reads[static_cast<std::size_t>(i / b)].contains(j / b);
  };
  const reference::Notes notes = extended ? reference::notesOf(request) : reference::Notes{};
  dense::Matrix logits(q.rows, n + notes.count);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < n + notes.count; ++j)
      logits.at(i, j) = scale * (j < n ? dense::dot(q, i, k, j) : dense::dot(q, i, notes.keys, j - n));
  if (extended)
    return reference::overTokensAndNotes(dense::softmax(logits, allowed), dense::values(request), notes,
                                         allowed);
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
