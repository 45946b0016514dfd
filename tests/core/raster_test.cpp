// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "core/raster/color_map.h"
#include "core/raster/coverage.h"

using namespace attnscope;

namespace {

// Disjoint runs of mixed strides, different in every row.
PatternPtr mixedPattern(Index rows, Index cols) {
  return makePattern(rows, cols, [cols](Index i, RunList& runs) {
    const Index begin = i * 7 % cols;
    const Index end = std::min(cols, begin + 1 + i % 5);
    if (i % 4 != 3 && begin > 0)
      runs.push_back({i % 3, begin, 1 + i % 4, static_cast<std::uint8_t>(i % 3), 1});
    if (i % 4 != 3 && runs.size() == 1 && runs[0].count() == 0) runs.clear();
    runs.push_back({begin, end, 1, 3, 1});
    if (end < cols) runs.push_back({end, cols, 9, 4, 1});
  });
}

// The definition, cell by cell.
Coverage bruteForce(const Pattern& pattern, Index row0, Index rows, Index col0, Index cols, Index outRows,
                    Index outCols) {
  Coverage out;
  out.rows = outRows;
  out.cols = outCols;
  RunList runs;
  for (Index r = 0; r < outRows; ++r)
    for (Index c = 0; c < outCols; ++c) {
      const Index i0 = r * rows / outRows;
      const Index i1 = std::max(i0 + 1, (r + 1) * rows / outRows);
      const Index j0 = c * cols / outCols;
      const Index j1 = std::max(j0 + 1, (c + 1) * cols / outCols);
      std::map<int, Index> counts;
      Index total = 0;
      for (Index i = row0 + i0; i < row0 + i1; ++i) {
        pattern.row(i, runs);
        for (const Run& run : runs)
          for (Index j = run.begin; j < run.end; j += run.stride)
            if (j >= col0 + j0 && j < col0 + j1) {
              ++counts[run.label];
              ++total;
            }
      }
      int best = 0;
      for (const auto& [label, count] : counts)
        if (count > counts[best]) best = label;
      out.share.push_back(
          static_cast<float>(static_cast<double>(total) / static_cast<double>((i1 - i0) * (j1 - j0))));
      out.label.push_back(static_cast<std::uint8_t>(best));
    }
  return out;
}

}  // namespace

class RasterTest : public QObject {
  Q_OBJECT

 private slots:
  void coverageIsCounted_data();
  void coverageIsCounted();
  void coverageRefusesWhatIsOutside();
  void coverageStopsWhenCancelled();
  void largePatternsAreFast();
  void mapsRunFromDarkToBright();
  void divergingMapIsBalanced();
  void scalePositions_data();
  void scalePositions();
  void categoriesDiffer();
};

void RasterTest::coverageIsCounted_data() {
  QTest::addColumn<QList<int>>("rectangle");  // row0, rows, col0, cols, outRows, outCols
  QTest::newRow("one pixel a cell") << QList<int>{0, 31, 0, 29, 31, 29};
  QTest::newRow("all in one pixel") << QList<int>{0, 31, 0, 29, 1, 1};
  QTest::newRow("ragged pixels") << QList<int>{0, 31, 0, 29, 7, 11};
  QTest::newRow("inside") << QList<int>{3, 20, 5, 17, 6, 4};
  QTest::newRow("more pixels than cells") << QList<int>{3, 4, 5, 3, 10, 8};
  QTest::newRow("tall cells, wide pixels") << QList<int>{0, 31, 2, 5, 4, 50};
  QTest::newRow("last cell") << QList<int>{30, 1, 28, 1, 3, 3};
}

void RasterTest::coverageIsCounted() {
  QFETCH(QList<int>, rectangle);
  const auto& r = rectangle;
  const PatternPtr pattern = mixedPattern(31, 29);
  const auto got = coverageOf(*pattern, r[0], r[1], r[2], r[3], r[4], r[5]);
  QVERIFY(got.has_value());
  const Coverage want = bruteForce(*pattern, r[0], r[1], r[2], r[3], r[4], r[5]);
  QCOMPARE(got->rows, want.rows);
  QCOMPARE(got->cols, want.cols);
  for (std::size_t p = 0; p < want.share.size(); ++p) {
    QCOMPARE(got->share[p], want.share[p]);
    if (want.share[p] > 0.0F) QCOMPARE(got->label[p], want.label[p]);
  }
}

void RasterTest::coverageRefusesWhatIsOutside() {
  const PatternPtr pattern = mixedPattern(8, 8);
  QVERIFY(!coverageOf(*pattern, 0, 9, 0, 8, 4, 4).has_value());
  QVERIFY(!coverageOf(*pattern, 0, 8, -1, 8, 4, 4).has_value());
  QVERIFY(!coverageOf(*pattern, 0, 8, 0, 8, 0, 4).has_value());
}

void RasterTest::coverageStopsWhenCancelled() {
  const JobContext job;
  job.cancel();
  const auto got = coverageOf(*mixedPattern(64, 64), 0, 64, 0, 64, 16, 16, job);
  QVERIFY(!got.has_value());
  QCOMPARE(got.error().kind, ErrorKind::Cancelled);
}

void RasterTest::largePatternsAreFast() {
  static constexpr Index n = 65536;
  const PatternPtr band = makePattern(n, n, [](Index i, RunList& runs) {
    runs.push_back({std::max<Index>(0, i - 256), std::min<Index>(n, i + 257), 1, 0, 1});
  });
  const auto start = std::chrono::steady_clock::now();
  const auto got = coverageOf(*band, 0, n, 0, n, 400, 400);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  QVERIFY(got.has_value());
  double pairs = 0.0;
  for (Index r = 0; r < 400; ++r)
    for (Index c = 0; c < 400; ++c)
      pairs += static_cast<double>(got->share[static_cast<std::size_t>(r * 400 + c)]) *
               static_cast<double>((r + 1) * n / 400 - r * n / 400) *
               static_cast<double>((c + 1) * n / 400 - c * n / 400);
  const auto exact = static_cast<double>(countPairs(*band, 0, n, 0, n));
  QVERIFY(std::abs(pairs / exact - 1.0) < 1e-5);  // float32 shares
  qInfo("65536 x 65536 band into 400 x 400 pixels: %.1f ms", took.count());
  QVERIFY2(took.count() < 1000.0, "a frame is lost in counting");
}

void RasterTest::mapsRunFromDarkToBright() {
  for (const std::string& name : colorMapNames()) {
    const auto map = colorMap(name);
    QCOMPARE(map.size(), std::size_t{256});
    const auto light = [](Rgb c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; };
    for (std::size_t i = 8; i < 256; i += 8) QVERIFY2(light(map[i]) > light(map[i - 8]) - 1.0, name.c_str());
  }
  QCOMPARE(colorMap("viridis")[0], (Rgb{68, 1, 84}));
  QCOMPARE(colorMap("viridis")[255], (Rgb{253, 231, 37}));
  QCOMPARE(colorMap("no such map")[255], colorMap("viridis")[255]);
}

void RasterTest::divergingMapIsBalanced() {
  const auto map = divergingMap();
  for (std::size_t i = 0; i < 128; ++i) {
    const auto light = [](Rgb c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; };
    QVERIFY(std::abs(light(map[i]) - light(map[255 - i])) < 35.0);
  }
  QVERIFY(map[0].b > map[0].r);
  QVERIFY(map[255].r > map[255].b);
}

void RasterTest::scalePositions_data() {
  QTest::addColumn<int>("kind");
  QTest::addColumn<bool>("diverging");
  QTest::addColumn<double>("value");
  QTest::addColumn<double>("position");
  const int log = static_cast<int>(ValueScale::Kind::Log);
  const int linear = static_cast<int>(ValueScale::Kind::Linear);
  QTest::newRow("log top") << log << false << 1.0 << 1.0;
  QTest::newRow("log middle") << log << false << 1e-2 << 0.5;
  QTest::newRow("log floor") << log << false << 1e-4 << 0.0;
  QTest::newRow("log zero") << log << false << 0.0 << 0.0;
  QTest::newRow("log above") << log << false << 7.0 << 1.0;
  QTest::newRow("linear") << linear << false << 0.25 << 0.25;
  QTest::newRow("linear negative") << linear << false << -0.25 << 0.0;
  QTest::newRow("diverging zero") << log << true << 0.0 << 0.5;
  QTest::newRow("diverging top") << log << true << 1.0 << 1.0;
  QTest::newRow("diverging bottom") << log << true << -1.0 << 0.0;
  QTest::newRow("diverging linear") << linear << true << -0.5 << 0.25;
}

void RasterTest::scalePositions() {
  QFETCH(int, kind);
  QFETCH(bool, diverging);
  QFETCH(double, value);
  QFETCH(double, position);
  ValueScale scale;
  scale.kind = static_cast<ValueScale::Kind>(kind);
  scale.diverging = diverging;
  QVERIFY(std::abs(scale.position(value) - position) < 1e-12);
}

void RasterTest::categoriesDiffer() {
  std::set<std::tuple<int, int, int>> seen;
  for (std::size_t i = 0; i < 16; ++i) {
    const Rgb color = categoryColor(i);
    QVERIFY(seen.insert({color.r, color.g, color.b}).second);
  }
}

QTEST_GUILESS_MAIN(RasterTest)
#include "raster_test.moc"
