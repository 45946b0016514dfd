// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/relative.h"

namespace attnscope {

Result<OracleHead> transformer_xlOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const Index length = request.params.integer("segment");
  const Index memory = request.params.integer("memory");
  const Index clamp = request.params.integer("clamp");
  const bool sameLength = request.params.flag("same_length");
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const auto allowed = [&](Index t, Index j) {
    if (j > t) return false;
    if (sameLength) return t - j <= memory;
    const Index segmentStart = t - t % length;
    return j >= segmentStart || segmentStart - j <= memory;
  };
  const dense::RelativeLogit logit(request);
  dense::Matrix logits(q.rows, k.rows);
  for (Index t = 0; t < q.rows; ++t)
    for (Index j = 0; j <= t; ++j) {
      if (!allowed(t, j)) continue;
      const Index distance = clamp > 0 && t - j > clamp ? clamp : t - j;
      logits.at(t, j) = scale * logit(q, t, k, j, static_cast<double>(distance));
    }
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
