// SPDX-License-Identifier: GPL-3.0-or-later
// Measurements: what a run records, that it can be continued, written and read again, and where curves meet.
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <fstream>

#include "kernels/bench/sweep_file.h"

using namespace attnscope;

namespace {

SweepRequest quickRequest() {
  SweepRequest request;
  for (const char* text : {"full", "longformer:window=32"})
    request.specs.push_back(*parseMechanismSpec(text));
  request.lengths = {64, 128, 256};
  request.secondsPerPoint = 1.0;
  request.device = "cpu";
  return request;
}

std::vector<SweepPoint> measured(const SweepRequest& request) {
  const auto points = runSweep(request, [](const SweepPoint&) {}, {});
  if (!points) qFatal("%s", points.error().message.c_str());
  return *points;
}

// Points that nobody measured, for arithmetic.
std::vector<SweepPoint> curve(std::size_t spec, const std::vector<double>& seconds) {
  std::vector<SweepPoint> points;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    SweepPoint point;
    point.spec = spec;
    point.n = Index{64} << i;
    point.median = point.low = point.high = seconds[i];
    points.push_back(point);
  }
  return points;
}

}  // namespace

class SweepTest : public QObject {
  Q_OBJECT

 private slots:
  void recordsWhyASparsePatternIsNotFaster() {
    for (const SweepPoint& point : measured(quickRequest())) {
      QVERIFY2(point.skipped.empty(), point.skipped.c_str());
      QVERIFY(point.median > 0.0 && point.low <= point.median && point.median <= point.high);
      QVERIFY(point.repeats >= 3);
      QVERIFY(point.peakFlops > 1e8);
      QVERIFY(ceilingShare(point) > 0.0);
      if (point.spec == 0) QCOMPARE(point.cellDensity, 1.0);
      // At 64 tokens a window fills no tile, but the tile is executed.
      if (point.spec == 1) QVERIFY(point.cellDensity < point.tileDensity);
    }
  }

  void survivesAFileAndGoesOn() {
    SweepRequest request = quickRequest();
    request.lengths = {64, 128};
    const SweepRun run{request, measured(request), "a device", "attnscope test"};
    const QTemporaryDir folder;
    const std::string path = folder.filePath("run.json").toStdString();
    std::ofstream(path) << sweepJson(run);
    const auto read = readSweep(path);
    QVERIFY2(read, read ? "" : read.error().message.c_str());
    QCOMPARE(read->points.size(), run.points.size());
    QCOMPARE(read->request.lengths, request.lengths);

    SweepRequest longer = quickRequest();
    const auto known = knownPoints(*read, longer, "a device");
    QVERIFY(known);
    longer.known = *known;
    const auto points = measured(longer);
    QCOMPARE(points.size(), std::size_t{6});
    for (const SweepPoint& old : run.points) {
      const auto same = std::find_if(points.begin(), points.end(), [&](const SweepPoint& point) {
        return point.spec == old.spec && point.n == old.n;
      });
      QVERIFY(same != points.end());
      QCOMPARE(same->median, old.median);  // taken over: measured again it would differ
    }
    QVERIFY(!knownPoints(*read, longer, "another device"));
    longer.precision = Precision::Bf16;
    QVERIFY(!knownPoints(*read, longer, "a device"));
    longer.precision = Precision::Fp32;
    longer.d = 32;
    QVERIFY(!knownPoints(*read, longer, "a device"));
  }

  void keepsThePrecision() {
    SweepRequest request = quickRequest();
    request.device = "cuda";
    request.precision = Precision::Tf32;
    QVERIFY(benchCommandLine(request).ends_with("--device cuda --precision tf32"));
    const SweepRun run{request, curve(0, {0.5, 1.0}), "a device", "attnscope test"};
    const QTemporaryDir folder;
    const std::string path = folder.filePath("run.json").toStdString();
    std::ofstream(path) << sweepJson(run);
    const auto read = readSweep(path);
    QVERIFY2(read, read ? "" : read.error().message.c_str());
    QCOMPARE(read->request.precision, Precision::Tf32);
    QVERIFY(sweepCsv(run).find("\nfull,64,64,1,tf32,0.5,") != std::string::npos);
    request.device = "cpu";
    const auto refused = runSweep(request, [](const SweepPoint&) {}, {});
    QVERIFY(!refused && refused.error().message.find("fp32 only") != std::string::npos);
  }

  void refusesOtherFiles() {
    const QTemporaryDir folder;
    const std::string path = folder.filePath("x.json").toStdString();
    std::ofstream(path) << "{\"device\": 3}";
    const auto read = readSweep(path);
    QVERIFY(!read && read.error().message.find("x.json") != std::string::npos);
    QVERIFY(!readSweep(folder.filePath("none.json").toStdString()));
  }

  // n^2 and 512 n meet at 512, n^2 being faster below.
  void findsWhereCurvesMeet() {
    std::vector<SweepPoint> points = curve(0, {4096.0, 16384.0, 65536.0, 262144.0, 1048576.0});
    const auto linear = curve(1, {32768.0, 65536.0, 131072.0, 262144.0 * 1.0001, 524288.0});
    points.insert(points.end(), linear.begin(), linear.end());
    const auto found = crossingsOf(points, 2);
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found[0].before, std::size_t{0});
    QVERIFY(std::abs(found[0].n - 512.0) < 1.0);
    QVERIFY(crossingsOf(curve(0, {1.0, 2.0}), 1).empty());
  }

  void writesTheCommandThatRepeatsIt() {
    QCOMPARE(benchCommandLine(quickRequest()),
             std::string("attnscope bench full longformer:window=32 --lengths 64+128+256 --recipe clustered "
                         "--d 64 --heads 1 --seconds 1 --device cpu"));
  }
};

QTEST_APPLESS_MAIN(SweepTest)
#include "sweep_test.moc"
