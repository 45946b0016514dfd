// SPDX-License-Identifier: GPL-3.0-or-later
// Squares in the order of buckets, tables, blocks: the same pairs and the same weights at other places.
#include <QTest>
#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/explore.h"
#include "kernels/reordered_matrix.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

constexpr Index kLength = 96;

std::shared_ptr<const Exploration> explored(const std::string& spec) {
  const auto input = attnscope::testing::inputOf("clustered:n=96,d=16,heads=2");
  const auto result = explore(*parseMechanismSpec(spec), input, cpuBackend());
  if (!result) qFatal("%s", result.error().message.c_str());
  return *result;
}

bool isPermutation(std::vector<std::int32_t> order, Index n) {
  std::sort(order.begin(), order.end());
  for (Index i = 0; i < std::ssize(order); ++i)
    if (order[static_cast<std::size_t>(i)] != i) return false;
  return std::ssize(order) == n;
}

TokenOrder shuffled(Index n) {
  TokenOrder order;
  std::mt19937 random(5);
  for (auto* side : {&order.queries, &order.keys}) {
    for (Index i = 0; i < n; ++i) side->push_back(static_cast<std::int32_t>(i));
    std::shuffle(side->begin(), side->end(), random);
  }
  return order;
}

}  // namespace

class ReorderedTest : public QObject {
  Q_OBJECT

 private slots:
  void plansHaveOrders_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<int>("count");
    QTest::newRow("full") << "full" << 0;
    QTest::newRow("longformer") << "longformer:dilation=1" << 0;
    QTest::newRow("reformer") << "reformer:rounds=3" << 3;
    QTest::newRow("routing") << "routing" << 1;
    QTest::newRow("sparse") << "sparse" << 1;
  }
  void plansHaveOrders() {
    QFETCH(QString, spec);
    QFETCH(int, count);
    const auto exploration = explored(spec.toStdString());
    for (const Index head : {0, 1}) {
      const std::vector<TokenOrder> orders = tokenOrders(exploration->call.plan->plan(), head);
      QCOMPARE(static_cast<int>(orders.size()), count);
      for (const TokenOrder& order : orders) {
        QVERIFY(!order.name.empty() && !order.isIdentity());
        QVERIFY(isPermutation(order.queries, kLength) && isPermutation(order.keys, kLength));
      }
    }
  }

  // One round of hashing in its own order: all that is read lies near the diagonal, chunk and look-back.
  void bucketsBecomeBlocks() {
    const auto exploration = explored("reformer:rounds=1,chunk=8");
    const Plan& plan = exploration->call.plan->plan();
    const std::vector<TokenOrder> orders = tokenOrders(plan, 0);
    QCOMPARE(orders.size(), std::size_t{1});
    const PatternPtr sorted = reordered(exploration->call.plan->support(0), orders[0]);
    RunList runs;
    Index far = 0;
    for (Index i = 0; i < kLength; ++i) {
      sorted->row(i, runs);
      for (const Run& run : runs) far = std::max({far, std::abs(run.begin - i), std::abs(run.end - 1 - i)});
    }
    QVERIFY2(far < 24, qPrintable(QString::number(far)));
    QCOMPARE(countPairs(*sorted, 0, kLength, 0, kLength),
             countPairs(*exploration->call.plan->support(0), 0, kLength, 0, kLength));
  }

  void pairsMoveWithTheirLabels() {
    const auto exploration = explored("bigbird:block=8");
    const PatternPtr own = exploration->call.plan->support(0);
    const TokenOrder order = shuffled(kLength);
    const PatternPtr moved = reordered(own, order);
    const std::vector<std::int32_t> places = placesOf(order.keys);
    RunList ownRuns;
    RunList movedRuns;
    for (Index p = 0; p < kLength; ++p) {
      own->row(order.queries[static_cast<std::size_t>(p)], ownRuns);
      moved->row(p, movedRuns);
      std::vector<int> expected(kLength, -1);
      std::vector<int> found(kLength, -1);
      for (const Run& run : ownRuns)
        for (Index j = run.begin; j < run.end; j += run.stride)
          expected[static_cast<std::size_t>(places[static_cast<std::size_t>(j)])] = run.label;
      for (const Run& run : movedRuns)
        for (Index j = run.begin; j < run.end; j += run.stride)
          found[static_cast<std::size_t>(j)] = run.label;
      QCOMPARE(found, expected);
      for (std::size_t r = 1; r < movedRuns.size(); ++r) QVERIFY(movedRuns[r - 1].end <= movedRuns[r].begin);
    }
  }

  void slotsStayWhereTheyAre() {
    const auto exploration = explored("linformer:k=12");
    const PatternPtr own = exploration->call.plan->support(0);
    const PatternPtr moved = reordered(own, shuffled(kLength));
    QCOMPARE(moved->cols(), own->cols());
    QCOMPARE(countPairs(*moved, 0, kLength, kLength, own->cols()),
             countPairs(*own, 0, kLength, kLength, own->cols()));
  }

  void weightsMove_data() {
    QTest::addColumn<bool>("mean");
    QTest::newRow("largest") << false;
    QTest::newRow("mean") << true;
  }
  void weightsMove() {
    QFETCH(bool, mean);
    const auto exploration = explored("longformer:window=10");
    const TokenOrder order = shuffled(kLength);
    const auto all = exploration->matrix->block(1, 0, kLength, 0, kLength);
    QVERIFY(all);
    const auto weight = [&](Index p, Index c) {
      return static_cast<double>(all->values<float>()[static_cast<std::size_t>(
          order.queries[static_cast<std::size_t>(p)] * kLength + order.keys[static_cast<std::size_t>(c)])]);
    };
    const auto reduce = mean ? EffectiveMatrix::Reduce::Mean : EffectiveMatrix::Reduce::Max;
    for (const auto& [row0, rows, outRows] :
         {std::tuple<Index, Index, Index>{0, kLength, 17}, {30, 20, 20}}) {
      const auto read = [&](Index first, Index count) {
        return exploration->matrix->block(1, first, count, 0, kLength);
      };
      const auto found = reducedInOrder(read, order, row0, rows, 11, 50, outRows, 13, reduce);
      QVERIFY(found);
      for (Index r = 0; r < outRows; ++r)
        for (Index c = 0; c < 13; ++c) {
          double sum = 0.0;
          double largest = 0.0;
          Index count = 0;
          for (Index p = row0 + r * rows / outRows; p < row0 + (r + 1) * rows / outRows; ++p)
            for (Index k = 11 + c * 50 / 13; k < 11 + (c + 1) * 50 / 13; ++k, ++count) {
              sum += weight(p, k);
              largest = std::max(largest, weight(p, k));
            }
          const double expected = mean ? sum / static_cast<double>(count) : largest;
          const double value = found->values<float>()[static_cast<std::size_t>(r * 13 + c)];
          QVERIFY(std::abs(value - expected) < 1e-6);
        }
    }
  }
};

QTEST_MAIN(ReorderedTest)
#include "reordered_test.moc"
