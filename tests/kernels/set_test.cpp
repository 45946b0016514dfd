// SPDX-License-Identifier: GPL-3.0-or-later
// The Set Transformer's invariants: order plays no part, duplicates change nothing, the map has rank m at
// most.
#include <QTest>
#include <cmath>
#include <numeric>

#include "core/analysis/kmeans.h"
#include "core/analysis/spectrum.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/explore.h"
#include "tests/support/against_oracle.h"
#include "tests/support/call_table.h"

using namespace attnscope;
using attnscope::testing::largestDifference;

namespace {

constexpr Index kN = 60;
constexpr Index kD = 8;

AttentionInput input() {
  return attnscope::testing::inputOf("clustered:n=60,d=8,heads=1,seed=5");
}

std::shared_ptr<const Exploration> run(const AttentionInput& in, const std::string& spec,
                                       const WeightSet& weights = {}) {
  const auto explored = explore(*parseMechanismSpec(spec), in, cpuBackend(), {}, weights);
  if (!explored) qFatal("%s", explored.error().message.c_str());
  return *explored;
}

Tensor pointsOf(const Exploration& exploration) {
  return exploration.call.plan->plan().params.front().make();
}

// Rows of a (1, n, d) tensor in another order or several times.
Tensor pick(const Tensor& tensor, const std::vector<Index>& rows) {
  const Index d = tensor.dim(2);
  Tensor picked(DType::F32, {1, static_cast<Index>(rows.size()), d});
  auto target = picked.mutableValues<float>();
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(tensor.values<float>().begin() + rows[i] * d, d, target.begin() + static_cast<Index>(i) * d);
  return picked;
}

AttentionInput picked(const AttentionInput& in, const std::vector<Index>& rows) {
  AttentionInput out = in;
  out.q = pick(in.q, rows);
  out.k = pick(in.k, rows);
  out.v = pick(in.v, rows);
  out.tokensQ.clear();
  out.tokensK.clear();
  return out;
}

}  // namespace

class SetTest : public QObject {
  Q_OBJECT

 private slots:
  void orderPlaysNoPart() {
    const auto plain = run(input(), "set:inducing=7");
    std::vector<Index> order(kN);
    for (Index i = 0; i < kN; ++i) order[static_cast<std::size_t>(i)] = (i * 17 + 3) % kN;
    const auto shuffled = run(picked(input(), order), "set:inducing=7", {{"inducing", pointsOf(*plain)}});
    QVERIFY(largestDifference(pick(plain->out, order), shuffled->out) < 1e-5);
  }

  void orderOfThePointsPlaysNoPart() {
    const auto plain = run(input(), "set:inducing=5");
    const auto turned =
        run(input(), "set:inducing=5", {{"inducing", pick(pointsOf(*plain), {3, 1, 4, 0, 2})}});
    QVERIFY(largestDifference(plain->out, turned->out) < 1e-5);
  }

  void duplicatesChangeNothing() {
    const auto plain = run(input(), "set:inducing=7");
    std::vector<Index> twice;
    for (Index i = 0; i < kN; ++i) twice.insert(twice.end(), {i, i});
    const auto doubled = run(picked(input(), twice), "set:inducing=7", {{"inducing", pointsOf(*plain)}});
    QVERIFY(largestDifference(pick(plain->out, twice), doubled->out) < 1e-5);
  }

  void onePointGivesAllTheSame() {
    const auto one = run(input(), "set:inducing=1");
    const auto out = one->out.values<float>();
    for (Index i = 1; i < kN; ++i)
      for (Index c = 0; c < kD; ++c)
        QVERIFY(std::abs(out[static_cast<std::size_t>(i * kD + c)] - out[static_cast<std::size_t>(c)]) <
                1e-6F);
  }

  void rankIsAtMostTheNumberOfPoints() {
    const auto few = run(input(), "set:inducing=4");
    const auto matrix = few->matrix->block(0, 0, kN, 0, kN);
    QVERIFY(matrix);
    const auto sigma = singularValues(*matrix);
    QVERIFY(sigma[3] > 1e-4 * sigma[0]);
    QVERIFY(sigma[4] < 1e-5 * sigma[0]);
  }

  void countsTwoMaps() {
    const auto few = run(input(), "set:inducing=9");
    QCOMPARE(few->cost.pairs, 2.0 * 9.0 * kN);
  }

  void mayReadOtherKeys() {
    const AttentionInput cross = attnscope::testing::inputOf("gaussian:n=20,nk=50,d=8,heads=1");
    QCOMPARE(run(cross, "set:inducing=6,init=random")->out.shape(), (std::vector<Index>{1, 20, 8}));
  }

  void refusesAMask() {
    const auto planned = planCall(*parseMechanismSpec("set:causal=on"), input());
    QVERIFY(!planned && planned.error().kind == ErrorKind::Usage);
  }

  // Four tight heaps: every centroid finds its own.
  void kMeansFindsHeaps() {
    std::vector<float> rows;
    for (int i = 0; i < 40; ++i) {
      rows.push_back(static_cast<float>(10 * (i % 2)) + 0.01F * static_cast<float>(i / 4));
      rows.push_back(static_cast<float>(10 * (i / 2 % 2)));
    }
    const auto points = kMeans(rows, 40, 2, 4, 10, {});
    QVERIFY(points);
    std::vector<std::pair<int, int>> found;
    for (std::size_t a = 0; a < 4; ++a)
      found.emplace_back(std::lround((*points)[2 * a] / 10.0), std::lround((*points)[2 * a + 1] / 10.0));
    std::sort(found.begin(), found.end());
    QCOMPARE(found, (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 0}, {1, 1}}));
  }
};

QTEST_APPLESS_MAIN(SetTest)
#include "set_test.moc"
