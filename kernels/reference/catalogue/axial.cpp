// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <cmath>
#include <cstdio>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

using Cell = std::array<Index, 3>;  // row, column, depth

// Sides of the grid; two axes are three of which the last has one cell.
struct Box {
  Cell sides{1, 1, 1};
  bool third = false;

  [[nodiscard]] Cell cellOf(Index token) const {
    return {token / sides[2] / sides[1], token / sides[2] % sides[1], token % sides[2]};
  }
};

Box boxOf(const OracleRequest& request, Index n) {
  Box box;
  long long h = 0, w = 0, d = 0;
  const int read = std::sscanf(request.params.text("grid").c_str(), "%lldx%lldx%lld", &h, &w, &d);
  if (read >= 2) {
    box.sides = {h, w, read == 3 ? d : 1};
    box.third = read == 3;
  } else if (request.input.grid) {
    box.sides = {request.input.grid->height, request.input.grid->width, 1};
  } else {
    for (Index height = 1; height * height <= n; ++height)
      if (n % height == 0) box.sides = {height, n / height, 1};
  }
  return box;
}

// A_axis: queries read the cells that differ from theirs on this axis at most.
dense::Softmax along(const OracleRequest& request, const Box& box, std::size_t axis, bool masked) {
  const auto q = dense::queries(request);
  const auto k = dense::keys(request);
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  dense::Matrix logits(q.rows, k.rows);
  for (Index i = 0; i < q.rows; ++i)
    for (Index j = 0; j < k.rows; ++j) logits.at(i, j) = scale * dense::dot(q, i, k, j);
  return dense::softmax(logits, [&](Index i, Index j) {
    const Cell query = box.cellOf(i);
    const Cell key = box.cellOf(j);
    for (std::size_t other = 0; other < 3; ++other)
      if (other != axis && query[other] != key[other]) return false;
    return !masked || key[axis] <= query[axis];
  });
}

// Shift matrices: row (r, c) takes (r, c - 1), or (r - 1, c).
dense::Matrix shift(const Box& box, Index n, bool down) {
  dense::Matrix matrix(n, n);
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      const Cell to = box.cellOf(i);
      const Cell from = box.cellOf(j);
      const bool moved =
          down ? to[0] == from[0] + 1 && to[1] == from[1] : to[0] == from[0] && to[1] == from[1] + 1;
      matrix.at(i, j) = moved ? 1.0 : 0.0;
    }
  return matrix;
}

dense::Matrix sumOf(dense::Matrix a, const dense::Matrix& b) {
  for (std::size_t c = 0; c < a.cells.size(); ++c) a.cells[c] += b.cells[c];
  return a;
}

// The applied matrix of the modes that have several stages.
dense::Matrix applied(const OracleRequest& request, const Box& box, Index n) {
  const std::string& mode = request.params.choice("mode");
  const bool causal = request.options.causal;
  const auto a = [&](std::size_t axis, bool masked) { return along(request, box, axis, masked).weights; };
  if (mode == "decoder") {
    const auto outer = dense::multiply(a(0, true), a(1, false));
    return dense::multiply(a(1, true),
                           sumOf(shift(box, n, false), dense::multiply(shift(box, n, true), outer)));
  }
  if (mode == "sum") {
    const auto cross = sumOf(a(1, causal), a(0, causal));
    return box.third ? sumOf(cross, a(2, causal)) : cross;
  }
  if (mode == "row_col") {
    const auto rows = box.third ? dense::multiply(a(1, causal), a(2, causal)) : a(1, causal);
    return dense::multiply(a(0, causal), rows);
  }
  const auto columns = dense::multiply(a(1, causal), a(0, causal));
  return box.third ? dense::multiply(a(2, causal), columns) : columns;
}

bool reaches(const std::string& mode, const Cell& query, const Cell& key, bool causal) {
  if (mode == "decoder") return key < query;  // raster order
  int differing = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    differing += query[axis] != key[axis] ? 1 : 0;
    if (causal && key[axis] > query[axis]) return false;
  }
  return mode != "sum" || differing <= 1;
}

}  // namespace

Result<OracleHead> axialOracle(const OracleRequest& request) {
  const auto v = dense::values(request);
  const Box box = boxOf(request, v.rows);
  const std::string& mode = request.params.choice("mode");
  const bool causal = request.options.causal;
  if (mode == "row" || mode == "col") {
    const std::size_t axis = mode == "row" ? 1 : 0;
    return dense::fromWeights(along(request, box, axis, causal), v, [&](Index i, Index j) {
      Cell query = box.cellOf(i);
      const Cell key = box.cellOf(j);
      const bool past = key[axis] <= query[axis];
      query[axis] = key[axis];
      return query == key && (past || !causal);
    });
  }
  OracleHead head;
  const dense::Matrix matrix = applied(request, box, v.rows);
  head.out = dense::multiply(matrix, v).cells;
  head.matrix = matrix.cells;
  for (Index i = 0; i < v.rows; ++i)
    for (Index j = 0; j < v.rows; ++j)
      head.support.push_back(reaches(mode, box.cellOf(i), box.cellOf(j), causal) ? 1 : 0);
  return head;
}

}  // namespace attnscope
