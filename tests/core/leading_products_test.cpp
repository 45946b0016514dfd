// SPDX-License-Identifier: GPL-3.0-or-later
// Decisions that are screened in float32 are those of plain double loops: with exact ties, with differences
// far below float32's rounding, and beyond its range.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/analysis/leading_products.h"
#include "core/base/rng.h"

using namespace attnscope;

namespace {

constexpr Index kWidth = 19;  // no multiple of any vector

std::vector<double> cells(const char* kind, Index rows, double scale) {
  const RandomStream stream(1, "leading", kind);
  std::vector<float> draws(static_cast<std::size_t>(rows * kWidth));
  stream.fillNormals({0, 0, 0}, draws);
  std::vector<double> made(draws.begin(), draws.end());
  const QByteArray name(kind);
  for (std::size_t at = 0; at < made.size(); ++at) {
    const auto row = static_cast<Index>(at) / kWidth;
    const auto c = static_cast<Index>(at) % kWidth;
    if (name == "whole")  // small integers: many products are equal
      made[at] = std::round(made[at]);
    if (name == "alike")  // rows that differ in the 30th bit
      made[at] = made[static_cast<std::size_t>(c)] * (1.0 + 0x1p-30 * static_cast<double>(row % 7));
    if (name == "zero" && row % 3 == 0) made[at] = 0.0;
    if (name == "same") made[at] = 1.0;
    made[at] *= scale;
  }
  return made;
}

double product(const std::vector<double>& x, Index i, const std::vector<double>& y, Index j) {
  double sum = 0.0;
  for (Index c = 0; c < kWidth; ++c)
    sum += x[static_cast<std::size_t>(i * kWidth + c)] * y[static_cast<std::size_t>(j * kWidth + c)];
  return sum;
}

// Of float32 values where the table is of float32.
struct Data {
  std::vector<double> doubles;
  std::vector<float> floats;
  bool narrow = false;

  Data(const char* kind, Index rows, double scale, bool asFloat)
      : doubles(cells(kind, rows, scale)), floats(doubles.begin(), doubles.end()), narrow(asFloat) {
    if (narrow) doubles.assign(floats.begin(), floats.end());
  }
  [[nodiscard]] RowTable table() const {
    return narrow ? RowTable(std::span(floats), kWidth) : RowTable(std::span(doubles), kWidth);
  }
};

const char* const kKinds[] = {"plain", "whole", "alike", "zero", "same"};

}  // namespace

class LeadingProductsTest : public QObject {
  Q_OBJECT

 private slots:
  void pointsOfEveryRow_data() { cases(); }
  void pointsOfEveryRow();
  void rowsOfEveryPoint_data() { cases(); }
  void rowsOfEveryPoint();
  void rowsThatAreMade();
  void cancels();

 private:
  static void cases() {
    QTest::addColumn<QString>("kind");
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("points");
    QTest::addColumn<double>("scale");
    QTest::addColumn<bool>("narrow");
    for (const char* kind : kKinds)
      for (const auto& [rows, points] : {std::pair{1, 1}, {63, 2}, {64, 5}, {65, 64}, {200, 67}})
        for (const double scale : {1.0, 1e-12, 1e-18, 1e9, 1e17})
          for (const bool narrow : {false, true})
            QTest::addRow("%s %dx%d %g %s", kind, rows, points, scale, narrow ? "float" : "double")
                << QString(kind) << rows << points << scale << narrow;
  }
};

void LeadingProductsTest::pointsOfEveryRow() {
  QFETCH(QString, kind);
  QFETCH(int, rows);
  QFETCH(int, points);
  QFETCH(double, scale);
  QFETCH(bool, narrow);
  const Data x(kind.toLatin1().constData(), rows, scale, narrow);
  const Data y(kind.toLatin1().constData(), points, 1.0, narrow);
  const auto plain = leadingPoints(x.table(), y.table(), {});
  const auto either = leadingDirections(x.table(), y.table(), {});
  QVERIFY(plain && either);
  for (Index i = 0; i < rows; ++i) {
    std::int32_t best = 0;
    std::int32_t direction = 0;
    const auto signedProduct = [&](Index a) {
      return a < points ? product(x.doubles, i, y.doubles, a) : -product(x.doubles, i, y.doubles, a - points);
    };
    for (std::int32_t a = 1; a < 2 * points; ++a) {
      if (a < points && signedProduct(a) > signedProduct(best)) best = a;
      if (signedProduct(a) > signedProduct(direction)) direction = a;
    }
    QCOMPARE((*plain)[static_cast<std::size_t>(i)], best);
    QCOMPARE((*either)[static_cast<std::size_t>(i)], direction);
  }
}

void LeadingProductsTest::rowsOfEveryPoint() {
  QFETCH(QString, kind);
  QFETCH(int, rows);
  QFETCH(int, points);
  QFETCH(double, scale);
  QFETCH(bool, narrow);
  const Data x(kind.toLatin1().constData(), rows, scale, narrow);
  const Data y(kind.toLatin1().constData(), points, 1.0, narrow);
  for (const int seats : {1, (rows + 2) / 3, rows}) {
    const auto tables = leadingRows(x.table(), y.table(), seats, {});
    QVERIFY(tables);
    for (Index a = 0; a < points; ++a) {
      std::vector<std::int32_t> order(static_cast<std::size_t>(rows));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](std::int32_t i, std::int32_t j) {
        return product(x.doubles, i, y.doubles, a) > product(x.doubles, j, y.doubles, a);
      });
      order.resize(static_cast<std::size_t>(seats));
      std::sort(order.begin(), order.end());
      QVERIFY(std::equal(order.begin(), order.end(), tables->begin() + a * seats));
    }
  }
}

// Rows of which only float32 forms stand, each a unit beside the exact one: the decisions are the exact
// ones'.
void LeadingProductsTest::rowsThatAreMade() {
  for (const char* kind : kKinds) {
    const Data x(kind, 200, 1.0, false);
    const Data y(kind, 13, 1.0, true);
    std::vector<float> near = x.floats;
    for (std::size_t at = 0; at < near.size(); ++at)
      near[at] = std::nextafter(near[at], at % 2 == 0 ? 100.0F : -100.0F);
    const RowTable made(near, kWidth, x.table().largestNorm(), [&](Index i, double* row) {
      std::copy_n(x.doubles.begin() + i * kWidth, kWidth, row);
    });
    QCOMPARE(made.count(), Index{200});
    const auto expected = leadingRows(x.table(), y.table(), 70, {});
    const auto tables = leadingRows(made, y.table(), 70, {});
    const auto expectedPoints = leadingPoints(x.table(), y.table(), {});
    const auto points = leadingPoints(made, y.table(), {});
    QVERIFY(expected && tables && expectedPoints && points);
    QVERIFY(*tables == *expected);
    QVERIFY(*points == *expectedPoints);
  }
}

void LeadingProductsTest::cancels() {
  const Data x("plain", 200, 1.0, false);
  JobContext job;
  job.cancel();
  QVERIFY(!leadingPoints(x.table(), x.table(), job));
  QVERIFY(!leadingRows(x.table(), x.table(), 3, job));
}

QTEST_APPLESS_MAIN(LeadingProductsTest)
#include "leading_products_test.moc"
