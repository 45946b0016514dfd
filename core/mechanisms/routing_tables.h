// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Content-based tables of one head: Roy, Saffar, Vaswani, Grangier, arXiv 2003.05997. Decisions
// are made in double from float32 values, each score summed in index order, ties to the smaller index.

// Rows (n, d) less their mean, divided by sqrt(variance + 1e-6).
[[nodiscard]] std::vector<double> standardisedRows(std::span<const float> rows, Index n, Index d);

struct RowsView {
  std::span<const double> cells;  // (n, d)
  Index d = 1;

  [[nodiscard]] Index count() const { return static_cast<Index>(cells.size()) / d; }
  [[nodiscard]] const double* row(Index i) const { return cells.data() + i * d; }
};

// The rows that sit at each table: of every centroid (k, d) the `seats` rows (n, d) of largest product with
// it once they are standardised, sorted by row. (k, seats).
[[nodiscard]] Result<std::vector<std::int32_t>> seatRows(std::span<const float> rows, Index d,
                                                         std::span<const float> centroids, Index seats,
                                                         const JobContext& job);

// The centroid of largest product with each row.
[[nodiscard]] Result<std::vector<std::int32_t>> nearestCentroids(RowsView rows,
                                                                 std::span<const double> centroids,
                                                                 const JobContext& job);

// Spherical k-means: every centroid becomes the mean of the rows nearest to it, scaled back to length
// sqrt(d); one that nobody is nearest to stays. With a decay above 0 it becomes decay times itself plus (1 -
// decay) times that mean, scaled: the exponential average by which the paper trains them. `path` starts with
// the initial centroids and gets one set (k, d) a step.
[[nodiscard]] Status spherewiseLloyd(const std::vector<RowsView>& rows, Index steps,
                                     std::vector<std::vector<double>>& path, const JobContext& job,
                                     double decay = 0.0);

// The first `k` different rows in the given order, fewer if there are no more.
[[nodiscard]] std::vector<double> firstDistinctRows(RowsView rows, std::span<const std::int32_t> order,
                                                    Index k);

}  // namespace attnscope
