// SPDX-License-Identifier: GPL-3.0-or-later
// Products and rows of the inner loops against plain loops in double, at sizes around those at which they
// change their way: rows and columns of registers, and parts that fit the first cache.
#include <QTest>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"

namespace {

using Index = std::int64_t;

std::vector<float> draws(Index count, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(count) + 16);
  for (float& x : values) x = normal(engine);
  return values;
}

}  // namespace

class TileMathTest : public QObject {
  Q_OBJECT

 private slots:
  void products_data() {
    QTest::addColumn<int>("m");
    QTest::addColumn<int>("width");
    QTest::addColumn<int>("k");
    for (const int m : {1, 3, 4, 6, 11, 64})
      for (const int width : {16, 48, 64, 112, 272})
        for (const int k : {0, 1, 64, 95, 96, 97, 200, 385})
          QTest::newRow(qPrintable(QString("%1x%2x%3").arg(m).arg(width).arg(k))) << m << width << k;
  }
  // Of n products and sums each is off by at most 2^-24 of the sum of sizes.
  void products() {
    QFETCH(int, m);
    QFETCH(int, width);
    QFETCH(int, k);
    const std::vector<float> a = draws(m * k, 1);
    const std::vector<float> b = draws(k * width, 2);
    const std::vector<float> before = draws(m * width, 3);
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true}) {
        std::vector<float> c = before;
        if (transposed)
          attnscope::tile_math::gemmTransposed(a.data(), m, b.data(), width, c.data(), width, m, width, k,
                                               accumulate);
        else
          attnscope::tile_math::gemm(a.data(), k, b.data(), width, c.data(), width, m, width, k, accumulate);
        for (Index r = 0; r < m; ++r)
          for (Index col = 0; col < width; ++col) {
            double sum = accumulate ? before[static_cast<std::size_t>(r * width + col)] : 0.0;
            double sizes = std::abs(sum);
            for (Index t = 0; t < k; ++t) {
              const double left = a[static_cast<std::size_t>(transposed ? t * m + r : r * k + t)];
              const double term = left * b[static_cast<std::size_t>(t * width + col)];
              sum += term;
              sizes += std::abs(term);
            }
            const double found = c[static_cast<std::size_t>(r * width + col)];
            if (!(std::abs(found - sum) <= (k + 2) * 0x1p-24 * sizes))
              QFAIL(qPrintable(QString("(%1, %2): %3, expected %4").arg(r).arg(col).arg(found).arg(sum)));
          }
        for (std::size_t at = static_cast<std::size_t>(m * width); at < c.size(); ++at)
          QCOMPARE(c[at], before[at]);  // nothing beyond
      }
  }

  // What is announced is brought in order, some lines a product, and changes no product.
  void announcedMemoryChangesNothing() {
    const Index m = 4;
    const Index k = 16;
    const Index width = 64;
    const std::vector<float> a = draws(m * k, 1);
    const std::vector<float> b = draws(k * width, 2);
    std::vector<float> plain(static_cast<std::size_t>(m * width));
    std::vector<float> announced(plain.size());
    const std::vector<float> distant(16000);
    attnscope::tile_math::gemm(a.data(), k, b.data(), width, plain.data(), width, m, width, k, false);
    const std::array<attnscope::tile_math::Upcoming::Piece, 3> pieces{
        {{a.data(), 3}, {b.data(), 5}, {distant.data(), 1000}}};
    attnscope::tile_math::Upcoming upcoming{pieces.data(), pieces.data() + pieces.size()};
    attnscope::tile_math::gemm(a.data(), k, b.data(), width, announced.data(), width, m, width, k, false,
                               &upcoming);
    QVERIFY(announced == plain);
    QVERIFY(upcoming.next == pieces.data() + 2);
    QVERIFY(upcoming.line > 0);
    for (int more = 0; more < 100; ++more)
      attnscope::tile_math::gemm(a.data(), k, b.data(), width, announced.data(), width, m, width, k, false,
                                 &upcoming);
    QVERIFY(upcoming.next == upcoming.end);
  }

  void packedColumns_data() {
    QTest::addColumn<int>("count");
    QTest::addColumn<int>("cols");
    for (const int count : {1, 3, 4, 5, 8, 15, 31, 60, 63, 64})
      for (const int cols : {1, 4, 7, 8, 13, 64}) QTest::addRow("%d x %d", count, cols) << count << cols;
  }
  void packedColumns() {
    QFETCH(int, count);
    QFETCH(int, cols);
    std::vector<float> rows = draws(Index{64} * cols, 3);
    rows[static_cast<std::size_t>(count * cols - 1)] = -9.0F;
    std::vector<std::int32_t> order(static_cast<std::size_t>(count));
    for (int t = 0; t < count; ++t) order[static_cast<std::size_t>(t)] = count - 1 - t;
    for (const bool ordered : {false, true}) {
      std::vector<float> panel(static_cast<std::size_t>(64 * cols), 7.0F);
      const float largest = attnscope::tile_math::packColumns(
          rows.data(), cols, ordered ? order.data() : nullptr, count, cols, panel.data());
      QCOMPARE(largest, 9.0F);
      for (int c = 0; c < cols; ++c)
        for (int t = 0; t < 64; ++t) {
          const int row = ordered ? count - 1 - t : t;
          const float expected = t < count ? rows[static_cast<std::size_t>(row * cols + c)] : 0.0F;
          QCOMPARE(panel[static_cast<std::size_t>(c * 64 + t)], expected);
        }
    }
    rows[static_cast<std::size_t>(count * cols - 1)] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> panel(static_cast<std::size_t>(64 * cols));
    QVERIFY(
        std::isnan(attnscope::tile_math::packColumns(rows.data(), cols, nullptr, count, cols, panel.data())));
  }

  void combinedRows() {
    const std::vector<float> rows = draws(5 * 67, 6);
    const std::array<float, 3> weights{0.5F, -2.0F, 0.25F};
    for (const Index n : {1, 7, 16, 19, 32, 67}) {
      const std::array<const float*, 3> some{rows.data() + 2 * n, rows.data(), rows.data() + 4 * n};
      std::vector<float> combined(static_cast<std::size_t>(n) + 1, 7.0F);
      std::vector<float> mean(static_cast<std::size_t>(n) + 1, 7.0F);
      attnscope::row_math::combineRows(some.data(), weights.data(), 3, n, combined.data());
      attnscope::row_math::meanOfRows(rows.data(), 5, n, mean.data());
      for (Index c = 0; c < n; ++c) {
        double sum = 0.0;
        for (std::size_t t = 0; t < 3; ++t) sum += static_cast<double>(weights[t]) * some[t][c];
        QVERIFY(std::abs(combined[static_cast<std::size_t>(c)] - sum) < 1e-5);
        double total = 0.0;
        for (Index t = 0; t < 5; ++t) total += rows[static_cast<std::size_t>(t * n + c)];
        QCOMPARE(mean[static_cast<std::size_t>(c)], static_cast<float>(total / 5.0));
      }
      QVERIFY(combined.back() == 7.0F && mean.back() == 7.0F);  // nothing beyond
      attnscope::row_math::combineRows(nullptr, nullptr, 0, n, combined.data());
      QVERIFY(std::all_of(combined.begin(), combined.end() - 1, [](float x) { return x == 0.0F; }));
    }
  }

  // A mean a million times the deviations.
  void standardisedRowsKeepTheirDigits() {
    const Index d = 64;
    std::vector<float> in = draws(d, 8);
    in.resize(static_cast<std::size_t>(d));
    for (float& x : in) x = 1048576.0F + std::round(4.0F * x) / 8.0F;
    std::vector<float> out(static_cast<std::size_t>(d));
    attnscope::row_math::standardiseRows(in.data(), 1, d, 1e-6, out.data());
    double mean = 0.0;
    double variance = 0.0;
    for (const float x : in) mean += x / static_cast<double>(d);
    for (const float x : in) variance += (x - mean) * (x - mean) / static_cast<double>(d);
    for (std::size_t c = 0; c < out.size(); ++c)
      QVERIFY(std::abs(out[c] - (in[c] - mean) / std::sqrt(variance + 1e-6)) < 1e-6);
  }

  void normalisedRows_data() {
    QTest::addColumn<int>("d");
    for (const int d : {1, 3, 4, 7, 8, 9, 16, 17, 64, 67}) QTest::newRow(qPrintable(QString::number(d))) << d;
  }
  void normalisedRows() {
    QFETCH(int, d);
    const Index rows = 5;
    std::vector<float> in = draws(rows * d, 4);
    std::fill_n(in.begin() + 2 * d, d, 0.0F);
    std::vector<float> unit(in.size(), 7.0F);
    std::vector<float> standard(in.size(), 7.0F);
    attnscope::row_math::unitRows(in.data(), rows, d, unit.data());
    attnscope::row_math::standardiseRows(in.data(), rows, d, 1e-6, standard.data());
    for (Index i = 0; i < rows; ++i) {
      double mean = 0.0;
      double squares = 0.0;
      double variance = 0.0;
      const auto at = [&](Index c) { return static_cast<std::size_t>(i * d + c); };
      for (Index c = 0; c < d; ++c) mean += in[at(c)] / static_cast<double>(d);
      for (Index c = 0; c < d; ++c) squares += static_cast<double>(in[at(c)]) * in[at(c)];
      for (Index c = 0; c < d; ++c)
        variance += (in[at(c)] - mean) * (in[at(c)] - mean) / static_cast<double>(d);
      QVERIFY(std::abs(attnscope::row_math::squaredNorm(in.data() + i * d, d) - squares) <= 1e-14 * squares);
      for (Index c = 0; c < d; ++c) {
        const double length = squares > 0.0 ? in[at(c)] / std::sqrt(squares) : 0.0;
        QVERIFY(std::abs(unit[at(c)] - length) <= 1e-7);
        const double expected = (in[at(c)] - mean) / std::sqrt(variance + 1e-6);
        QVERIFY(std::abs(standard[at(c)] - expected) <= 1e-6 * (1.0 + std::abs(expected)));
      }
    }
    for (std::size_t at = static_cast<std::size_t>(rows * d); at < unit.size(); ++at)
      QVERIFY(unit[at] == 7.0F && standard[at] == 7.0F);
  }
};

QTEST_APPLESS_MAIN(TileMathTest)
#include "tile_math_test.moc"
