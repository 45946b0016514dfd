// SPDX-License-Identifier: GPL-3.0-or-later
// A map less its baseline: cell by cell what two maps give, and reduced after the subtraction, not before.
#include <fmt/format.h>

#include <QTest>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/difference.h"
#include "kernels/explore.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

constexpr Index kLength = 90;
using Reduce = EffectiveMatrix::Reduce;

std::shared_ptr<const Exploration> explored(const std::string& spec, Index n = kLength) {
  const auto input = attnscope::testing::inputOf(fmt::format("clustered:n={},d=16,heads=2", n));
  const auto result = explore(*parseMechanismSpec(spec), input, cpuBackend());
  if (!result) qFatal("%s", result.error().message.c_str());
  return *result;
}

// Pixel (r, c) of `out` x `out`, from single cells.
double expectedPixel(const Tensor& a, const Tensor& b, Index out, Index r, Index c, Reduce reduce) {
  double sum = 0.0;
  double largest = 0.0;
  Index count = 0;
  for (Index i = r * kLength / out; i < (r + 1) * kLength / out; ++i)
    for (Index j = c * kLength / out; j < (c + 1) * kLength / out; ++j) {
      const auto at = static_cast<std::size_t>(i * kLength + j);
      const double d = static_cast<double>(a.values<float>()[at]) - b.values<float>()[at];
      sum += d;
      ++count;
      if (std::abs(d) > std::abs(largest)) largest = d;
    }
  return reduce == Reduce::Mean ? sum / static_cast<double>(count) : largest;
}

}  // namespace

class DifferenceTest : public QObject {
  Q_OBJECT

 private slots:
  void cellsAreDifferences() {
    const auto full = explored("full");
    const auto sparse = explored("longformer:window=8");
    const auto difference =
        reducedDifference(*sparse->matrix, *full->matrix, 1, 10, 30, 5, 60, 30, 60, Reduce::Max);
    const auto a = sparse->matrix->block(1, 10, 30, 5, 60);
    const auto b = full->matrix->block(1, 10, 30, 5, 60);
    QVERIFY(difference && a && b);
    for (std::size_t i = 0; i < a->values<float>().size(); ++i)
      QCOMPARE(difference->values<float>()[i], a->values<float>()[i] - b->values<float>()[i]);
  }

  // Both signs occur, so that a largest of each map, subtracted, would be another number.
  void cellsAreSubtractedBeforeTheyAreReduced_data() {
    QTest::addColumn<bool>("mean");
    QTest::newRow("largest") << false;
    QTest::newRow("mean") << true;
  }
  void cellsAreSubtractedBeforeTheyAreReduced() {
    QFETCH(bool, mean);
    const Reduce reduce = mean ? Reduce::Mean : Reduce::Max;
    const auto full = explored("full");
    const auto other = explored("reformer");
    const Index out = 7;
    const auto reduced =
        reducedDifference(*other->matrix, *full->matrix, 0, 0, kLength, 0, kLength, out, out, reduce);
    const auto a = other->matrix->block(0, 0, kLength, 0, kLength);
    const auto b = full->matrix->block(0, 0, kLength, 0, kLength);
    QVERIFY(reduced && a && b);
    for (Index r = 0; r < out; ++r)
      for (Index c = 0; c < out; ++c) {
        const double expected = expectedPixel(*a, *b, out, r, c, reduce);
        const double found = reduced->values<float>()[static_cast<std::size_t>(r * out + c)];
        QVERIFY2(std::abs(found - expected) < 1e-6,
                 qPrintable(QStringLiteral("%1 %2").arg(found).arg(expected)));
      }
  }

  void slabsAreSeamless() {
    const auto full = explored("full", 1500);  // 1500^2 cells do not fit into one slab
    const auto other = explored("longformer", 1500);
    const auto all =
        reducedDifference(*other->matrix, *full->matrix, 0, 0, 1500, 0, 1500, 50, 50, Reduce::Max);
    QVERIFY(all);
    for (const Index r : {0, 22, 23, 24, 49}) {
      const auto row =
          reducedDifference(*other->matrix, *full->matrix, 0, r * 30, 30, 0, 1500, 1, 50, Reduce::Max);
      QVERIFY(row);
      for (Index c = 0; c < 50; ++c)
        QCOMPARE(all->values<float>()[static_cast<std::size_t>(r * 50 + c)],
                 row->values<float>()[static_cast<std::size_t>(c)]);
    }
  }

  // Of ragged levels, against single cells; the second is larger than a slab.
  void tilesAreReducedAfterTheSubtraction_data() {
    QTest::addColumn<bool>("mean");
    QTest::addColumn<int>("length");
    QTest::newRow("largest") << false << 90;
    QTest::newRow("mean") << true << 90;
    QTest::newRow("largest of slabs") << false << 1300;
  }
  void tilesAreReducedAfterTheSubtraction() {
    QFETCH(bool, mean);
    QFETCH(int, length);
    const Reduce reduce = mean ? Reduce::Mean : Reduce::Max;
    const auto full = explored("full", length);
    const auto other = explored("reformer", length);
    const Index row0 = 8;
    const Index col0 = 16;
    const Index rows = length - 11;
    const Index cols = length - 17;
    const auto tile = differenceTile(*other->matrix, *full->matrix, 1, row0, rows, 3, col0, cols, 4, reduce);
    const auto a = other->matrix->block(1, row0, rows, col0, cols);
    const auto b = full->matrix->block(1, row0, rows, col0, cols);
    QVERIFY(tile && a && b);
    QCOMPARE(tile->shape(), (std::vector<Index>{(rows + 7) / 8, (cols + 15) / 16}));
    for (Index r = 0; r < tile->dim(0); ++r)
      for (Index c = 0; c < tile->dim(1); ++c) {
        double sum = 0.0;
        double largest = 0.0;
        int count = 0;
        for (Index i = 8 * r; i < std::min(rows, 8 * r + 8); ++i)
          for (Index j = 16 * c; j < std::min(cols, 16 * c + 16); ++j) {
            const auto at = static_cast<std::size_t>(i * cols + j);
            const double d = static_cast<double>(a->values<float>()[at]) - b->values<float>()[at];
            sum += d;
            ++count;
            if (std::abs(d) > std::abs(largest)) largest = d;
          }
        const double found = tile->values<float>()[static_cast<std::size_t>(r * tile->dim(1) + c)];
        const double expected = mean ? sum / count : largest;
        QVERIFY2(std::abs(found - expected) < 1e-6,
                 qPrintable(QStringLiteral("%1 %2: %3 %4").arg(r).arg(c).arg(found).arg(expected)));
      }
  }

  void sampledRowsAreRowsOfTheDifference() {
    const auto full = explored("full");
    const auto other = explored("reformer");
    const std::vector<Index> rows{3, 40, 41, 88};
    for (const Reduce reduce : {Reduce::Max, Reduce::Mean}) {
      const auto some = sampledDifference(*other->matrix, *full->matrix, 0, rows, 7, 80, 13, reduce);
      QVERIFY(some);
      for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto one =
            reducedDifference(*other->matrix, *full->matrix, 0, rows[r], 1, 7, 80, 1, 13, reduce);
        QVERIFY(one);
        for (std::size_t c = 0; c < 13; ++c)
          QVERIFY(std::abs(some->values<float>()[r * 13 + c] - one->values<float>()[c]) < 1e-6F);
      }
    }
  }

  void nothingDiffersFromItself() {
    const auto same = explored("sinkhorn");
    const auto zero =
        reducedDifference(*same->matrix, *same->matrix, 0, 0, kLength, 0, kLength, 9, 9, Reduce::Max);
    QVERIFY(zero);
    for (const float value : zero->values<float>()) QCOMPARE(value, 0.0F);
  }

  void otherInputsAreRefused() {
    const auto full = explored("full");
    const auto shorter = explored("full", 64);
    const auto wrong = reducedDifference(*full->matrix, *shorter->matrix, 0, 0, 4, 0, 4, 4, 4, Reduce::Max);
    QVERIFY(!wrong);
    QVERIFY(QString::fromStdString(wrong.error().message).contains(QStringLiteral("90 x 90")));
  }
};

QTEST_MAIN(DifferenceTest)
#include "difference_test.moc"
