// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/routing_tables.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <array>
#include <cmath>
#include <set>

#include "core/analysis/leading_products.h"

namespace attnscope {

namespace {

constexpr double kEpsilon = 1e-6;
// Rows side by side: a sum in index order waits for itself, so several are made at once.
template <std::size_t Rows>
void standardise(const float* in, Index d, double* out) {
  const auto width = static_cast<double>(d);
  std::array<double, Rows> mean{};
  for (Index c = 0; c < d; ++c)
    for (std::size_t r = 0; r < Rows; ++r) mean[r] += in[static_cast<Index>(r) * d + c];
  for (double& m : mean) m /= width;
  std::array<double, Rows> squares{};
  for (Index c = 0; c < d; ++c)
    for (std::size_t r = 0; r < Rows; ++r) {
      const double x = in[static_cast<Index>(r) * d + c] - mean[r];
      squares[r] += x * x;
    }
  for (std::size_t r = 0; r < Rows; ++r) {
    const double deviation = std::sqrt(squares[r] / width + kEpsilon);
    const Index row = static_cast<Index>(r) * d;
    for (Index c = 0; c < d; ++c) out[row + c] = (in[row + c] - mean[r]) / deviation;
  }
}

// Means of the rows by nearest centroid, mixed with where the centroids were, back on the sphere.
void moveCentroids(const std::vector<RowsView>& rows, const std::vector<std::vector<std::int32_t>>& nearest,
                   double decay, std::vector<double>& centroids) {
  const Index d = rows.front().d;
  std::vector<double> sums(centroids.size(), 0.0);
  std::vector<double> counts(centroids.size() / static_cast<std::size_t>(d), 0.0);
  for (std::size_t part = 0; part < rows.size(); ++part)
    for (Index i = 0; i < rows[part].count(); ++i) {
      double* sum = sums.data() + nearest[part][static_cast<std::size_t>(i)] * d;
      for (Index c = 0; c < d; ++c) sum[c] += rows[part].row(i)[c];
      ++counts[static_cast<std::size_t>(nearest[part][static_cast<std::size_t>(i)])];
    }
  for (std::size_t begin = 0; begin < sums.size(); begin += static_cast<std::size_t>(d)) {
    const double count = counts[begin / static_cast<std::size_t>(d)];
    if (count == 0.0) continue;  // nobody's nearest: it stays
    if (decay > 0.0)
      for (Index c = 0; c < d; ++c) {
        double& sum = sums[begin + static_cast<std::size_t>(c)];
        sum = decay * centroids[begin + static_cast<std::size_t>(c)] + (1.0 - decay) * sum / count;
      }
    double squares = 0.0;
    for (Index c = 0; c < d; ++c)
      squares += sums[begin + static_cast<std::size_t>(c)] * sums[begin + static_cast<std::size_t>(c)];
    if (squares == 0.0) continue;  // members that cancel out
    const double factor = std::sqrt(static_cast<double>(d) / squares);
    for (Index c = 0; c < d; ++c)
      centroids[begin + static_cast<std::size_t>(c)] = factor * sums[begin + static_cast<std::size_t>(c)];
  }
}

}  // namespace

std::vector<double> standardisedRows(std::span<const float> rows, Index n, Index d) {
  std::vector<double> standard(static_cast<std::size_t>(n * d));
  tbb::parallel_for(tbb::blocked_range<Index>(0, n, 256), [&](const tbb::blocked_range<Index>& range) {
    Index i = range.begin();
    for (; i + 4 <= range.end(); i += 4) standardise<4>(rows.data() + i * d, d, standard.data() + i * d);
    for (; i < range.end(); ++i) standardise<1>(rows.data() + i * d, d, standard.data() + i * d);
  });
  return standard;
}

Result<std::vector<std::int32_t>> seatRows(RowsView rows, std::span<const float> centroids, Index seats,
                                           const JobContext& job) {
  return leadingRows({rows.cells, rows.d}, {centroids, rows.d}, seats, job);
}

Result<std::vector<std::int32_t>> nearestCentroids(RowsView rows, std::span<const double> centroids,
                                                   const JobContext& job) {
  return leadingPoints({rows.cells, rows.d}, {centroids, rows.d}, job);
}

Status spherewiseLloyd(const std::vector<RowsView>& rows, Index steps, std::vector<std::vector<double>>& path,
                       const JobContext& job, double decay) {
  std::vector<RowTable> tables;
  for (const RowsView& part : rows) tables.emplace_back(part.cells, part.d);
  for (Index step = 0; step < steps; ++step) {
    std::vector<double> centroids = path.back();
    if (path.size() > 1 && centroids == path[path.size() - 2]) {  // settled
      path.push_back(std::move(centroids));
      continue;
    }
    std::vector<std::vector<std::int32_t>> nearest;
    for (const RowTable& part : tables) {
      ATTN_ASSIGN(of, leadingPoints(part, {std::span<const double>(centroids), part.d()}, job));
      nearest.push_back(std::move(of));
    }
    moveCentroids(rows, nearest, decay, centroids);
    path.push_back(std::move(centroids));
  }
  return {};
}

std::vector<double> firstDistinctRows(RowsView rows, std::span<const std::int32_t> order, Index k) {
  std::set<std::vector<double>> seen;
  std::vector<double> chosen;
  for (const std::int32_t i : order) {
    if (static_cast<Index>(seen.size()) == k) break;
    std::vector<double> row(rows.row(i), rows.row(i) + rows.d);
    if (seen.insert(row).second) chosen.insert(chosen.end(), row.begin(), row.end());
  }
  return chosen;
}

}  // namespace attnscope
