// SPDX-License-Identifier: GPL-3.0-or-later
#include <cmath>
#include <utility>

#include "core/params/sides_param.h"
#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

using Allowed = std::function<bool(Index, Index)>;

Allowed oneDimensional(const OracleRequest& request, Index nQ, Index nK) {
  const Index block = request.params.integer("query_block");
  const Index memory = request.params.integer("memory");
  const bool causal = request.options.causal;
  return [=](Index i, Index j) {
    const Index p = dense::positionOf(i, nQ, nK);
    const auto b = static_cast<Index>(std::floor(static_cast<double>(p) / static_cast<double>(block)));
    if (causal && j > p) return false;
    return j >= b * block - memory && j < (b + 1) * block + (causal ? 0 : memory);
  };
}

// Written with coordinates only; the order of the pixels is compared as (block row, block column, row,
// column).
Allowed twoDimensional(const OracleRequest& request, Index n) {
  Grid grid = request.input.grid.value_or(Grid{});
  if (!request.input.grid)
    for (Index h = 1; h <= n; ++h)
      if (n % h == 0 && h <= n / h) grid = {h, n / h};
  if (const auto asked = parseSides(request.params.text("grid"))) grid = *asked;
  Grid block{ceilSqrt(grid.height), ceilSqrt(grid.width)};
  if (const auto asked = parseSides(request.params.text("block"))) block = *asked;
  Grid flange = block;
  if (const auto asked = parseSides(request.params.text("flange"))) flange = *asked;
  const bool causal = request.options.causal;
  return [=](Index i, Index j) {
    const Index y = i / grid.width, x = i % grid.width;
    const Index v = j / grid.width, u = j % grid.width;
    const Index y0 = y - y % block.height, x0 = x - x % block.width;
    if (v < y0 - flange.height || v > y0 + block.height - 1 + (causal ? 0 : flange.height)) return false;
    if (u < x0 - flange.width || u > x0 + block.width - 1 + flange.width) return false;
    const auto query = std::pair(std::pair(y / block.height, x / block.width), std::pair(y, x));
    const auto key = std::pair(std::pair(v / block.height, u / block.width), std::pair(v, u));
    return !causal || key <= query;
  };
}

}  // namespace

Result<OracleHead> imageOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const bool flat = request.params.choice("kind") == "1d";
  const Allowed allowed = flat ? oneDimensional(request, q.rows, k.rows) : twoDimensional(request, k.rows);
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::fromWeights(dense::softmax(logits, allowed), dense::values(request), allowed);
}

}  // namespace attnscope
