// SPDX-License-Identifier: GPL-3.0-or-later
// The assignment against all permutations: its gain, and the first of equally good ones.
#include "core/mechanisms/assignment.h"

#include <QTest>
#include <algorithm>
#include <numeric>

#include "core/base/rng.h"

using namespace attnscope;

namespace {

double gainOf(const std::vector<double>& gains, const std::vector<std::int32_t>& permutation) {
  double sum = 0.0;
  for (std::size_t row = 0; row < permutation.size(); ++row)
    sum += gains[row * permutation.size() + static_cast<std::size_t>(permutation[row])];
  return sum;
}

// Permutations come in their order by row, so the first best one is kept.
std::vector<std::int32_t> firstBest(const std::vector<double>& gains, Index n) {
  std::vector<std::int32_t> permutation(static_cast<std::size_t>(n));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::vector<std::int32_t> best = permutation;
  while (std::next_permutation(permutation.begin(), permutation.end()))
    if (gainOf(gains, permutation) > gainOf(gains, best)) best = permutation;
  return best;
}

}  // namespace

class AssignmentTest : public QObject {
  Q_OBJECT

 private slots:
  void isTheFirstBestPermutation_data() {
    QTest::addColumn<int>("n");
    QTest::addColumn<int>("levels");  // few different gains make many ties
    for (int n = 1; n <= 7; ++n)
      for (const int levels : {1, 2, 3, 10, 1000000})
        QTest::addRow("%d, %d levels", n, levels) << n << levels;
  }
  void isTheFirstBestPermutation() {
    QFETCH(int, n);
    QFETCH(int, levels);
    const RandomStream stream(11, "assignment", "gains");
    for (std::uint32_t draw = 0; draw < 40; ++draw) {
      std::vector<double> gains;
      for (int cell = 0; cell < n * n; ++cell)
        gains.push_back(static_cast<double>(stream.below(
                            static_cast<std::uint32_t>(levels),
                            {draw, static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(levels)},
                            static_cast<std::uint32_t>(cell))) -
                        levels / 2);
      const auto found = bestPermutation(gains, n);
      QVERIFY(found);
      const auto expected = firstBest(gains, n);
      QCOMPARE(gainOf(gains, *found), gainOf(gains, expected));
      QCOMPARE(*found, expected);
    }
  }

  void undoesAPermutation() {
    constexpr Index kSize = 300;
    std::vector<double> gains(kSize * kSize, 0.0);
    for (Index row = 0; row < kSize; ++row)
      gains[static_cast<std::size_t>(row * kSize + row * 7 % kSize)] = 1.0;
    const auto found = bestPermutation(gains, kSize);
    QVERIFY(found);
    for (Index row = 0; row < kSize; ++row)
      QCOMPARE((*found)[static_cast<std::size_t>(row)], static_cast<std::int32_t>(row * 7 % kSize));
  }
};

QTEST_APPLESS_MAIN(AssignmentTest)
#include "assignment_test.moc"
