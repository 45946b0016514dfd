// SPDX-License-Identifier: GPL-3.0-or-later
#include <QtTest>

#include <cmath>

#include "core/analysis/scaling_fit.h"
#include "core/analysis/spectrum.h"
#include "core/base/rng.h"

using namespace attnscope;

class AnalysisTest : public QObject {
  Q_OBJECT

 private slots:
  void exponentOfAPowerLaw();
  void intervalOfKnownData();
  void onlyTheUpperHalfCounts();
  void tooFewPoints();
  void singularValuesOfADiagonal();
  void partialAgreesWithExact();
  void planeOfAFlatCloud();
};

void AnalysisTest::exponentOfAPowerLaw() {
  const std::vector<double> n{256, 512, 1024, 2048, 4096, 8192};
  std::vector<double> seconds;
  for (const double length : n) seconds.push_back(3e-9 * std::pow(length, 1.5));
  const auto fit = fitScaling(n, seconds);
  QVERIFY(fit.has_value());
  QVERIFY(std::abs(fit->exponent - 1.5) < 1e-9);
  QVERIFY(fit->halfWidth < 1e-6);
  QVERIFY(std::abs(fit->factor / 3e-9 - 1.0) < 1e-6);
  QCOMPARE(fit->fromN, 2048.0);
  QCOMPARE(fit->toN, 8192.0);
}

void AnalysisTest::intervalOfKnownData() {
  // x = 0, 1, 2 and y = 0, 1, 3 (natural logarithms): slope 1.5, residual sum 1/6, standard error
  // sqrt(1/6 / 1 / 2), one degree of freedom: t = 12.706.
  const std::vector<double> n{1.0, std::exp(1.0), std::exp(2.0)};
  const std::vector<double> seconds{1.0, std::exp(1.0), std::exp(3.0)};
  const auto fit = fitScaling(n, seconds);
  QVERIFY(fit.has_value());
  QVERIFY(std::abs(fit->exponent - 1.5) < 1e-12);
  QVERIFY(std::abs(fit->halfWidth - 12.706 * std::sqrt(1.0 / 12.0)) < 1e-9);
}

void AnalysisTest::onlyTheUpperHalfCounts() {
  std::vector<double> n;
  std::vector<double> seconds;
  for (int p = 13; p >= 6; --p) {  // any order
    n.push_back(std::exp2(p));
    seconds.push_back(p < 10 ? 1e-3 : 1e-3 * std::exp2(2 * (p - 9)));
  }
  const auto fit = fitScaling(n, seconds);
  QVERIFY(fit.has_value());
  QVERIFY(std::abs(fit->exponent - 2.0) < 1e-9);
  QCOMPARE(fit->fromN, 1024.0);
}

void AnalysisTest::tooFewPoints() {
  const std::vector<double> two{1.0, 2.0};
  QVERIFY(!fitScaling(two, two).has_value());
  const std::vector<double> same{8.0, 8.0, 8.0};
  QVERIFY(!fitScaling(same, same).has_value());
}

void AnalysisTest::singularValuesOfADiagonal() {
  Tensor matrix = Tensor::zeros(DType::F32, {3, 4});
  const auto values = matrix.mutableValues<float>();
  values[0] = 2.0F;
  values[5] = -5.0F;
  values[10] = 1.0F;
  const auto singular = singularValues(matrix);
  QCOMPARE(singular.size(), std::size_t{3});
  QVERIFY(std::abs(singular[0] - 5.0) < 1e-12);
  QVERIFY(std::abs(singular[1] - 2.0) < 1e-12);
  QVERIFY(std::abs(singular[2] - 1.0) < 1e-12);
  QCOMPARE(singularValues(matrix, 2).size(), std::size_t{2});
  QVERIFY(singularValues(Tensor()).empty());
}

void AnalysisTest::partialAgreesWithExact() {
  constexpr Index rows = 700;
  constexpr Index cols = 90;
  Tensor matrix = Tensor::zeros(DType::F32, {rows, cols});
  const RandomStream random(1, "test", "matrix");
  const auto values = matrix.mutableValues<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(random.normal({0, 0, 0}, static_cast<std::uint32_t>(i)));
  const auto all = singularValues(matrix);          // asks for more than half: exact
  const auto leading = singularValues(matrix, 10);  // partial
  QCOMPARE(all.size(), static_cast<std::size_t>(cols));
  QCOMPARE(leading.size(), std::size_t{10});
  for (std::size_t i = 0; i < leading.size(); ++i) QVERIFY(std::abs(leading[i] / all[i] - 1.0) < 1e-7);
}

void AnalysisTest::planeOfAFlatCloud() {
  // Points on two orthogonal directions of a space of five dimensions, the second half as long.
  std::vector<float> rows;
  for (int i = 0; i < 40; ++i) {
    const auto a = static_cast<float>(std::cos(i));
    const auto b = 0.5F * static_cast<float>(std::sin(i));
    rows.insert(rows.end(), {0.0F, -a, 7.0F, b, 0.0F});
  }
  const Tensor plane = projectToPlane(rows, 40, 5);
  const auto p = plane.values<float>();
  double meanA = 0.0;
  for (int i = 0; i < 40; ++i) meanA += std::cos(i) / 40.0;
  for (std::size_t i = 0; i < 40; ++i) {
    // Largest component positive: the first direction is +e1, so the coordinate is -a about its mean.
    QVERIFY(std::abs(p[2 * i] - (meanA - std::cos(static_cast<double>(i)))) < 0.02);
  }
  QCOMPARE(projectToPlane(rows, 40, 5).values<float>()[17], p[17]);
  const std::vector<float> line{1.0F, 2.0F, 3.0F};
  QCOMPARE(projectToPlane(line, 3, 1).values<float>()[1], 0.0F);
}

QTEST_GUILESS_MAIN(AnalysisTest)
#include "analysis_test.moc"
