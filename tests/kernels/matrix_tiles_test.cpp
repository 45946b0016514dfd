// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <cmath>

#include "core/inputs/recipes.h"
#include "core/mechanisms/registry.h"
#include "kernels/backend_registry.h"
#include "kernels/explore.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::testing::inputOf;

namespace {

std::shared_ptr<const Exploration> explored(const std::string& id, const std::string& source) {
  MechanismSpec spec;
  spec.id = id;
  const auto backend = findBackend("cpu");
  const auto result = explore(spec, inputOf(source), **backend);
  if (!result) qFatal("%s: %s", id.c_str(), result.error().message.c_str());
  return *result;
}

// Numbers [row, col] of 2^down x 2^across cells, from single weights.
double reduced(const Tensor& weights, Index row, Index col, int down, int across, bool mean) {
  double value = 0.0;
  Index cells = 0;
  for (Index i = row << down; i < std::min((row + 1) << down, weights.dim(0)); ++i)
    for (Index j = col << across; j < std::min((col + 1) << across, weights.dim(1)); ++j, ++cells) {
      const double w = weights.slice<float>(i)[static_cast<std::size_t>(j)];
      if (mean)
        value += w;
      else if (std::abs(w) > std::abs(value))
        value = w;
    }
  return mean ? value / static_cast<double>(cells) : value;
}

}  // namespace

class MatrixTilesTest : public QObject {
  Q_OBJECT

 private slots:
  void tilesAreTheirWeights_data();
  void tilesAreTheirWeights();
  void slabsMeetWithoutSeams();
  void sampledRowsAreRows();
  void aPatternNeedsNoPass();
  void passesOnOutlinesAreThoseOnTheirInput();
  void estimatesAreNearWhatIsCounted_data();
  void estimatesAreNearWhatIsCounted();
};

void MatrixTilesTest::tilesAreTheirWeights_data() {
  QTest::addColumn<QString>("id");
  for (const Mechanism* mechanism : allMechanisms())
    QTest::newRow(mechanism->card().id.c_str()) << QString::fromStdString(mechanism->card().id);
}

void MatrixTilesTest::tilesAreTheirWeights() {
  QFETCH(QString, id);
  const auto exploration = explored(id.toStdString(), "clustered:n=100,d=8,heads=2");
  const EffectiveMatrix& matrix = *exploration->matrix;
  const auto block = matrix.block(1, 10, 85, 5, 90);
  QVERIFY(block.has_value());
  for (const auto& [down, across] : std::vector<std::pair<int, int>>{{0, 0}, {2, 3}, {3, 1}})
    for (const bool mean : {false, true}) {
      const auto tile = matrix.tile(1, 10, 85, down, 5, 90, across,
                                    mean ? EffectiveMatrix::Reduce::Mean : EffectiveMatrix::Reduce::Max);
      QVERIFY(tile.has_value());
      QCOMPARE(tile->dim(0), (Index{85} + (1 << down) - 1) >> down);
      QCOMPARE(tile->dim(1), (Index{90} + (1 << across) - 1) >> across);
      for (Index r = 0; r < tile->dim(0); ++r)
        for (Index c = 0; c < tile->dim(1); ++c) {
          const double wanted = reduced(*block, r, c, down, across, mean);
          const double found = tile->slice<float>(r)[static_cast<std::size_t>(c)];
          // The same products in another grouping of columns: rounding of float32.
          QVERIFY2(std::abs(found - wanted) <= 1e-5 * std::abs(wanted) + 1e-9, qPrintable(id));
        }
    }
}

// Wide enough for several slabs of columns (2^20 bytes of keys: 4,096 of width 64).
void MatrixTilesTest::slabsMeetWithoutSeams() {
  const auto exploration = explored("full", "clustered:n=9000,d=64,heads=1");
  const EffectiveMatrix& matrix = *exploration->matrix;
  const auto block = matrix.block(0, 4000, 8, 0, 9000);
  const auto tile = matrix.tile(0, 4000, 8, 1, 0, 9000, 2, EffectiveMatrix::Reduce::Mean);
  QVERIFY(block && tile);
  for (Index r = 0; r < tile->dim(0); ++r)
    for (Index c = 0; c < tile->dim(1); ++c) {
      const double wanted = reduced(*block, r, c, 1, 2, true);
      QVERIFY(std::abs(tile->slice<float>(r)[static_cast<std::size_t>(c)] - wanted) <= 1e-5 * wanted + 1e-9);
    }
}

void MatrixTilesTest::sampledRowsAreRows() {
  const auto exploration = explored("full", "clustered:n=9000,d=64,heads=1");
  const EffectiveMatrix& matrix = *exploration->matrix;
  const std::vector<Index> rows{3, 4500, 8999};
  const auto sampled = matrix.sampledRows(0, rows, 100, 8800, 700, EffectiveMatrix::Reduce::Max);
  QVERIFY(sampled.has_value());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto wanted = matrix.reduced(0, rows[r], 1, 100, 8800, 1, 700, EffectiveMatrix::Reduce::Max);
    QVERIFY(wanted.has_value());
    for (std::size_t c = 0; c < 700; ++c) {
      const double want = wanted->values<float>()[c];
      const double got = sampled->slice<float>(static_cast<Index>(r))[c];
      QVERIFY(std::abs(got - want) <= 1e-5 * std::abs(want) + 1e-9);
    }
  }
}

void MatrixTilesTest::aPatternNeedsNoPass() {
  MechanismSpec spec;
  spec.id = "full";
  const auto outline = outlineRecipe("clustered:n=1048576,d=64,heads=1");
  QVERIFY(outline.has_value());
  const auto seen = explorePattern(spec, *outline);
  QVERIFY(seen.has_value());
  QVERIFY(!(*seen)->hasPass() && !(*seen)->call.plan->hasTiles());
  QVERIFY(!(*seen)->estimate.runsUnasked());
  QVERIFY((*seen)->estimate.seconds > 60.0);  // 2^40 pairs of width 64 are 280 TFLOP
  QVERIFY((*seen)->reason(0, 1048575, 0).read);
  QVERIFY(!(*seen)->insides(0).has_value());
}

void MatrixTilesTest::passesOnOutlinesAreThoseOnTheirInput() {
  const std::string source = "clustered:n=300,d=16,heads=2";
  const auto backend = findBackend("cpu");
  for (const char* id : {"full", "synthesizer", "set", "reformer"}) {
    MechanismSpec spec;
    spec.id = id;
    const auto outline = outlineRecipe(source);
    const auto seen = explorePattern(spec, *outline);
    QVERIFY2(seen.has_value(), id);
    const auto passed = runPass(*seen, **backend);
    QVERIFY2(passed.has_value(), id);
    const auto whole = explored(id, source);
    QCOMPARE((*passed)->input.digest, outline->digest);
    QCOMPARE((*passed)->id, (*seen)->id);
    const auto found = (*passed)->out.values<float>();
    const auto wanted = whole->out.values<float>();
    QVERIFY2(std::equal(found.begin(), found.end(), wanted.begin(), wanted.end()), id);
    QCOMPARE((*passed)->cost.pairs, whole->cost.pairs);
  }
}

void MatrixTilesTest::estimatesAreNearWhatIsCounted_data() {
  QTest::addColumn<QString>("id");
  for (const char* id : {"full", "longformer", "sparse", "bigbird", "axial", "etc", "transformer-xl"})
    QTest::newRow(id) << QString::fromLatin1(id);
}

void MatrixTilesTest::estimatesAreNearWhatIsCounted() {
  QFETCH(QString, id);
  MechanismSpec spec;
  spec.id = id.toStdString();
  const auto outline = outlineRecipe("clustered:n=16384,d=8,heads=1");
  const auto call = planCall(spec, *outline, {}, {}, Tiles::Later);
  QVERIFY(call.has_value());
  const Cost about = estimateCost(*call->plan);
  QVERIFY(!call->plan->hasTiles());
  const Cost counted = planCost(*call->plan);
  for (const auto& [estimate, count] : {std::pair{about.pairs, counted.pairs},
                                        {about.tiles, counted.tiles},
                                        {about.support, counted.support},
                                        {about.flops, counted.flops}})
    QVERIFY2(std::abs(estimate - count) <= 0.15 * count,
             qPrintable(QStringLiteral("%1 for %2").arg(estimate).arg(count)));
}

QTEST_APPLESS_MAIN(MatrixTilesTest)
#include "matrix_tiles_test.moc"
