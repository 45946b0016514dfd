// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/reference/notes.h"

namespace attnscope::reference {

namespace {

std::vector<Index> segmentsOf(const OracleRequest& request, Index n) {
  std::vector<Index> segment;
  const bool sentences = !request.input.segments.empty() && !request.params.isGiven("block");
  for (Index j = 0; j < n; ++j)
    segment.push_back(sentences ? request.input.segments[static_cast<std::size_t>(j)]
                                : j / request.params.integer("block"));
  return segment;
}

// A note's row: given, or the mean of its tokens' rows.
dense::Matrix noteRows(const OracleRequest& request, const std::string& name, const dense::Matrix& x,
                       const dense::Matrix& means) {
  const auto given = request.tensors.find(name);
  return given != request.tensors.end() ? dense::headOf(given->second, request.head)
                                        : dense::multiply(means, x);
}

}  // namespace

Notes notesOf(const OracleRequest& request) {
  const dense::Matrix k = dense::keys(request);
  Notes notes;
  notes.segment = segmentsOf(request, k.rows);
  notes.count = notes.segment.back() + 1;
  dense::Matrix means(notes.count, k.rows);
  std::vector<double> size(static_cast<std::size_t>(notes.count), 0.0);
  for (const Index a : notes.segment) size[static_cast<std::size_t>(a)] += 1.0;
  for (Index j = 0; j < k.rows; ++j) {
    const Index a = notes.segment[static_cast<std::size_t>(j)];
    means.at(a, j) = 1.0 / size[static_cast<std::size_t>(a)];
  }
  notes.keys = noteRows(request, "k_global", k, means);
  notes.values = noteRows(request, "v_global", dense::values(request), means);
  notes.share = request.tensors.contains("v_global") ? dense::Matrix(notes.count, k.rows) : means;
  return notes;
}

OracleHead overTokensAndNotes(dense::Softmax softmax, const dense::Matrix& v, const Notes& notes,
                              const std::function<bool(Index, Index)>& allowed) {
  const Index rows = softmax.weights.rows;
  const Index n = v.rows;
  OracleHead head;
  head.out.assign(static_cast<std::size_t>(rows * v.cols), 0.0);
  head.matrix.assign(static_cast<std::size_t>(rows * n), 0.0);
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < n + notes.count; ++j) {
      const double weight = softmax.weights.at(i, j);
      for (Index c = 0; c < v.cols; ++c)
        head.out[static_cast<std::size_t>(i * v.cols + c)] +=
            weight * (j < n ? v.at(j, c) : notes.values.at(j - n, c));
      head.support.push_back(allowed(i, j) ? 1 : 0);
      if (j < n) head.matrix[static_cast<std::size_t>(i * n + j)] += weight;
      for (Index t = 0; j >= n && t < n; ++t)
        head.matrix[static_cast<std::size_t>(i * n + t)] += weight * notes.share.at(j - n, t);
    }
  head.lse = std::move(softmax.lse);
  head.slotCount = notes.count;
  return head;
}

}  // namespace attnscope::reference
