// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/kmeans.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "core/analysis/leading_products.h"
#include "core/simd/row_math.h"

namespace attnscope {

namespace {

double squaredDistance(const float* row, const double* point, Index d) {
  double sum = 0.0;
  for (Index c = 0; c < d; ++c) sum += (row[c] - point[c]) * (row[c] - point[c]);
  return sum;
}

// Distance of every row from the nearest of the points so far.
class Distances {
 public:
  Distances(std::span<const float> rows, Index n, Index d) : m_rows(rows), m_n(n), m_d(d) {
    const RowTable table(rows, d);
    for (Index i = 0; i < n; ++i) m_norms.push_back(table.norm(i));
    m_largestNorm = table.largestNorm();
    m_held.resize(static_cast<std::size_t>(n));
  }

  // Distances from one point instead.
  void restart(const double* point) {
    tbb::parallel_for(Index{0}, m_n, [&](Index i) {
      m_held[static_cast<std::size_t>(i)] = squaredDistance(m_rows.data() + i * m_d, point, m_d);
    });
  }

  // One more point, itself a row. Only rows that may be nearer to it, as far as float32 can tell, are looked
  // at in double.
  void add(Index chosen) {
    const float* point = m_rows.data() + chosen * m_d;
    const std::vector<double> exact(point, point + m_d);
    const double norm = m_norms[static_cast<std::size_t>(chosen)];
    const double widest = 4.0 * productRounding(m_largestNorm, norm, m_d);  // of all rows
    tbb::parallel_for(Index{0}, (m_n + kRows - 1) / kRows, [&](Index block) {
      const Index begin = block * kRows;
      const Index count = std::min(kRows, m_n - begin);
      std::array<float, kRows> products{};
      row_math::dotRows(point, m_rows.data() + begin * m_d, m_d, count, products.data());
      for (Index t = 0; t < count; ++t) {
        const auto i = static_cast<std::size_t>(begin + t);
        const double apart = m_norms[i] * m_norms[i] + norm * norm -
                             2.0 * static_cast<double>(products[static_cast<std::size_t>(t)]);
        if (apart - widest >= m_held[i]) continue;
        // Twice the bound: the other terms are rounded too, though only in double.
        if (apart - 4.0 * productRounding(m_norms[i], norm, m_d) >= m_held[i]) continue;
        m_held[i] =
            std::min(m_held[i], squaredDistance(m_rows.data() + (begin + t) * m_d, exact.data(), m_d));
      }
    });
  }

  [[nodiscard]] Index nearest() const {
    return std::min_element(m_held.begin(), m_held.end()) - m_held.begin();
  }
  [[nodiscard]] Index farthest() const {
    return std::max_element(m_held.begin(), m_held.end()) - m_held.begin();
  }

 private:
  static constexpr Index kRows = 256;
  std::span<const float> m_rows;
  Index m_n;
  Index m_d;
  std::vector<double> m_norms;
  double m_largestNorm = 0.0;
  std::vector<double> m_held;
};

// Chosen one after the other, each as far as possible from those before.
std::vector<double> farthestPoints(std::span<const float> rows, Index n, Index d, Index k) {
  std::vector<double> mean(static_cast<std::size_t>(d), 0.0);
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < d; ++c)
      mean[static_cast<std::size_t>(c)] += rows[static_cast<std::size_t>(i * d + c)] / static_cast<double>(n);
  Distances distances(rows, n, d);
  distances.restart(mean.data());
  std::vector<double> points;
  for (Index a = 0; a < k; ++a) {
    const Index chosen = a == 0 ? distances.nearest() : distances.farthest();
    const float* row = rows.data() + chosen * d;
    points.insert(points.end(), row, row + d);
    if (a == 0)
      distances.restart(points.data());
    else
      distances.add(chosen);
  }
  return points;
}

// The nearest point of every row: the largest of x.p - |p|^2 / 2, as a product of [x, 1] and [p, -|p|^2 / 2].
class Nearest {
 public:
  Nearest(std::span<const float> rows, Index n, Index d)
      : m_d(d), m_rows(extended(rows, n, d)), m_table(std::span<const float>(m_rows), d + 1) {}

  [[nodiscard]] Result<std::vector<std::int32_t>> of(const std::vector<double>& points,
                                                     const JobContext& job) const {
    std::vector<double> added;
    for (auto point = points.begin(); point != points.end(); point += m_d) {
      const double squares = std::inner_product(point, point + m_d, point, 0.0);
      added.insert(added.end(), point, point + m_d);
      added.push_back(-0.5 * squares);
    }
    return leadingPoints(m_table, {std::span<const double>(added), m_d + 1}, job);
  }

 private:
  static std::vector<float> extended(std::span<const float> rows, Index n, Index d) {
    std::vector<float> made;
    made.reserve(static_cast<std::size_t>(n * (d + 1)));
    for (Index i = 0; i < n; ++i) {
      made.insert(made.end(), rows.begin() + i * d, rows.begin() + (i + 1) * d);
      made.push_back(1.0F);
    }
    return made;
  }

  Index m_d;
  std::vector<float> m_rows;
  RowTable m_table;
};

}  // namespace

Result<std::vector<double>> kMeans(std::span<const float> rows, Index n, Index d, Index k, Index steps,
                                   const JobContext& job) {
  std::vector<double> points = farthestPoints(rows, n, d, k);
  const Nearest assignment(rows, n, d);
  std::vector<std::int32_t> nearest;
  for (Index step = 0; step < steps; ++step) {
    if (job.isCancelled()) return cancelled();
    ATTN_ASSIGN(now, assignment.of(points, job));
    if (now == nearest) break;
    nearest = std::move(now);
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
