// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

// Maximum of the keys of each segment, channel by channel: the one projection that is no matrix.
dense::Matrix segmentMaxima(const dense::Matrix& x, Index k) {
  dense::Matrix slots(k, x.cols);
  std::fill(slots.cells.begin(), slots.cells.end(), -std::numeric_limits<double>::infinity());
  for (Index a = 0; a < k; ++a)
    for (Index j = a * x.rows / k; j < (a + 1) * x.rows / k; ++j)
      for (Index c = 0; c < x.cols; ++c) slots.at(a, c) = std::max(slots.at(a, c), x.at(j, c));
  return slots;
}

dense::Matrix firstColumns(const dense::Matrix& matrix, Index cols) {
  dense::Matrix cut(matrix.rows, cols);
  for (Index r = 0; r < matrix.rows; ++r)
    for (Index c = 0; c < cols; ++c) cut.at(r, c) = matrix.at(r, c);
  return cut;
}

// Summaries by a convolution: slot a is the bias plus the rows of its width, each times its own d x d map.
struct Convolved {
  dense::Matrix slots;
  dense::Matrix shares;  // what a token's channels give to the same channels, on average
};

Convolved convolved(const OracleRequest& request, const dense::Matrix& x, const std::string& name, Index k) {
  const dense::Matrix maps =
      dense::headOf(request.tensors.at(name).reshaped(
                        {request.input.q.dim(0), request.tensors.at(name).dim(1) * x.cols, x.cols}),
                    request.head);
  const auto bias = request.tensors.at(name + "_bias").slice<float>(request.head);
  const Index width = maps.rows / x.cols;
  Convolved made{dense::Matrix(k, x.cols), dense::Matrix(k, x.rows)};
  for (Index a = 0; a < k; ++a)
    for (Index c = 0; c < x.cols; ++c) made.slots.at(a, c) = bias[static_cast<std::size_t>(c)];
  for (Index j = 0; j < x.rows; ++j) {
    const Index a = j / width;
    const Index first = j % width * x.cols;
    for (Index from = 0; from < x.cols; ++from) {
      for (Index to = 0; to < x.cols; ++to) made.slots.at(a, to) += x.at(j, from) * maps.at(first + from, to);
      made.shares.at(a, j) += maps.at(first + from, from) / static_cast<double>(x.cols);
    }
  }
  return made;
}

}  // namespace

Result<OracleHead> linformerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto keys = dense::keys(request);
  const auto v = dense::values(request);
  const Index k = request.params.integer("k");
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix slotKeys;
  dense::Matrix slotValues;
  dense::Matrix f;
  if (request.params.choice("projection") == "conv") {
    slotKeys = convolved(request, keys, "conv_k", k).slots;
    Convolved made = convolved(request, v, "conv_v", k);
    slotValues = std::move(made.slots);
    f = std::move(made.shares);
  } else {
    const auto e = request.tensors.find("proj_k");
    slotKeys = e == request.tensors.end()
                   ? segmentMaxima(keys, k)
                   : dense::multiply(firstColumns(dense::headOf(e->second, request.head), keys.rows), keys);
    f = firstColumns(dense::headOf(request.tensors.at("proj_v"), request.head), keys.rows);
    slotValues = dense::multiply(f, v);
  }
  dense::Matrix logits(q.rows, k);
  for (Index i = 0; i < q.rows; ++i)
    for (Index a = 0; a < k; ++a) logits.at(i, a) = scale * dense::dot(q, i, slotKeys, a);
  dense::Softmax bar = dense::softmax(logits, [](Index, Index) { return true; });
  const dense::Matrix matrix = dense::multiply(bar.weights, f);
  OracleHead head;
  head.out = dense::multiply(bar.weights, slotValues).cells;
  head.matrix = matrix.cells;
  head.lse = std::move(bar.lse);
  head.slotCount = k;
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < keys.rows + k; ++j) head.support.push_back(j < keys.rows ? 0 : 1);
  return head;
}

}  // namespace attnscope
