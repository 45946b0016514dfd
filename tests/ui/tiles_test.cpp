// SPDX-License-Identifier: GPL-3.0-or-later
#include <QSemaphore>
#include <QSignalSpy>
#include <QThread>
#include <QtTest>

#include <atomic>

#include "core/inputs/recipes.h"
#include "core/params/mechanism_spec.h"
#include "core/raster/count_tiles.h"
#include "kernels/backend_registry.h"
#include "kernels/difference.h"
#include "kernels/explore.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/tile_colors.h"
#include "ui/plots/tile_numbers.h"
#include "ui/plots/view_numbers.h"

using namespace attnscope;

namespace {

// A pattern that knows how often its rows were asked for.
struct CountedRows {
  std::atomic<Index> asked{0};
  PatternPtr pattern;
  explicit CountedRows(Index n, unsigned long microseconds = 0)
      : pattern(makePattern(n, n, [this, n, microseconds](Index i, RunList& runs) {
          ++asked;
          if (microseconds > 0) QThread::usleep(microseconds);
          runs.push_back({std::max<Index>(0, i - 100), std::min(n, i + 30), 1, 0, 1});
        })) {}
  [[nodiscard]] NumberRequest request(const CellWindow& window) const {
    static std::uint64_t last = std::uint64_t{1} << 62U;
    NumberRequest made;
    made.tokens = window;
    made.source.support = pattern;
    made.source.tokens = pattern->cols();
    made.source.id = ++last;
    return made;
  }
};

struct Answers {
  NumberMaker maker;
  std::vector<ViewNumbersPtr> all;
  Answers() {
    QObject::connect(&maker, &NumberMaker::ready, &maker,
                     [this](const ViewNumbersPtr& numbers) { all.push_back(numbers); });
  }
  bool waitFor(const NumberRequest& request) {
    maker.request(request);
    return QTest::qWaitFor([this] { return !maker.isRunning(); }, 20000);
  }
};

}  // namespace

class TilesTest : public QObject {
  Q_OBJECT

 private slots:
  void newestRequestWins();
  void coarseComesFirst();
  void tiledPicturesAreCounted();
  void keptTilesAreNotCountedAgain();
  void whatIsNotNeededAnyMoreIsNotCounted();
  void firstLooksSayWhatTheyRead();
  void differencesAreKeptAsTiles();
  void coloursStayWithinTheirBytes();
};

void TilesTest::newestRequestWins() {
  struct Gate {
    QSemaphore entered;
    std::atomic<bool> cancelled{false};
  };
  const auto gate = std::make_shared<Gate>();
  NumberRequest stuck;
  stuck.tokens = {0, 8, 0, 8, 8, 8};
  stuck.source.weights = [gate](const CellWindow&, EffectiveMatrix::Reduce,
                                const JobContext& job) -> Result<Tensor> {
    gate->entered.release();
    while (!job.isCancelled()) QThread::msleep(1);
    gate->cancelled = true;
    return Tensor::zeros(DType::F32, {8, 8});  // an answer nobody may see
  };
  NumberRequest quick;
  quick.tokens = {4, 2, 4, 2, 2, 2};
  quick.source.weights = [](const CellWindow& w, EffectiveMatrix::Reduce,
                            const JobContext&) -> Result<Tensor> {
    return Tensor::zeros(DType::F32, {w.outRows, w.outCols});
  };
  NumberMaker maker;
  std::vector<ViewNumbersPtr> answers;
  connect(&maker, &NumberMaker::ready, this,
          [&](const ViewNumbersPtr& numbers) { answers.push_back(numbers); });
  maker.request(stuck);
  QVERIFY(gate->entered.tryAcquire(1, 5000));
  maker.request(quick);
  QTRY_VERIFY(!maker.isRunning());
  QTRY_VERIFY(gate->cancelled);
  QTest::qWait(20);
  QCOMPARE(answers.size(), std::size_t{1});
  QCOMPARE(answers[0]->tokens.row0, Index{4});
  QVERIFY(answers[0]->complete);
}

void TilesTest::coarseComesFirst() {
  NumberRequest request;
  request.tokens = {0, 1000, 0, 1000, 300, 300};
  request.source.support = makePattern(1000, 1000, [](Index i, RunList& runs) {
    runs.push_back({i, i + 1, 1, 0, 1});
  });
  request.source.tokens = 1000;
  NumberMaker maker;
  std::vector<ViewNumbersPtr> answers;
  connect(&maker, &NumberMaker::ready, this,
          [&](const ViewNumbersPtr& numbers) { answers.push_back(numbers); });
  maker.request(request);
  QTRY_VERIFY(!maker.isRunning());
  QCOMPARE(answers.size(), std::size_t{2});
  QVERIFY(!answers[0]->complete);
  QCOMPARE(answers[0]->tokenCoverage.rows, Index{64});
  QVERIFY(answers[1]->complete);
  QCOMPARE(answers[1]->tokenCoverage.rows, Index{300});
}

void TilesTest::tiledPicturesAreCounted() {
  const CountedRows rows(3000);
  Answers answers;
  QVERIFY(answers.waitFor(rows.request({100, 2900, 0, 2500, 640, 480})));
  const ViewNumbersPtr last = answers.all.back();
  QVERIFY(last->complete && last->error.isEmpty());
  const auto down = pixelBorders(100, 2900, 640, 2, 3000);
  const auto across = pixelBorders(0, 2500, 480, 2, 3000);
  for (std::size_t r = 0; r < 640; r += 13)
    for (std::size_t c = 0; c < 480; c += 7) {
      const Index row1 = std::min<Index>(3000, down[r + 1] << 2);
      const Index col1 = std::min<Index>(3000, across[c + 1] << 2);
      const Index pairs = countPairs(*rows.pattern, down[r] << 2, row1, across[c] << 2, col1);
      const auto cells = static_cast<double>((row1 - (down[r] << 2)) * (col1 - (across[c] << 2)));
      QCOMPARE(last->tokenCoverage.share[r * 480 + c],
               static_cast<float>(static_cast<double>(pairs) / cells));
    }
}

void TilesTest::keptTilesAreNotCountedAgain() {
  CountedRows rows(4000);
  Answers answers;
  NumberRequest request = rows.request({0, 2000, 0, 2000, 500, 500});
  QVERIFY(answers.waitFor(request));
  const Index asked = rows.asked;
  QVERIFY(asked > 0);
  request.tokens = {40, 2000, 8, 2000, 500, 500};  // panned, within the same tiles
  QVERIFY(answers.waitFor(request));
  QCOMPARE(rows.asked.load(), asked);
  QVERIFY(answers.all.back()->complete);
  QCOMPARE(answers.all.back()->tokens, request.tokens);
  QVERIFY(numberTiles().bytes() <= numberTiles().mostBytes());
}

void TilesTest::whatIsNotNeededAnyMoreIsNotCounted() {
  CountedRows rows(1 << 18, 20);  // all rows would take seconds
  Answers answers;
  NumberRequest request = rows.request({0, 1 << 18, 0, 1 << 18, 600, 600});
  answers.maker.request(request);
  QTRY_VERIFY(rows.asked > 1000);
  request.tokens = {500, 20, 500, 20, 20, 20};
  QVERIFY(answers.waitFor(request));
  QVERIFY(answers.all.back()->complete);
  QCOMPARE(answers.all.back()->tokens, request.tokens);
  QVERIFY(rows.asked < 1 << 17);
}

void TilesTest::firstLooksSayWhatTheyRead() {
  const CountedRows rows(1 << 16);
  Answers answers;
  QVERIFY(answers.waitFor(rows.request({0, 1 << 16, 0, 1 << 16, 512, 512})));
  QCOMPARE(answers.all.size(), std::size_t{2});
  QVERIFY(!answers.all[0]->complete);
  QCOMPARE(answers.all[0]->coarse, QStringLiteral("1 of 128 rows"));
  QVERIFY(answers.all[1]->complete && answers.all[1]->coarse.isEmpty());
}

// A panned difference is put together from tiles that are there: less work than one row of them.
void TilesTest::differencesAreKeptAsTiles() {
  const auto input = makeRecipe("clustered:n=2048,d=16,heads=1");
  const auto backend = findBackend("cpu");
  QVERIFY(input && backend);
  const auto full = explore(*parseMechanismSpec("full"), *input, **backend);
  const auto other = explore(*parseMechanismSpec("longformer:window=64"), *input, **backend);
  QVERIFY(full && other);
  const auto difference = differenceSource(*other, *full, 0);
  QVERIFY(difference.id != differenceSource(*full, *other, 0).id && difference.id != (*other)->id);
  Answers answers;
  NumberRequest request;
  request.source = difference;
  request.tokens = {0, 1000, 0, 1000, 500, 500};
  QVERIFY(answers.waitFor(request));
  const ViewNumbersPtr first = answers.all.back();
  const auto cell = reducedDifference(*(*other)->matrix, *(*full)->matrix, 0, 0, 1000, 0, 1000, 500, 500,
                                      EffectiveMatrix::Reduce::Max);
  QVERIFY(first->complete && cell);
  for (std::size_t i = 0; i < 250000; i += 37)
    QVERIFY(std::abs(first->weights.values<float>()[i] - cell->values<float>()[i]) < 1e-6F);
  for (const auto& window : {request.tokens, CellWindow{20, 1000, 4, 1000, 500, 500}}) {
    const TiledWindow tiles(difference, window, false, request.reduce);
    for (Index row = tiles.firstRow(); row < tiles.pastRow(); ++row) QVERIFY(tiles.isRowCached(row));
  }
  answers.all.clear();
  request.tokens = {20, 1000, 4, 1000, 500, 500};
  QVERIFY(answers.waitFor(request));
  QCOMPARE(answers.all.size(), std::size_t{1});  // no coarse look: all of it was there
  QCOMPARE(answers.all.back()->tokens, request.tokens);
}

void TilesTest::coloursStayWithinTheirBytes() {
  const CountedRows rows(1024);
  Answers answers;
  const NumberRequest request = rows.request({0, 1024, 0, 1024, 1024, 1024});
  QVERIFY(answers.waitFor(request));
  TileColors colors(std::size_t{600} << 10U);  // two tiles of 256 KiB
  const TiledWindow window(request.source, request.tokens, false, EffectiveMatrix::Reduce::Max);
  int painted = 0;
  const auto paint = [&](const NumberTile& tile, const TileKey& key) {
    ++painted;
    return coverageImage(window.coverageOfTile(tile, key), Qt::white);
  };
  std::vector<SquareContent::Patch> patches;
  QVERIFY(colors.collect(window, 1, paint, 10000, patches));
  QCOMPARE(patches.size(), std::size_t{16});
  QCOMPARE(painted, 16);
  QVERIFY(colors.bytes() > 0 && colors.bytes() <= colors.mostBytes());
  // What there is no time for is left for the next time, and said so.
  QVERIFY(!colors.collect(window, 2, paint, 0, patches));
  QVERIFY(patches.empty());
}

QTEST_MAIN(TilesTest)
#include "tiles_test.moc"
