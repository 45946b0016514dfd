// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/routing_tables.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/analysis/leading_products.h"
#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"

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

using Nearest = std::vector<std::vector<std::int32_t>>;  // by part of the rows

// Sums of the rows by nearest centroid, in their order. Kept from step to step: a centroid whose rows are the
// same ones has the same sum.
class MemberSums {
 public:
  MemberSums(const std::vector<RowsView>& rows, Index k)
      : m_rows(rows),
        m_d(rows.front().d),
        m_sums(static_cast<std::size_t>(k * m_d)),
        m_counts(static_cast<std::size_t>(k)),
        m_changed(static_cast<std::size_t>(k), 1) {}

  void update(Nearest nearest) {
    if (!m_nearest.empty()) noteChanges(nearest);
    for (std::size_t c = 0; c < m_changed.size(); ++c) {
      if (m_changed[c] == 0) continue;
      std::fill_n(m_sums.begin() + static_cast<std::ptrdiff_t>(c) * m_d, m_d, 0.0);
      m_counts[c] = 0.0;
    }
    for (std::size_t part = 0; part < m_rows.size(); ++part)
      for (Index i = 0; i < m_rows[part].count(); ++i) {
        const auto c = static_cast<std::size_t>(nearest[part][static_cast<std::size_t>(i)]);
        if (m_changed[c] == 0) continue;
        double* sum = m_sums.data() + static_cast<Index>(c) * m_d;
        const double* row = m_rows[part].row(i);
        for (Index t = 0; t < m_d; ++t) sum[t] += row[t];
        ++m_counts[c];
      }
    m_nearest = std::move(nearest);
  }

  [[nodiscard]] const double* sum(Index c) const { return m_sums.data() + c * m_d; }
  [[nodiscard]] double count(Index c) const { return m_counts[static_cast<std::size_t>(c)]; }

 private:
  void noteChanges(const Nearest& nearest) {
    std::fill(m_changed.begin(), m_changed.end(), 0);
    for (std::size_t part = 0; part < nearest.size(); ++part)
      for (std::size_t i = 0; i < nearest[part].size(); ++i) {
        const std::int32_t before = m_nearest[part][i];
        const std::int32_t now = nearest[part][i];
        if (before == now) continue;
        m_changed[static_cast<std::size_t>(before)] = m_changed[static_cast<std::size_t>(now)] = 1;
      }
  }

  const std::vector<RowsView>& m_rows;
  Index m_d;
  std::vector<double> m_sums;
  std::vector<double> m_counts;
  std::vector<char> m_changed;
  Nearest m_nearest;
};

// Means of the members, mixed with where the centroids were, back on the sphere.
void moveCentroids(const MemberSums& members, Index d, double decay, std::vector<double>& centroids) {
  std::vector<double> mean(static_cast<std::size_t>(d));
  const Index k = static_cast<Index>(centroids.size()) / d;
  for (Index c = 0; c < k; ++c) {
    const double count = members.count(c);
    if (count == 0.0) continue;  // nobody's nearest: it stays
    std::copy_n(members.sum(c), d, mean.begin());
    double* centroid = centroids.data() + c * d;
    if (decay > 0.0)
      for (Index t = 0; t < d; ++t) {
        double& sum = mean[static_cast<std::size_t>(t)];
        sum = decay * centroid[t] + (1.0 - decay) * sum / count;
      }
    double squares = 0.0;
    for (const double x : mean) squares += x * x;
    if (squares == 0.0) continue;  // members that cancel out
    const double factor = std::sqrt(static_cast<double>(d) / squares);
    for (Index t = 0; t < d; ++t) centroid[t] = factor * mean[static_cast<std::size_t>(t)];
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

// Standardised rows, by vectors in float32 and exactly where a decision asks. The mean is that of a sum in
// index order in double, which for a row far from 0 is wrong by up to d 2^-53 of its largest number, and the
// deviation may be as small as sqrt(kEpsilon): rows for which that could be seen are all made exactly.
Result<std::vector<std::int32_t>> seatRows(std::span<const float> rows, Index d,
                                           std::span<const float> centroids, Index seats,
                                           const JobContext& job) {
  const auto n = static_cast<Index>(rows.size()) / d;
  const double largest = tile_math::largestSize(rows.data(), n * d);
  if (!(largest * static_cast<double>(d) <= 0x1p25 * std::sqrt(kEpsilon))) {
    const std::vector<double> exact = standardisedRows(rows, n, d);
    return leadingRows({std::span<const double>(exact), d}, {centroids, d}, seats, job);
  }
  std::vector<float> near(rows.size());
  tbb::parallel_for(tbb::blocked_range<Index>(0, n, 256), [&](const tbb::blocked_range<Index>& range) {
    row_math::standardiseRows(rows.data() + range.begin() * d, range.end() - range.begin(), d, kEpsilon,
                              near.data() + range.begin() * d);
  });
  const double longest = std::sqrt(static_cast<double>(d)) * (1.0 + 1e-6);  // of variance 1
  const RowTable table(std::move(near), d, longest,
                       [&](Index i, double* row) { standardise<1>(rows.data() + i * d, d, row); });
  return leadingRows(table, {centroids, d}, seats, job);
}

Result<std::vector<std::int32_t>> nearestCentroids(RowsView rows, std::span<const double> centroids,
                                                   const JobContext& job) {
  return leadingPoints({rows.cells, rows.d}, {centroids, rows.d}, job);
}

Status spherewiseLloyd(const std::vector<RowsView>& rows, Index steps, std::vector<std::vector<double>>& path,
                       const JobContext& job, double decay) {
  std::vector<RowTable> tables;
  for (const RowsView& part : rows) tables.emplace_back(part.cells, part.d);
  const Index d = rows.front().d;
  MemberSums members(rows, static_cast<Index>(path.back().size()) / d);
  for (Index step = 0; step < steps; ++step) {
    std::vector<double> centroids = path.back();
    if (path.size() > 1 && centroids == path[path.size() - 2]) {  // settled
      path.push_back(std::move(centroids));
      continue;
    }
    Nearest nearest;
    for (const RowTable& part : tables) {
      ATTN_ASSIGN(of, leadingPoints(part, {std::span<const double>(centroids), part.d()}, job));
      nearest.push_back(std::move(of));
    }
    members.update(std::move(nearest));
    moveCentroids(members, d, decay, centroids);
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
