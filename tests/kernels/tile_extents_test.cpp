// SPDX-License-Identifier: GPL-3.0-or-later
// What masked tiles leave out of their products, and that nothing outside is read or written.
#include <QTest>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu/tile_extents.h"
#include "kernels/cpu/upcoming_rows.h"

using namespace attnscope;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Rows that read a few neighbouring keys, some of them none.
TileBits randomBits(unsigned seed, Index rows) {
  std::mt19937 engine(seed);
  TileBits bits{};
  for (Index r = 0; r < rows; ++r) {
    if (seed % 3 == 0 && r / 8 % 2 == 0) continue;
    const auto begin = static_cast<int>(engine() % 64);
    const auto count = 1 + static_cast<int>(engine() % 9);
    for (int c = begin; c < std::min(64, begin + count); c += 1 + static_cast<int>(seed % 2))
      bits[static_cast<std::size_t>(r)] |= std::uint64_t{1} << c;
  }
  return bits;
}

}  // namespace

class TileExtentsTest : public QObject {
  Q_OBJECT

 private slots:
  void coverWhatIsRead_data() {
    QTest::addColumn<int>("rows");
    for (const int rows : {1, 3, 4, 5, 63, 64}) QTest::newRow(qPrintable(QString::number(rows))) << rows;
  }
  void coverWhatIsRead() {
    QFETCH(int, rows);
    for (unsigned seed = 0; seed < 20; ++seed) {
      const TileBits bits = randomBits(seed, rows);
      const TileExtents extents(bits, rows);
      Index next = 0;
      extents.forEachKeys([&](const TileExtents::Part& part) {
        QCOMPARE(part.row, next);
        next = part.row + part.rows;
        std::uint64_t read = 0;
        for (Index r = part.row; r < next; ++r) read |= bits[static_cast<std::size_t>(r)];
        QCOMPARE(part.begin == part.end, read == 0);
        if (read == 0) return;
        QCOMPARE(part.begin, Index{std::countr_zero(read)});
        QCOMPARE(part.end, Index{64 - std::countl_zero(read)});
      });
      QCOMPARE(next, Index{rows});
      extents.forEachColumns([&](const TileExtents::Part& part) {
        QVERIFY(part.begin % 16 == 0 && part.end % 16 == 0);
        for (Index r = part.row; r < part.row + part.rows; ++r)
          for (Index c = 0; c < 64; ++c)
            if ((bits[static_cast<std::size_t>(r)] >> c & 1) != 0) QVERIFY(c >= part.begin && c < part.end);
      });
    }
  }

  // Logits that nobody needs are NaN here, and must be neither read nor touched.
  void softmaxKeepsToItsColumns() {
    const Index rows = 61;
    const Index width = 16;
    for (unsigned seed = 0; seed < 20; ++seed) {
      const TileBits bits = randomBits(seed, rows);
      const TileExtents extents(bits, rows);
      std::mt19937 engine(seed);
      std::normal_distribution<float> normal;
      std::vector<float> logits(64 * 64, kNaN);
      extents.forEachColumns([&](const TileExtents::Part& part) {
        for (Index r = part.row; r < part.row + part.rows; ++r)
          for (Index c = part.begin; c < part.end; ++c)
            logits[static_cast<std::size_t>(r * 64 + c)] = 3.0F * normal(engine);
      });
      const std::vector<float> before = logits;
      std::vector<float> maximum(64, -std::numeric_limits<float>::infinity());
      std::vector<float> sum(64, 0.0F);
      std::vector<float> accumulated(64 * static_cast<std::size_t>(width), 0.0F);
      tile_math::applyMask(logits.data(), rows, bits.data(), extents.columns());
      tile_math::softmaxStep(logits.data(), rows, extents.columns(), maximum.data(), sum.data(),
                             accumulated.data(), width);
      for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
        double expected = 0.0;
        for (std::size_t c = 0; c < 64; ++c) {
          const std::size_t at = r * 64 + c;
          const bool read = (bits[r] >> c & 1) != 0;
          if (read) expected += std::exp2(static_cast<double>(before[at]) - maximum[r]);
          if (read)
            QVERIFY(std::abs(logits[at] - std::exp2(static_cast<double>(before[at]) - maximum[r])) < 1e-6);
          else
            QVERIFY(logits[at] == 0.0F || (std::isnan(logits[at]) && std::isnan(before[at])));
        }
        QVERIFY(std::abs(sum[r] - expected) <= 1e-6 * expected);
      }
    }
  }

  // Rows wait in the order in which they were announced; what products do not keep up with is left out.
  void upcomingRows() {
    const std::vector<float> rows(64 * 64);
    const std::vector<std::int32_t> order{5, 0, 7};
    UpcomingRows upcoming;
    QVERIFY(upcoming.get()->next == upcoming.get()->end);
    upcoming.add(rows.data(), 40, order.data(), 0, 3);
    upcoming.add(rows.data(), 40, nullptr, 2, 4);
    upcoming.add(rows.data(), 0, nullptr, 0, 4);
    const tile_math::Upcoming* held = upcoming.get();
    QCOMPARE(held->end - held->next, std::ptrdiff_t{4});
    QVERIFY(held->next[0].at == rows.data() + 5 * 40 && held->next[0].lines == 3);
    QVERIFY(held->next[2].at == rows.data() + 7 * 40);
    QVERIFY(held->next[3].at == rows.data() + 2 * 40 && held->next[3].lines == 10);
    upcoming.get()->next += 2;  // as a product does
    upcoming.get()->line = 1;
    upcoming.add(rows.data(), 40, order.data(), 0, 1);
    QCOMPARE(held->end - held->next, std::ptrdiff_t{3});
    QVERIFY(held->next[0].at == rows.data() + 7 * 40 && held->line == 1);
    QVERIFY(held->next[2].at == rows.data() + 5 * 40);
    for (int more = 0; more < 10000; ++more) upcoming.add(rows.data(), 40, order.data(), 0, 3);
    QVERIFY(held->end - held->next < 1000);
    upcoming.clear();
    QVERIFY(held->next == held->end && held->line == 0);
  }

  void sizes() {
    std::vector<float> values(37, -1.5F);
    values[5] = 3.0F;
    values[36] = -4.0F;
    QCOMPARE(tile_math::largestSize(values.data(), 37), 4.0F);
    QCOMPARE(tile_math::largestSize(values.data(), 36), 3.0F);
    values[36] = kNaN;
    QVERIFY(std::isnan(tile_math::largestSize(values.data(), 37)));
    values[36] = -std::numeric_limits<float>::infinity();
    QVERIFY(std::isinf(tile_math::largestSize(values.data(), 37)));
    QCOMPARE(tile_math::largestSize(values.data(), 0), 0.0F);
  }
};

QTEST_APPLESS_MAIN(TileExtentsTest)
#include "tile_extents_test.moc"
