// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/assignment.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace attnscope {

namespace {

// Rows are assigned one by one. The potentials keep every reduced cost -gain - row - column at 0 or above,
// and at 0 on assigned pairs.
class Solver {
 public:
  Solver(std::span<const double> gains, Index n)
      : m_gains(gains),
        m_n(n),
        m_rowPotential(size(n), 0.0),
        m_columnPotential(size(n), 0.0),
        m_rowOf(size(n), -1),
        m_columnOf(size(n), -1) {
    double largest = 1.0;
    for (const double gain : gains) largest = std::max(largest, std::abs(gain));
    m_tolerance = 1e-11 * largest;
  }

  Result<std::vector<std::int32_t>> solve(const JobContext& job) {
    for (Index row = 0; row < m_n; ++row) {
      if (job.isCancelled()) return cancelled();
      assign(row);
    }
    for (Index row = 0; row < m_n; ++row) {
      if (job.isCancelled()) return cancelled();
      preferEarlierColumn(row);
    }
    return std::move(m_columnOf);
  }

 private:
  static std::size_t size(Index n) { return static_cast<std::size_t>(n); }
  [[nodiscard]] double reduced(Index row, Index column) const {
    return -m_gains[size(row * m_n + column)] - m_rowPotential[size(row)] - m_columnPotential[size(column)];
  }

  // Shortest alternating path from a free row to a free column (Dijkstra on reduced costs).
  void assign(Index start) {
    std::vector<double> distance(size(m_n), std::numeric_limits<double>::infinity());
    std::vector<Index> from(size(m_n), start);
    std::vector<std::uint8_t> done(size(m_n), 0);
    Index row = start;
    Index column = 0;
    double length = 0.0;
    while (true) {
      column = -1;
      for (Index c = 0; c < m_n; ++c) {
        if (done[size(c)] != 0) continue;
        const double through = length + reduced(row, c);
        if (through < distance[size(c)]) {
          distance[size(c)] = through;
          from[size(c)] = row;
        }
        if (column < 0 || distance[size(c)] < distance[size(column)]) column = c;
      }
      length = distance[size(column)];
      done[size(column)] = 1;
      if (m_rowOf[size(column)] < 0) break;
      row = m_rowOf[size(column)];
    }
    m_rowPotential[size(start)] += length;
    for (Index c = 0; c < m_n; ++c) {
      if (done[size(c)] == 0 || c == column) continue;
      m_columnPotential[size(c)] -= length - distance[size(c)];
      m_rowPotential[size(m_rowOf[size(c)])] += length - distance[size(c)];
    }
    augment(start, column, from);
  }

  void augment(Index start, Index column, const std::vector<Index>& from) {
    while (true) {
      const Index row = from[size(column)];
      const Index before = m_columnOf[size(row)];
      m_columnOf[size(row)] = static_cast<std::int32_t>(column);
      m_rowOf[size(column)] = static_cast<std::int32_t>(row);
      if (row == start) return;
      column = before;
    }
  }

  // All best permutations use pairs of reduced cost 0. Gives the row the first column that some best
  // permutation with the earlier rows' columns allows: there is a circle of such pairs through later rows.
  void preferEarlierColumn(Index row) {
    for (Index wanted = 0; wanted < m_columnOf[size(row)]; ++wanted) {
      if (m_rowOf[size(wanted)] < row || reduced(row, wanted) > m_tolerance) continue;
      std::vector<Index> from(size(m_n), -1);
      std::vector<Index> open{wanted};
      from[size(wanted)] = row;
      const Index goal = m_columnOf[size(row)];
      while (!open.empty() && from[size(goal)] < 0) {
        const Index holder = m_rowOf[size(open.back())];
        open.pop_back();
        for (Index c = 0; c < m_n; ++c)
          if (from[size(c)] < 0 && m_rowOf[size(c)] >= row && reduced(holder, c) <= m_tolerance) {
            from[size(c)] = holder;
            open.push_back(c);
          }
      }
      if (from[size(goal)] < 0) continue;
      augment(row, goal, from);
      return;
    }
  }

  std::span<const double> m_gains;
  Index m_n;
  double m_tolerance = 0.0;
  std::vector<double> m_rowPotential;
  std::vector<double> m_columnPotential;
  std::vector<std::int32_t> m_rowOf;
  std::vector<std::int32_t> m_columnOf;
};

}  // namespace

Result<std::vector<std::int32_t>> bestPermutation(std::span<const double> gains, Index n,
                                                  const JobContext& job) {
  return Solver(gains, n).solve(job);
}

}  // namespace attnscope
