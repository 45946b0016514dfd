// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/kmeans.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <limits>

namespace attnscope {

namespace {

double squaredDistance(const float* row, const double* point, Index d) {
  double sum = 0.0;
  for (Index c = 0; c < d; ++c) sum += (row[c] - point[c]) * (row[c] - point[c]);
  return sum;
}

// Chosen one after the other, each as far as possible from those before.
std::vector<double> farthestPoints(std::span<const float> rows, Index n, Index d, Index k) {
  std::vector<double> mean(static_cast<std::size_t>(d), 0.0);
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < d; ++c)
      mean[static_cast<std::size_t>(c)] += rows[static_cast<std::size_t>(i * d + c)] / static_cast<double>(n);
  std::vector<double> distance(static_cast<std::size_t>(n));
  const auto measure = [&](const double* point, bool first) {
    tbb::parallel_for(Index{0}, n, [&](Index i) {
      const double found = squaredDistance(rows.data() + i * d, point, d);
      double& held = distance[static_cast<std::size_t>(i)];
      held = first ? found : std::min(held, found);
    });
  };
  measure(mean.data(), true);
  std::vector<double> points;
  for (Index a = 0; a < k; ++a) {
    const auto chosen = a == 0 ? std::min_element(distance.begin(), distance.end())
                               : std::max_element(distance.begin(), distance.end());
    const float* row = rows.data() + (chosen - distance.begin()) * d;
    points.insert(points.end(), row, row + d);
    measure(points.data() + a * d, a == 0);
  }
  return points;
}

}  // namespace

Result<std::vector<double>> kMeans(std::span<const float> rows, Index n, Index d, Index k, Index steps,
                                   const JobContext& job) {
  std::vector<double> points = farthestPoints(rows, n, d, k);
  std::vector<Index> nearest(static_cast<std::size_t>(n), -1);
  for (Index step = 0; step < steps; ++step) {
    if (job.isCancelled()) return cancelled();
    std::vector<Index> before = nearest;
    tbb::parallel_for(Index{0}, n, [&](Index i) {
      double best = std::numeric_limits<double>::infinity();
      for (Index a = 0; a < k; ++a) {
        const double found = squaredDistance(rows.data() + i * d, points.data() + a * d, d);
        if (found < best) {
          best = found;
          nearest[static_cast<std::size_t>(i)] = a;
        }
      }
    });
    if (nearest == before) break;
    std::vector<double> sums(points.size(), 0.0);
    std::vector<double> counts(static_cast<std::size_t>(k), 0.0);
    for (Index i = 0; i < n; ++i) {
      const Index a = nearest[static_cast<std::size_t>(i)];
      ++counts[static_cast<std::size_t>(a)];
      for (Index c = 0; c < d; ++c)
        sums[static_cast<std::size_t>(a * d + c)] += rows[static_cast<std::size_t>(i * d + c)];
    }
    for (std::size_t at = 0; at < points.size(); ++at)
      if (const double count = counts[at / static_cast<std::size_t>(d)]; count > 0.0)
        points[at] = sums[at] / count;
  }
  return points;
}

}  // namespace attnscope
