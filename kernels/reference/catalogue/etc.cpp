// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

// Note of every token.
std::vector<Index> segmentsOf(const OracleRequest& request, Index n) {
  std::vector<Index> segment;
  const bool sentences = !request.input.segments.empty() && !request.params.isGiven("block");
  for (Index j = 0; j < n; ++j)
    segment.push_back(sentences ? request.input.segments[static_cast<std::size_t>(j)]
                                : j / request.params.integer("block"));
  return segment;
}

// A note's row: given, or the mean of its tokens' rows. `share` says how it is made of tokens.
dense::Matrix noteRows(const OracleRequest& request, const std::string& name, const dense::Matrix& x,
                       const dense::Matrix& share) {
  const auto given = request.tensors.find(name);
  if (given != request.tensors.end()) return dense::headOf(given->second, request.head);
  return dense::multiply(share, x);
}

}  // namespace

Result<OracleHead> etcOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto v = dense::values(request);
  const Index n = k.rows;
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const std::vector<Index> segment = segmentsOf(request, n);
  const Index count = segment.back() + 1;
  dense::Matrix share(count, n);
  std::vector<double> size(static_cast<std::size_t>(count), 0.0);
  for (const Index a : segment) size[static_cast<std::size_t>(a)] += 1.0;
  for (Index j = 0; j < n; ++j)
    share.at(segment[static_cast<std::size_t>(j)], j) =
        1.0 / size[static_cast<std::size_t>(segment[static_cast<std::size_t>(j)])];
  const auto noteKeys = noteRows(request, "k_global", k, share);
  const auto noteValues = noteRows(request, "v_global", v, share);
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
    return !request.params.flag("hard_l2g") || segment[static_cast<std::size_t>(i)] == j - n;
  };
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n + count; ++j) {
      Index label = 2 * clip + 1;
      if (j < n)
        label = j >= i ? std::min(j - i, clip) : clip + std::min(i - j, clip);
      else if (segment[static_cast<std::size_t>(i)] == j - n)
        label = 2 * clip + 2;
      const double content = j < n ? dense::dot(q, i, k, j) : dense::dot(q, i, noteKeys, j - n);
      logits.at(i, j) = scale * (content + labelScore(i, label));
    }
  dense::Softmax p = dense::softmax(logits, allowed);
  OracleHead head;
  head.out.assign(static_cast<std::size_t>(n * v.cols), 0.0);
  head.matrix.assign(static_cast<std::size_t>(n * n), 0.0);
  const bool tokenValues = !request.tensors.contains("v_global");
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n + count; ++j) {
      const double weight = p.weights.at(i, j);
      for (Index c = 0; c < v.cols; ++c)
        head.out[static_cast<std::size_t>(i * v.cols + c)] +=
            weight * (j < n ? v.at(j, c) : noteValues.at(j - n, c));
      head.support.push_back(allowed(i, j) ? 1 : 0);
      if (j < n) head.matrix[static_cast<std::size_t>(i * n + j)] += weight;
      for (Index t = 0; j >= n && tokenValues && t < n; ++t)
        head.matrix[static_cast<std::size_t>(i * n + t)] += weight * share.at(j - n, t);
    }
  head.lse = std::move(p.lse);
  head.slotCount = count;
  return head;
}

}  // namespace attnscope
