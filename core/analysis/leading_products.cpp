// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/leading_products.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>

#include "core/simd/selection.h"
#include "core/simd/tile_math.h"

namespace attnscope {

namespace {

constexpr Index kBlock = 64;  // rows in one product
// Points whose products with all rows are held at once: a multiple of the rows that one step of a product
// takes, which are 4 or 6.
constexpr Index kPointsAtOnce = 24;
constexpr Index kFewUnsure = 2;  // rows around a border that are worth summing in double
constexpr int kMostHalvings = 48;

template <class Number>
double normOf(const Number* row, Index d) {
  std::array<double, 8> lanes{};  // sums that do not wait for each other
  Index c = 0;
  for (; c + 8 <= d; c += 8)
    for (std::size_t t = 0; t < 8; ++t) {
      const auto x = static_cast<double>(row[c + static_cast<Index>(t)]);
      lanes[t] += x * x;
    }
  for (; c < d; ++c) lanes[0] += static_cast<double>(row[c]) * static_cast<double>(row[c]);
  double squares = 0.0;
  for (const double lane : lanes) squares += lane;
  return std::sqrt(squares);
}

template <class Number>
void fillNorms(const Number* cells, Index d, Index count, std::vector<double>& norms) {
  norms.resize(static_cast<std::size_t>(count));
  tbb::parallel_for(tbb::blocked_range<Index>(0, count, 1024), [&](const tbb::blocked_range<Index>& range) {
    for (Index i = range.begin(); i < range.end(); ++i)
      norms[static_cast<std::size_t>(i)] = normOf(cells + i * d, d);
  });
}

float roundedUp(double x) {
  return std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}

float roundedDown(double x) {
  return std::nextafter(static_cast<float>(x), -std::numeric_limits<float>::infinity());
}

// Not set to 0 first, as a vector would be: all of it is written.
using Floats = std::unique_ptr<float[]>;
Floats floats(Index count) {
  return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(count));
}

// Rows as the right side of products, 64 a panel: (d, 64).
Floats packPanels(const RowTable& rows) {
  const Index d = rows.d();
  const Index panels = (rows.count() + kBlock - 1) / kBlock;
  Floats packed = floats(panels * kBlock * d);
  tbb::parallel_for(Index{0}, panels, [&](Index panel) {
    tile_math::packColumns(rows.rounded(panel * kBlock), d, nullptr,
                           std::min(kBlock, rows.count() - panel * kBlock), d,
                           packed.get() + panel * kBlock * d);
  });
  return packed;
}

// The leading point of a row by sums in double.
std::int32_t leadInDouble(const RowTable& rows, Index i, const RowTable& points, bool opposites) {
  const Index k = points.count();
  std::vector<double> products(static_cast<std::size_t>(k));
  for (Index a = 0; a < k; ++a) products[static_cast<std::size_t>(a)] = RowTable::product(rows, i, points, a);
  const auto at = [&](Index a) {
    return a < k ? products[static_cast<std::size_t>(a)] : -products[static_cast<std::size_t>(a - k)];
  };
  Index best = 0;
  for (Index a = 1; a < (opposites ? 2 * k : k); ++a)
    if (at(a) > at(best)) best = a;
  return static_cast<std::int32_t>(best);
}

Result<std::vector<std::int32_t>> lead(const RowTable& rows, const RowTable& points, bool opposites,
                                       const JobContext& job) {
  const Index n = rows.count();
  const Index d = rows.d();
  const Index k = points.count();
  const double pointNorm = points.largestNorm();
  const Floats panels = packPanels(points);
  const Index panelCount = (k + kBlock - 1) / kBlock;
  const Index width = panelCount * kBlock;
  std::vector<std::int32_t> leading(static_cast<std::size_t>(n));
  tbb::parallel_for(Index{0}, (n + kBlock - 1) / kBlock, [&](Index block) {
    if (job.isCancelled()) return;
    const Index begin = block * kBlock;
    const Index count = std::min(kBlock, n - begin);
    const Floats products = floats(count * width);
    for (Index panel = 0; panel < panelCount; ++panel)
      tile_math::gemm(rows.rounded(begin), d, panels.get() + panel * kBlock * d, kBlock,
                      products.get() + panel * kBlock, width, count, kBlock, d, false);
    for (Index t = 0; t < count; ++t) {
      const double bound = productRounding(rows.norm(begin + t), pointNorm, d);
      const auto found = selection::leader(products.get() + t * width, k, opposites, roundedUp(2.0 * bound));
      const bool signIsSure = !opposites || std::abs(static_cast<double>(found.value)) > bound;
      leading[static_cast<std::size_t>(begin + t)] =
          found.clear && signIsSure
              ? static_cast<std::int32_t>(opposites && found.value < 0.0F ? k + found.place : found.place)
              : leadInDouble(rows, begin + t, points, opposites);
    }
  });
  if (job.isCancelled()) return cancelled();
  return leading;
}

// Chooses the rows of one point from its products with all of them, which are followed by -inf up to a
// multiple of 64.
class Seating {
 public:
  Seating(const RowTable& rows, const RowTable& points, double rowNorm)
      : m_rows(rows), m_points(points), m_rowNorm(rowNorm) {}

  void choose(Index point, std::span<const float> products, std::span<std::int32_t> table) {
    const Index n = m_rows.count();
    const auto seats = static_cast<Index>(table.size());
    const double norm = m_points.norm(point);
    const double bound = productRounding(m_rowNorm, norm, m_rows.d());
    m_possible.assign(products.size() / 64, ~std::uint64_t{0});
    m_sure.assign(products.size() / 64, 0);
    if (std::isfinite(bound)) {
      const auto length = static_cast<Index>(products.size());
      const auto [low, high] = border(products, seats, m_rowNorm * norm + bound);
      selection::markAtLeast(products.data(), length, roundedDown(low - 2.0 * bound), m_possible.data());
      selection::markAtLeast(products.data(), length, roundedUp(high + 2.0 * bound), m_sure.data());
    }
    if (const Index rest = n % 64; rest != 0) m_possible.back() &= (std::uint64_t{1} << rest) - 1;
    Index sure = 0;
    for (const std::uint64_t word : m_sure) sure += std::popcount(word);
    decide(point, seats - sure);
    auto seat = table.begin();
    forEach(m_sure, [&](Index i) { *seat++ = static_cast<std::int32_t>(i); });
  }

 private:
  // low <= the product of rank `seats` < high, with few products between them. None is larger than `reach`.
  static std::pair<double, double> border(std::span<const float> products, Index seats, double reach) {
    const auto n = static_cast<Index>(products.size());
    double low = roundedDown(-reach);
    double high = roundedUp(reach);
    Index atLow = n;
    Index atHigh = 0;
    for (int step = 0; step < kMostHalvings && atLow - atHigh > kFewUnsure; ++step) {
      const auto middle = static_cast<float>(0.5 * (low + high));
      if (middle <= low || middle >= high) break;
      const Index above = selection::countAtLeast(products.data(), n, middle);
      (above >= seats ? low : high) = middle;
      (above >= seats ? atLow : atHigh) = above;
    }
    return {low, high};
  }

  // Fills the seats that are left from the rows that are possible and not sure.
  void decide(Index point, Index left) {
    m_unsure.clear();
    std::vector<std::uint64_t> between(m_possible.size());
    for (std::size_t w = 0; w < between.size(); ++w) between[w] = m_possible[w] & ~m_sure[w];
    forEach(between,
            [&](Index i) { m_unsure.emplace_back(RowTable::product(m_rows, i, m_points, point), i); });
    const auto before = [](const Candidate& a, const Candidate& b) {
      return a.first > b.first || (a.first == b.first && a.second < b.second);
    };
    if (left < static_cast<Index>(m_unsure.size()))
      std::nth_element(m_unsure.begin(), m_unsure.begin() + left, m_unsure.end(), before);
    for (Index t = 0; t < left; ++t) {
      const Index i = m_unsure[static_cast<std::size_t>(t)].second;
      m_sure[static_cast<std::size_t>(i / 64)] |= std::uint64_t{1} << i % 64;
    }
  }

  template <class Action>
  static void forEach(const std::vector<std::uint64_t>& marks, const Action& action) {
    for (std::size_t w = 0; w < marks.size(); ++w)
      for (std::uint64_t word = marks[w]; word != 0; word &= word - 1)
        action(static_cast<Index>(w) * 64 + std::countr_zero(word));
  }

  using Candidate = std::pair<double, Index>;
  const RowTable& m_rows;
  const RowTable& m_points;
  double m_rowNorm;
  std::vector<std::uint64_t> m_possible;
  std::vector<std::uint64_t> m_sure;
  std::vector<Candidate> m_unsure;
};

}  // namespace

double productRounding(double x, double y, Index d) {
  const auto isTame = [](double norm) { return norm == 0.0 || (norm > 1e-15 && norm < 1e15); };
  if (!isTame(x) || !isTame(y)) return std::numeric_limits<double>::infinity();
  return (static_cast<double>(d) + 14.0) * 0x1p-24 * x * y;
}

RowTable::RowTable(std::span<const float> cells, Index d) : m_cells(cells), m_d(d) {
  fillNorms(cells.data(), d, static_cast<Index>(cells.size()) / d, m_norms);
}

RowTable::RowTable(std::span<const double> cells, Index d)
    : m_cells(cells), m_d(d), m_rounded(cells.begin(), cells.end()) {
  fillNorms(cells.data(), d, static_cast<Index>(cells.size()) / d, m_norms);
}

RowTable::RowTable(std::vector<float> near, Index d, double mostNorm, MakeRow make)
    : m_cells(std::move(make)),
      m_d(d),
      m_rounded(std::move(near)),
      m_norms(m_rounded.size() / static_cast<std::size_t>(d), mostNorm) {}

const float* RowTable::rounded(Index i) const {
  const auto* own = std::get_if<std::span<const float>>(&m_cells);
  return (own != nullptr ? own->data() : m_rounded.data()) + i * m_d;
}

double RowTable::largestNorm() const {
  double largest = 0.0;
  for (const double norm : m_norms)
    if (!(norm <= largest)) largest = norm;  // NaN counts
  return largest;
}

double RowTable::product(const RowTable& x, Index i, const RowTable& y, Index j) {
  const auto rowOf = [](const RowTable& table, Index row, std::vector<double>& made, const auto& use) {
    std::visit(
        [&](const auto& cells) {
          if constexpr (std::is_same_v<std::decay_t<decltype(cells)>, MakeRow>) {
            made.resize(static_cast<std::size_t>(table.m_d));
            cells(row, made.data());
            use(made.data());
          } else {
            use(cells.data() + row * table.m_d);
          }
        },
        table.m_cells);
  };
  std::vector<double> madeLeft;
  std::vector<double> madeRight;
  double sum = 0.0;
  rowOf(x, i, madeLeft, [&](const auto* left) {
    rowOf(y, j, madeRight, [&](const auto* right) {
      for (Index c = 0; c < x.m_d; ++c) sum += static_cast<double>(left[c]) * static_cast<double>(right[c]);
    });
  });
  return sum;
}

Result<std::vector<std::int32_t>> leadingPoints(const RowTable& rows, const RowTable& points,
                                                const JobContext& job) {
  return lead(rows, points, false, job);
}

Result<std::vector<std::int32_t>> leadingDirections(const RowTable& rows, const RowTable& points,
                                                    const JobContext& job) {
  return lead(rows, points, true, job);
}

Result<std::vector<std::int32_t>> leadingRows(const RowTable& rows, const RowTable& points, Index seats,
                                              const JobContext& job) {
  const Index n = rows.count();
  const Index d = rows.d();
  const Index k = points.count();
  const double rowNorm = rows.largestNorm();
  const Floats panels = packPanels(rows);
  const Index panelCount = (n + kBlock - 1) / kBlock;
  std::vector<std::int32_t> tables(static_cast<std::size_t>(k * seats));
  tbb::parallel_for(Index{0}, (k + kPointsAtOnce - 1) / kPointsAtOnce, [&](Index group) {
    const Index first = group * kPointsAtOnce;
    const Index count = std::min(kPointsAtOnce, k - first);
    const Index length = panelCount * kBlock;
    const Floats products = floats(count * length);
    for (Index panel = 0; panel < panelCount && !job.isCancelled(); ++panel)
      tile_math::gemm(points.rounded(first), d, panels.get() + panel * kBlock * d, kBlock,
                      products.get() + panel * kBlock, length, count, kBlock, d, false);
    Seating seating(rows, points, rowNorm);
    for (Index a = 0; a < count && !job.isCancelled(); ++a) {
      const std::span<float> own(products.get() + a * length, static_cast<std::size_t>(length));
      std::fill(own.begin() + n, own.end(), -std::numeric_limits<float>::infinity());
      seating.choose(first + a, own, {tables.data() + (first + a) * seats, static_cast<std::size_t>(seats)});
    }
  });
  if (job.isCancelled()) return cancelled();
  return tables;
}

}  // namespace attnscope
