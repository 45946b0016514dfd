// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <algorithm>
#include <map>

#include "core/base/byte_cache.h"
#include "core/inputs/recipes.h"
#include "core/mechanisms/mechanism.h"
#include "core/mechanisms/registry.h"
#include "core/raster/count_tiles.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

// Disjoint runs of mixed strides, different in every row.
PatternPtr mixedPattern(Index rows, Index cols) {
  return makePattern(rows, cols, [cols](Index i, RunList& runs) {
    const Index begin = 1 + i * 7 % (cols - 1);
    const Index end = std::min(cols, begin + 1 + i % 5);
    if (i % 4 != 3 && i % 3 < begin)
      runs.push_back({i % 3, begin, Index{1} << (i % 4), static_cast<std::uint8_t>(i % 3), 1});
    runs.push_back({begin, end, 1, 3, 1});
    if (end < cols) runs.push_back({end, cols, 9, 4, 1});
  });
}

CountTilePtr tileAt(const CountedArea& area, NumberLevel level, Index row, Index col) {
  const auto tiles = countTiles(area, level, row, col, col + 1);
  if (!tiles) qFatal("not cancelled, so it cannot fail");
  return tiles->front();
}

Coverage composed(const CountedArea& area, NumberLevel level, const std::vector<Index>& down,
                  const std::vector<Index>& across) {
  PixelSums sums(area, level, down, across);
  for (Index r = down.front() / kTileNumbers; r * kTileNumbers < down.back(); ++r)
    for (Index c = across.front() / kTileNumbers; c * kTileNumbers < across.back(); ++c)
      sums.add(*tileAt(area, level, r, c), r, c);
  return sums.coverage();
}

Index total(const CountTile& tile) {
  Index sum = 0;
  for (const CountTile::Plane& plane : tile.planes)
    for (const std::uint32_t count : plane.counts) sum += count;
  return sum;
}

// Pairs of a whole pattern, from its tiles.
Index pairsOf(const CountedArea& area, NumberLevel level) {
  Index sum = 0;
  const Index side = kTileNumbers << level.down;
  const Index width = kTileNumbers << level.across;
  for (Index row = 0; row * side < area.pattern->rows(); ++row)
    for (Index col = 0; col * width < area.cols; ++col) sum += total(*tileAt(area, level, row, col));
  return sum;
}

PatternPtr patternOf(const std::string& id, const std::string& source) {
  const auto input = outlineRecipe(source);
  MechanismSpec spec;
  spec.id = id;
  const auto call = input ? planCall(spec, *input, {}, {}, Tiles::Later)
                          : Result<PlannedCall>(fail(ErrorKind::Usage, "no input"));
  if (!call) qFatal("%s: %s", id.c_str(), call.error().message.c_str());
  return call->plan->support(0);
}

}  // namespace

class CountTilesTest : public QObject {
  Q_OBJECT

 private slots:
  void tilesAreCountedRectangles_data();
  void tilesAreCountedRectangles();
  void tilesAtTheEndStandForFewerCells();
  void stripsAreTheirTiles();
  void picturesAreSumsOfNumbers();
  void picturesOfSingleCellsAreExact();
  void signedRowsAreTheirRuns_data();
  void signedRowsAreTheirRuns();
  void aMillionTokens_data();
  void aMillionTokens();
  void outlinesHaveThePatternOfTheirInput_data();
  void outlinesHaveThePatternOfTheirInput();
  void countingStopsWhenCancelled();
  void cachesStayWithinTheirBytes();
  void samplesAreRows();
};

void CountTilesTest::tilesAreCountedRectangles_data() {
  QTest::addColumn<int>("down");
  QTest::addColumn<int>("across");
  for (const auto& [down, across] : std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 2}, {0, 2}, {2, 0}})
    QTest::addRow("2^%d x 2^%d", down, across) << down << across;
}

void CountTilesTest::tilesAreCountedRectangles() {
  QFETCH(int, down);
  QFETCH(int, across);
  const NumberLevel level{down, across};
  const Index rows = kTileNumbers << down;
  const Index cols = kTileNumbers << across;
  const CountedArea area{mixedPattern(2 * rows, 2 * cols + 5), 5, 2 * cols};
  for (const Index row : {0, 1})
    for (const Index col : {0, 1}) {
      const Coverage numbers = tileCoverage(*tileAt(area, level, row, col), area, level, row, col);
      const auto counted =
          coverageOf(*area.pattern, row * rows, rows, 5 + col * cols, cols, kTileNumbers, kTileNumbers);
      QVERIFY(counted.has_value());
      QCOMPARE(numbers.share, counted->share);
      for (std::size_t at = 0; at < numbers.share.size(); ++at)
        if (numbers.share[at] > 0.0F) QCOMPARE(numbers.label[at], counted->label[at]);
    }
}

void CountTilesTest::tilesAtTheEndStandForFewerCells() {
  const CountedArea area{mixedPattern(1000, 1001), 0, 1001};
  const NumberLevel level{2, 3};
  QCOMPARE(pairsOf(area, level), countPairs(*area.pattern, 0, 1000, 0, 1001));
  const CountTilePtr tile = tileAt(area, level, 0, 0);
  QCOMPARE(tile->rows, Index{250});
  QCOMPARE(tile->cols, Index{126});
  const Coverage numbers = tileCoverage(*tile, area, level, 0, 0);
  // The last number has one column of four rows.
  const Index last = countPairs(*area.pattern, 996, 1000, 1000, 1001);
  QCOMPARE(numbers.share.back(), static_cast<float>(static_cast<double>(last) / 4.0));
}

void CountTilesTest::stripsAreTheirTiles() {
  const CountedArea area{mixedPattern(600, 1500), 0, 1500};
  const NumberLevel level{1, 1};
  const auto strip = countTiles(area, level, 1, 0, 3);
  QVERIFY(strip.has_value());
  for (Index col = 0; col < 3; ++col) {
    const CountTilePtr alone = tileAt(area, level, 1, col);
    const CountTile& together = *(*strip)[static_cast<std::size_t>(col)];
    QCOMPARE(together.planes.size(), alone->planes.size());
    for (std::size_t p = 0; p < alone->planes.size(); ++p) {
      QCOMPARE(together.planes[p].label, alone->planes[p].label);
      QCOMPARE(together.planes[p].counts, alone->planes[p].counts);
    }
  }
}

void CountTilesTest::picturesAreSumsOfNumbers() {
  const CountedArea area{mixedPattern(1900, 2100), 0, 2100};
  const NumberLevel level{levelFor(1700, 300), levelFor(1300, 200)};
  QCOMPARE(level.down, 2);
  QCOMPARE(level.across, 2);
  const auto down = pixelBorders(200, 1700, 300, level.down, 1900);
  const auto across = pixelBorders(300, 1300, 200, level.across, 2100);
  const Coverage picture = composed(area, level, down, across);
  for (std::size_t r = 0; r + 1 < down.size(); r += 7)
    for (std::size_t c = 0; c + 1 < across.size(); c += 11) {
      const Index row0 = down[r] << level.down;
      const Index row1 = std::min<Index>(down[r + 1] << level.down, 1900);
      const Index col0 = across[c] << level.across;
      const Index col1 = std::min<Index>(across[c + 1] << level.across, 2100);
      // No border is off by more than half a pixel.
      QVERIFY(std::abs(static_cast<double>(row0) - (200.0 + static_cast<double>(r) * 1700.0 / 300.0)) <=
              0.5 * 1700.0 / 300.0);
      const auto share = static_cast<double>(countPairs(*area.pattern, row0, row1, col0, col1)) /
                         static_cast<double>((row1 - row0) * (col1 - col0));
      QCOMPARE(picture.share[r * 200 + c], static_cast<float>(share));
    }
}

// Where a pixel is less than two cells the picture is that of coverageOf(), labels included.
void CountTilesTest::picturesOfSingleCellsAreExact() {
  const CountedArea area{mixedPattern(700, 800), 0, 800};
  for (const Index out : {300, 411, 500}) {
    const auto down = pixelBorders(100, 500, out, 0, 700);
    const auto across = pixelBorders(50, 550, out, 0, 800);
    const Coverage picture = composed(area, {0, 0}, down, across);
    const auto counted = coverageOf(*area.pattern, 100, 500, 50, 550, out, out);
    QVERIFY(counted.has_value());
    QCOMPARE(picture.share, counted->share);
    QCOMPARE(picture.label, counted->label);
  }
}

void CountTilesTest::signedRowsAreTheirRuns_data() {
  QTest::addColumn<QString>("spec");
  for (const char* spec :
       {"axial", "axial:mode=sum", "longformer", "sparse", "bigbird", "reformer", "reformer:rounds=4",
        "reformer:self=always,dedup=off", "routing", "sinkhorn", "etc"})
    QTest::newRow(spec) << QString::fromLatin1(spec);
}

// What is counted for a row is what the row has, label by label.
void CountTilesTest::signedRowsAreTheirRuns() {
  QFETCH(QString, spec);
  const auto parsed = parseMechanismSpec(spec.toStdString());
  QVERIFY(parsed.has_value());
  const auto input = outlineRecipe("clustered:n=144,d=8,heads=1");
  QVERIFY(input.has_value());
  const auto call = planCall(*parsed, *input, {}, {}, Tiles::Later);
  QVERIFY2(call.has_value(), call ? "" : call.error().message.c_str());
  const Pattern& pattern = *call->plan->support(0);
  RunList runs;
  RunList scratch;
  SignedRunList counted;
  for (Index i = 0; i < pattern.rows(); ++i) {
    std::map<std::pair<Index, int>, int> wanted;
    std::map<std::pair<Index, int>, int> found;
    pattern.row(i, runs);
    for (const Run& run : runs)
      for (Index j = run.begin; j < run.end; j += run.stride) ++wanted[{j, run.label}];
    pattern.countedRow(i, counted, scratch);
    for (const auto& [run, minus] : counted)
      for (Index j = run.begin; j < run.end; j += run.stride) found[{j, run.label}] += minus ? -1 : 1;
    std::erase_if(found, [](const auto& entry) { return entry.second == 0; });
    QVERIFY2(found == wanted, qPrintable(QStringLiteral("row %1").arg(i)));
  }
}

void CountTilesTest::aMillionTokens_data() {
  QTest::addColumn<QString>("id");
  QTest::addColumn<qint64>("pairs");
  constexpr qint64 n = 1 << 20;
  // Closed forms of the papers for the defaults at this length.
  QTest::newRow("full") << "full" << n * n;
  QTest::newRow("linear") << "linear" << n * n;
  QTest::newRow("axial: everything through two stages") << "axial" << n * n;
}

void CountTilesTest::aMillionTokens() {
  QFETCH(QString, id);
  QFETCH(qint64, pairs);
  const PatternPtr pattern = patternOf(id.toStdString(), "clustered:n=1048576,d=64,heads=1");
  const CountedArea area{pattern, 0, pattern->cols()};
  QCOMPARE(pairsOf(area, {12, 12}), Index{pairs});
}

void CountTilesTest::outlinesHaveThePatternOfTheirInput_data() {
  QTest::addColumn<QString>("id");
  for (const Mechanism* mechanism : allMechanisms())
    QTest::newRow(mechanism->card().id.c_str()) << QString::fromStdString(mechanism->card().id);
}

// For every parameter at its ends; a mechanism that read a value of an outline would abort here.
void CountTilesTest::outlinesHaveThePatternOfTheirInput() {
  QFETCH(QString, id);
  const std::string source = "clustered:n=48,d=8,heads=2,kv_heads=1";
  const auto outline = outlineRecipe(source);
  const auto whole = makeRecipe(source);
  QVERIFY(outline && whole);
  QVERIFY(outline->isOutline() && !whole->isOutline());
  QCOMPARE(outline->shape(), whole->shape());
  const auto mechanism = findMechanism(id.toStdString());
  QVERIFY(mechanism.has_value());
  int compared = 0;
  for (const MechanismSpec& spec : attnscope::testing::withCausal(
           **mechanism, attnscope::testing::specsOf(**mechanism, whole->shape()))) {
    const auto seen = planCall(spec, *outline, {}, {}, Tiles::Later);
    const auto run = planCall(spec, *whole);
    QCOMPARE(seen.has_value(), run.has_value());
    if (!run) continue;
    QVERIFY(!seen->plan->hasTiles() && run->plan->hasTiles());
    for (Index h = 0; h < 2; ++h)
      QVERIFY2(asciiPattern(*seen->plan->support(h)) == asciiPattern(*run->plan->support(h)),
               spec.text().c_str());
    ++compared;
  }
  QVERIFY(compared > 0);
}

void CountTilesTest::countingStopsWhenCancelled() {
  const JobContext job;
  job.cancel();
  const CountedArea area{mixedPattern(4096, 4096), 0, 4096};
  const auto tiles = countTiles(area, {4, 4}, 0, 0, 1, job);
  QVERIFY(!tiles);
  QCOMPARE(tiles.error().kind, ErrorKind::Cancelled);
}

void CountTilesTest::cachesStayWithinTheirBytes() {
  ByteCache<int, int> cache(100);
  for (int i = 0; i < 50; ++i) {
    cache.insert(i, std::make_shared<const int>(i), 30);
    QVERIFY(cache.bytes() <= 100);
    QVERIFY(cache.find(0));  // asked for all the time: stays
  }
  QVERIFY(cache.find(49) && *cache.find(49) == 49);
  QVERIFY(!cache.find(1));
  cache.insert(49, std::make_shared<const int>(7), 20);
  QCOMPARE(*cache.find(49), 7);
  QCOMPARE(cache.bytes(), std::size_t{80});
  cache.insert(99, std::make_shared<const int>(99), 101);  // larger than all of it
  QVERIFY(!cache.find(99));
  QCOMPARE(cache.bytes(), std::size_t{80});
  cache.clear();
  QCOMPARE(cache.bytes(), std::size_t{0});
}

// Every row of a first look is one of the rows that its pixels stand for.
void CountTilesTest::samplesAreRows() {
  const CountedArea area{mixedPattern(1000, 512), 0, 512};
  const auto down = pixelBorders(0, 1000, 50, 0, 1000);
  const auto across = pixelBorders(0, 512, 128, 2, 512);
  const auto sampled = sampleCoverage(area, {0, 2}, down, across);
  QVERIFY(sampled.has_value());
  QCOMPARE(sampled->rows, Index{50});
  QCOMPARE(sampled->cols, Index{128});
  for (Index r = 0; r < 50; ++r) {
    bool found = false;
    for (Index i = 20 * r; i < 20 * (r + 1) && !found; ++i) {
      const auto row = coverageOf(*area.pattern, i, 1, 0, 512, 1, 128);
      QVERIFY(row.has_value());
      found = std::equal(row->share.begin(), row->share.end(), sampled->share.begin() + r * 128);
    }
    QVERIFY(found);
  }
}

QTEST_APPLESS_MAIN(CountTilesTest)
#include "count_tiles_test.moc"
