// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/routing_tables.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

namespace attnscope {

namespace {

constexpr double kEpsilon = 1e-6;
constexpr Index kRowsBetweenChecks = 4096;
constexpr std::size_t kTogether = 4;  // centroids scored in one pass over the rows

// The `seats` rows of largest score, ties to the smaller row, sorted by row.
void seatLargest(const std::vector<double>& scores, std::vector<std::int32_t>& rows,
                 std::span<std::int32_t> table) {
  std::iota(rows.begin(), rows.end(), 0);
  const auto seats = static_cast<std::ptrdiff_t>(table.size());
  const auto before = [&](std::int32_t a, std::int32_t b) {
    const double x = scores[static_cast<std::size_t>(a)];
    const double y = scores[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  if (seats < static_cast<std::ptrdiff_t>(rows.size()))
    std::nth_element(rows.begin(), rows.begin() + seats, rows.end(), before);
  std::copy_n(rows.begin(), seats, table.begin());
  std::sort(table.begin(), table.end());
}

// Scores of up to kTogether centroids with every row. False if the job was cancelled.
bool scoreRows(const RowsView& rows, std::span<const float> centroids,
               std::array<std::vector<double>, kTogether>& scores, const JobContext& job) {
  const auto count = centroids.size() / static_cast<std::size_t>(rows.d);
  for (Index i = 0; i < rows.count(); ++i) {
    if (i % kRowsBetweenChecks == 0 && job.isCancelled()) return false;
    std::array<double, kTogether> sums{};
    const double* x = rows.row(i);
    for (Index c = 0; c < rows.d; ++c)
      for (std::size_t g = 0; g < count; ++g)
        sums[g] += x[c] * static_cast<double>(
                              centroids[g * static_cast<std::size_t>(rows.d) + static_cast<std::size_t>(c)]);
    for (std::size_t g = 0; g < count; ++g) scores[g][static_cast<std::size_t>(i)] = sums[g];
  }
  return true;
}

// Means of the rows by nearest centroid, back on the sphere.
void moveCentroids(const std::vector<RowsView>& rows, const std::vector<std::vector<std::int32_t>>& nearest,
                   std::vector<double>& centroids) {
  const Index d = rows.front().d;
  std::vector<double> sums(centroids.size(), 0.0);
  for (std::size_t part = 0; part < rows.size(); ++part)
    for (Index i = 0; i < rows[part].count(); ++i) {
      double* sum = sums.data() + nearest[part][static_cast<std::size_t>(i)] * d;
      for (Index c = 0; c < d; ++c) sum[c] += rows[part].row(i)[c];
    }
  for (std::size_t begin = 0; begin < sums.size(); begin += static_cast<std::size_t>(d)) {
    double squares = 0.0;
    for (Index c = 0; c < d; ++c)
      squares += sums[begin + static_cast<std::size_t>(c)] * sums[begin + static_cast<std::size_t>(c)];
    if (squares == 0.0) continue;  // empty, or members that cancel out
    const double factor = std::sqrt(static_cast<double>(d) / squares);
    for (Index c = 0; c < d; ++c)
      centroids[begin + static_cast<std::size_t>(c)] = factor * sums[begin + static_cast<std::size_t>(c)];
  }
}

}  // namespace

std::vector<double> standardisedRows(std::span<const float> rows, Index n, Index d) {
  std::vector<double> standard(static_cast<std::size_t>(n * d));
  const auto width = static_cast<double>(d);
  tbb::parallel_for(tbb::blocked_range<Index>(0, n, 256), [&](const tbb::blocked_range<Index>& range) {
    for (Index i = range.begin(); i < range.end(); ++i) {
      const float* in = rows.data() + i * d;
      double mean = 0.0;
      for (Index c = 0; c < d; ++c) mean += in[c];
      mean /= width;
      double squares = 0.0;
      for (Index c = 0; c < d; ++c) squares += (in[c] - mean) * (in[c] - mean);
      const double deviation = std::sqrt(squares / width + kEpsilon);
      for (Index c = 0; c < d; ++c)
        standard[static_cast<std::size_t>(i * d + c)] = (in[c] - mean) / deviation;
    }
  });
  return standard;
}

Result<std::vector<std::int32_t>> seatRows(RowsView rows, std::span<const float> centroids, Index seats,
                                           const JobContext& job) {
  const auto d = static_cast<std::size_t>(rows.d);
  const std::size_t k = centroids.size() / d;
  const auto n = static_cast<std::size_t>(rows.count());
  std::vector<std::int32_t> tables(k * static_cast<std::size_t>(seats));
  tbb::parallel_for(std::size_t{0}, (k + kTogether - 1) / kTogether, [&](std::size_t group) {
    const std::size_t first = group * kTogether;
    const std::size_t count = std::min(kTogether, k - first);
    std::array<std::vector<double>, kTogether> scores;
    for (std::size_t g = 0; g < count; ++g) scores[g].resize(n);
    if (!scoreRows(rows, centroids.subspan(first * d, count * d), scores, job)) return;
    std::vector<std::int32_t> order(n);
    for (std::size_t g = 0; g < count; ++g)
      seatLargest(
          scores[g], order,
          {tables.data() + (first + g) * static_cast<std::size_t>(seats), static_cast<std::size_t>(seats)});
  });
  if (job.isCancelled()) return cancelled();
  return tables;
}

Result<std::vector<std::int32_t>> nearestCentroids(RowsView rows, std::span<const double> centroids,
                                                   const JobContext& job) {
  const Index d = rows.d;
  const Index k = static_cast<Index>(centroids.size()) / d;
  std::vector<double> columns(centroids.size());  // (d, k): one channel of all centroids side by side
  for (Index c = 0; c < d; ++c)
    for (Index a = 0; a < k; ++a)
      columns[static_cast<std::size_t>(c * k + a)] = centroids[static_cast<std::size_t>(a * d + c)];
  std::vector<std::int32_t> nearest(static_cast<std::size_t>(rows.count()));
  tbb::parallel_for(
      tbb::blocked_range<Index>(0, rows.count(), 64), [&](const tbb::blocked_range<Index>& range) {
        if (job.isCancelled()) return;
        std::vector<double> scores(static_cast<std::size_t>(k));
        for (Index i = range.begin(); i < range.end(); ++i) {
          std::fill(scores.begin(), scores.end(), 0.0);
          for (Index c = 0; c < d; ++c) {
            const double x = rows.row(i)[c];
            const double* column = columns.data() + c * k;
            for (Index a = 0; a < k; ++a) scores[static_cast<std::size_t>(a)] += x * column[a];
          }
          nearest[static_cast<std::size_t>(i)] =
              static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
        }
      });
  if (job.isCancelled()) return cancelled();
  return nearest;
}

Status spherewiseLloyd(const std::vector<RowsView>& rows, Index steps, std::vector<std::vector<double>>& path,
                       const JobContext& job) {
  for (Index step = 0; step < steps; ++step) {
    std::vector<double> centroids = path.back();
    std::vector<std::vector<std::int32_t>> nearest;
    for (const RowsView& part : rows) {
      ATTN_ASSIGN(of, nearestCentroids(part, centroids, job));
      nearest.push_back(std::move(of));
    }
    moveCentroids(rows, nearest, centroids);
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
