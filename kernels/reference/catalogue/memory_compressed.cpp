// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

struct Slots {
  dense::Matrix rows;    // (slots, width)
  dense::Matrix shares;  // (slots, n): what acts on the tokens' own channels
};

Slots makeSlots(const OracleRequest& request, const dense::Matrix& x, const std::string& name, bool null) {
  const Index stride = request.params.integer("stride");
  const Index count = (x.rows + stride - 1) / stride;
  Slots slots{dense::Matrix(count + (null ? 1 : 0), x.cols), dense::Matrix(count + (null ? 1 : 0), x.rows)};
  const auto taps = request.tensors.find(name);
  for (Index b = 0; b < count; ++b) {
    const Index end = std::min((b + 1) * stride, x.rows);
    if (taps == request.tensors.end()) {
      for (Index j = b * stride; j < end; ++j) {
        slots.shares.at(b, j) = 1.0 / static_cast<double>(end - b * stride);
        for (Index c = 0; c < x.cols; ++c)
          slots.rows.at(b, c) += x.at(j, c) / static_cast<double>(end - b * stride);
      }
      continue;
    }
    const auto weight = taps->second.slice<float>(request.head);
    const auto bias = request.tensors.at(name + "_bias").slice<float>(request.head);
    const auto tap = [&](Index t, Index a, Index c) {
      return static_cast<double>(weight[static_cast<std::size_t>((t * x.cols + a) * x.cols + c)]);
    };
    for (Index c = 0; c < x.cols; ++c) {
      slots.rows.at(b, c) = bias[static_cast<std::size_t>(c)];
      for (Index j = b * stride; j < end; ++j)
        for (Index a = 0; a < x.cols; ++a) slots.rows.at(b, c) += x.at(j, a) * tap(j - b * stride, a, c);
    }
    for (Index j = b * stride; j < end; ++j)
      for (Index c = 0; c < x.cols; ++c)
        slots.shares.at(b, j) += tap(j - b * stride, c, c) / static_cast<double>(x.cols);
  }
  return slots;
}

OracleHead local(const OracleRequest& request, const dense::Matrix& q, const dense::Matrix& k,
                 const dense::Matrix& v, double scale) {
  const Index block = request.params.integer("block");
  const auto allowed = [&](Index i, Index j) {
    const Index p = dense::positionOf(i, q.rows, k.rows);
    if (p < 0 || (request.options.causal && j > p)) return false;
    return j / block == p / block || (request.params.flag("previous") && j / block + 1 == p / block);
  };
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::fromWeights(dense::softmax(logits, allowed), v, allowed);
}

}  // namespace

Result<OracleHead> memory_compressedOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const auto v = dense::values(request);
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  if (request.params.choice("kind") == "local") return local(request, q, k, v, scale);
  const bool causal = request.options.causal;
  const std::string& nullChoice = request.params.choice("null");
  const bool null = nullChoice == "zero" || (nullChoice == "default" && causal);
  const Index stride = request.params.integer("stride");
  const Slots keys = makeSlots(request, k, "conv_k", null);
  const Slots values = makeSlots(request, v, "conv_v", null);
  const Index count = keys.rows.rows;
  const auto allowed = [&](Index i, Index b) {
    if (null && b == count - 1) return true;
    const Index last = stride * b + stride - 1;
    const Index p = dense::positionOf(i, q.rows, k.rows);
    return !causal || (request.params.choice("rule") == "past" ? last < p : last <= p);
  };
  dense::Matrix logits(q.rows, count);
  for (Index i = 0; i < q.rows; ++i)
    for (Index b = 0; b < count; ++b) logits.at(i, b) = scale * dense::dot(q, i, keys.rows, b);
  dense::Softmax bar = dense::softmax(logits, allowed);
  OracleHead head;
  head.out = dense::multiply(bar.weights, values.rows).cells;
  head.matrix = dense::multiply(bar.weights, values.shares).cells;
  head.lse = std::move(bar.lse);
  head.slotCount = count;
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows + count; ++j)
      head.support.push_back(j >= k.rows && allowed(i, j - k.rows) ? 1 : 0);
  return head;
}

}  // namespace attnscope
