// SPDX-License-Identifier: GPL-3.0-or-later
#include <QTest>
#include <algorithm>
#include <bit>
#include <random>

#include "core/mechanisms/catalogue_support.h"
#include "core/plan/tile_map.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

// The tile map read back cell by cell.
int multiplicityAt(const TileMap& map, Index row, Index col) {
  for (const TileRun& run : map.row(row / kTile)) {
    if (col / kTile < run.begin || col / kTile >= run.end) continue;
    if (run.mask == TileRun::kFull) return 1;
    const TileMask& mask = map.mask(run.mask);
    if ((mask.bits[static_cast<std::size_t>(row % kTile)] >> (col % kTile) & 1) == 0) return 0;
    return cellMultiplicity(map, mask, row % kTile, col % kTile);
  }
  return 0;
}

// The pattern read cell by cell.
std::vector<int> cellsOf(const Pattern& pattern) {
  std::vector<int> cells(static_cast<std::size_t>(pattern.rows() * pattern.cols()), 0);
  RunList runs;
  for (Index i = 0; i < pattern.rows(); ++i) {
    pattern.row(i, runs);
    for (const Run& run : runs)
      for (Index j = run.begin; j < run.end; j += run.stride)
        cells[static_cast<std::size_t>(i * pattern.cols() + j)] = run.multiplicity;
  }
  return cells;
}

// Runs at random borders: strides, multiplicities up to 7, long runs over many tiles.
PatternPtr randomPattern(Index rows, Index cols, unsigned seed) {
  return makePattern(rows, cols, [rows, cols, seed](Index i, RunList& runs) {
    std::mt19937 engine(seed + static_cast<unsigned>(i / (i % 3 == 0 ? 64 : 1)));
    const auto upTo = [&](Index n) { return static_cast<Index>(engine() % static_cast<unsigned>(n)); };
    Index at = upTo(cols);
    while (at < cols) {
      Run run{at, std::min(cols, at + 1 + upTo(3 * kTile)), 1 + (upTo(4) == 0 ? upTo(5) : 0), 0,
              static_cast<std::uint8_t>(upTo(5) == 0 ? 1 + upTo(7) : 1)};
      runs.push_back(run);
      at = run.end + upTo(2 * kTile);
    }
    (void)rows;
  });
}

}  // namespace

class TileMapTest : public QObject {
  Q_OBJECT

 private:
  static void compare(const Pattern& pattern) {
    const auto map = TileMap::build(pattern, {});
    QVERIFY(map);
    const std::vector<int> cells = cellsOf(pattern);
    Index pairs = 0;
    for (Index i = 0; i < pattern.rows(); ++i)
      for (Index j = 0; j < pattern.cols(); ++j) {
        const int expected = cells[static_cast<std::size_t>(i * pattern.cols() + j)];
        pairs += expected > 0 ? 1 : 0;
        if (multiplicityAt(**map, i, j) != expected)
          QFAIL(qPrintable(QString("cell (%1, %2): %3, expected %4")
                               .arg(i)
                               .arg(j)
                               .arg(multiplicityAt(**map, i, j))
                               .arg(expected)));
      }
    QCOMPARE((*map)->pairs(), pairs);
    for (Index row = 0; row < (*map)->tileRows(); ++row)
      for (const TileRun& run : (*map)->row(row)) {
        if (run.mask == TileRun::kFull) continue;
        const TileBits& bits = (*map)->mask(run.mask).bits;
        QVERIFY(std::any_of(bits.begin(), bits.end(), [](std::uint64_t word) { return word != 0; }));
      }
  }

 private slots:
  void equalsThePattern_data() {
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("cols");
    for (const int rows : {1, 63, 64, 65, 194})
      for (const int cols : {1, 63, 64, 65, 194, 640})
        QTest::newRow(qPrintable(QString("%1x%2").arg(rows).arg(cols))) << rows << cols;
  }
  void equalsThePattern() {
    QFETCH(int, rows);
    QFETCH(int, cols);
    for (unsigned seed = 0; seed < 6; ++seed) compare(*randomPattern(rows, cols, seed));
  }

  // Reformer gives its tiles as bits, counted over its rounds, and its rows as runs.
  void equalsTheRunsOfReformer_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"", "rounds=1", "rounds=5,buckets=4", "chunk=64,buckets=2", "chunk=7,rounds=4",
          "restrict_to_bucket=off,rounds=3", "restrict_to_bucket=off,wrap=on", "dedup=off,rounds=3",
          "self=always,rounds=4,buckets=2", "look_back=2,look_ahead=1,rounds=3", "chunk=1,rounds=3"})
      QTest::newRow(spec) << QString("reformer:%1").arg(spec);
  }
  void equalsTheRunsOfReformer() {
    QFETCH(QString, spec);
    if (spec.endsWith(':')) spec.chop(1);
    for (const char* source : {"clustered:n=200,d=8,heads=1", "gaussian:n=64,d=8,heads=1"})
      for (const bool causal : {false, true}) {
        MechanismSpec wanted = *parseMechanismSpec(spec.toStdString());
        wanted.options.causal = wanted.options.causalGiven = causal;
        const auto planned = planCall(wanted, attnscope::testing::inputOf(source));
        QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
        for (const Step& step : planned->plan->plan().steps)
          if (const auto* attend = std::get_if<AttendStep>(&step)) compare(*attend->heads.front().pattern);
      }
  }

  // Full attention on a multiple of the tile is one run a row of tiles and not a single mask.
  void fullAttentionIsOneRun() {
    const auto map = TileMap::build(*densePattern(1024, 1024, false), {});
    QCOMPARE((*map)->pairs(), Index{1024 * 1024});
    QCOMPARE((*map)->tiles(), Index{256});
    QCOMPARE((*map)->partialTiles(), Index{0});
    QCOMPARE((*map)->row(3).size(), std::size_t{1});
  }

  // Causal attention: all diagonal tiles share one mask, whatever the length.
  void causalDiagonalIsStoredOnce() {
    const auto small = TileMap::build(*densePattern(1024, 1024, true), {});
    const auto large = TileMap::build(*densePattern(8192, 8192, true), {});
    QCOMPARE((*large)->pairs(), Index{8192} * 8193 / 2);
    QCOMPARE((*large)->partialTiles(), Index{128});
    QVERIFY((*large)->bytes() - (*small)->bytes() < 128 * 64);  // grows with rows of tiles, not with masks
  }

  void cancelStops() {
    const JobContext job;
    job.cancel();
    const auto map = TileMap::build(*densePattern(4096, 4096, true), job);
    QVERIFY(!map);
    QCOMPARE(map.error().kind, ErrorKind::Cancelled);
  }
};

QTEST_APPLESS_MAIN(TileMapTest)
#include "tile_map_test.moc"
