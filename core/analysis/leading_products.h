// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Decisions over many products x.y as if each were summed in double in index order, ties to the smaller
// index. The products are computed in float32, by vectors; only where a decision lies within the rounding of
// float32, whose size is bounded, are the candidates summed in double. The decisions are the same on every
// machine and for any number of threads.

// n rows of d numbers, float32 or double, which it does not own, or made one by one when a decision needs
// them.
class RowTable {
 public:
  // Writes the d numbers of row i, in double; any thread.
  using MakeRow = std::function<void(Index i, double* row)>;

  RowTable(std::span<const float> cells, Index d);
  RowTable(std::span<const double> cells, Index d);
  // `near`: the rows in float32, each number within 2^-23 of itself, and within 2^-26 of the largest in its
  // row, of the one that is made. No row is longer than `mostNorm`.
  RowTable(std::vector<float> near, Index d, double mostNorm, MakeRow make);

  [[nodiscard]] Index d() const { return m_d; }
  [[nodiscard]] Index count() const { return static_cast<Index>(m_norms.size()); }
  // Rows from i on as float32, rounded.
  [[nodiscard]] const float* rounded(Index i) const;
  // At least its length: bounds of its products need no more.
  [[nodiscard]] double norm(Index i) const { return m_norms[static_cast<std::size_t>(i)]; }
  [[nodiscard]] double largestNorm() const;

  // x_i . y_j in double, in index order.
  [[nodiscard]] static double product(const RowTable& x, Index i, const RowTable& y, Index j);

 private:
  std::variant<std::span<const float>, std::span<const double>, MakeRow> m_cells;
  Index m_d;
  std::vector<float> m_rounded;  // of what is not float32
  std::vector<double> m_norms;
};

// How far a product of rows of these norms, rounded to float32 and summed there in any order, can be from the
// sum in double: each of d products and sums and both roundings add at most 2^-24 of sum |x_c y_c| <= |x|
// |y|, and a few more pay for double's own roundings, those of a comparison and those of rows that are made.
// Infinite where parts may leave float32's range.
[[nodiscard]] double productRounding(double x, double y, Index d);

// For every row the index of the point of largest product with it.
[[nodiscard]] Result<std::vector<std::int32_t>> leadingPoints(const RowTable& rows, const RowTable& points,
                                                              const JobContext& job);

// The same among k points and, after them, their opposites: k + a stands for minus point a.
[[nodiscard]] Result<std::vector<std::int32_t>> leadingDirections(const RowTable& rows,
                                                                  const RowTable& points,
                                                                  const JobContext& job);

// For every point the `seats` rows of largest product with it, sorted by index: (points, seats), seats <=
// rows.
[[nodiscard]] Result<std::vector<std::int32_t>> leadingRows(const RowTable& rows, const RowTable& points,
                                                            Index seats, const JobContext& job);

}  // namespace attnscope
