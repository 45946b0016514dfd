// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/routing_tables.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace attnscope {

namespace {

constexpr double kEpsilon = 1e-6;
constexpr std::size_t kRowsBetweenChecks = 4096;
constexpr Index kTogether = 8;  // centroids scored with a row at once: their sums stay in registers

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

using Sums = std::array<double, kTogether>;

// Centroids in groups of kTogether, one channel of a group side by side; the last group is filled up with 0.
class PackedCentroids {
 public:
  template <class Number>
  PackedCentroids(std::span<const Number> centroids, Index d)
      : m_d(d), m_count(static_cast<Index>(centroids.size()) / d) {
    m_cells.assign(static_cast<std::size_t>(groups() * kTogether * d), 0.0);
    for (Index a = 0; a < m_count; ++a)
      for (Index c = 0; c < d; ++c)
        m_cells[static_cast<std::size_t>((a / kTogether * d + c) * kTogether + a % kTogether)] =
            static_cast<double>(centroids[static_cast<std::size_t>(a * d + c)]);
  }

  [[nodiscard]] Index groups() const { return (m_count + kTogether - 1) / kTogether; }
  [[nodiscard]] Index inGroup(Index group) const { return std::min(kTogether, m_count - group * kTogether); }

  // Products of a row with the centroids of a group, each summed in index order.
  [[nodiscard]] Sums score(Index group, const double* row) const {
    Sums sums{};
    const double* cells = m_cells.data() + group * m_d * kTogether;
    for (Index c = 0; c < m_d; ++c)
      for (Index g = 0; g < kTogether; ++g)
        sums[static_cast<std::size_t>(g)] += row[c] * cells[c * kTogether + g];
    return sums;
  }

 private:
  Index m_d;
  Index m_count;
  std::vector<double> m_cells;
};

std::int32_t nearestTo(const double* row, const PackedCentroids& centroids) {
  Index nearest = 0;
  double best = -std::numeric_limits<double>::infinity();
  for (Index group = 0; group < centroids.groups(); ++group) {
    const Sums sums = centroids.score(group, row);
    for (Index g = 0; g < centroids.inGroup(group); ++g)
      if (sums[static_cast<std::size_t>(g)] > best) {
        best = sums[static_cast<std::size_t>(g)];
        nearest = group * kTogether + g;
      }
  }
  return static_cast<std::int32_t>(nearest);
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
  const PackedCentroids packed(centroids, rows.d);
  const auto n = static_cast<std::size_t>(rows.count());
  std::vector<std::int32_t> tables(centroids.size() / static_cast<std::size_t>(rows.d) *
                                   static_cast<std::size_t>(seats));
  tbb::parallel_for(Index{0}, packed.groups(), [&](Index group) {
    std::array<std::vector<double>, static_cast<std::size_t>(kTogether)> scores;
    for (auto& of : scores) of.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      if (i % kRowsBetweenChecks == 0 && job.isCancelled()) return;
      const Sums sums = packed.score(group, rows.row(static_cast<Index>(i)));
      for (std::size_t g = 0; g < sums.size(); ++g) scores[g][i] = sums[g];
    }
    std::vector<std::int32_t> order(n);
    for (Index g = 0; g < packed.inGroup(group); ++g)
      seatLargest(scores[static_cast<std::size_t>(g)], order,
                  {tables.data() + (group * kTogether + g) * seats, static_cast<std::size_t>(seats)});
  });
  if (job.isCancelled()) return cancelled();
  return tables;
}

Result<std::vector<std::int32_t>> nearestCentroids(RowsView rows, std::span<const double> centroids,
                                                   const JobContext& job) {
  const PackedCentroids packed(centroids, rows.d);
  std::vector<std::int32_t> nearest(static_cast<std::size_t>(rows.count()));
  tbb::parallel_for(tbb::blocked_range<Index>(0, rows.count(), 64),
                    [&](const tbb::blocked_range<Index>& range) {
                      if (job.isCancelled()) return;
                      for (Index i = range.begin(); i < range.end(); ++i)
                        nearest[static_cast<std::size_t>(i)] = nearestTo(rows.row(i), packed);
                    });
  if (job.isCancelled()) return cancelled();
  return nearest;
}

Status spherewiseLloyd(const std::vector<RowsView>& rows, Index steps, std::vector<std::vector<double>>& path,
                       const JobContext& job, double decay) {
  for (Index step = 0; step < steps; ++step) {
    std::vector<double> centroids = path.back();
    if (path.size() > 1 && centroids == path[path.size() - 2]) {  // settled
      path.push_back(std::move(centroids));
      continue;
    }
    std::vector<std::vector<std::int32_t>> nearest;
    for (const RowsView& part : rows) {
      ATTN_ASSIGN(of, nearestCentroids(part, centroids, job));
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
