// SPDX-License-Identifier: GPL-3.0-or-later
// Reach over layers: what the papers say about their patterns, and boolean products of the applied matrices
// for every mechanism.
#include <QTest>
#include <cmath>

#include "core/analysis/reach.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/explore.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

std::shared_ptr<const Reach> reachOf(const std::string& spec, const std::string& source, Index layers) {
  const auto call = planCall(*parseMechanismSpec(spec), attnscope::testing::inputOf(source));
  if (!call) qFatal("%s", call.error().message.c_str());
  const auto reach = reachOverLayers(*call->plan, layers, std::nullopt);
  if (!reach) qFatal("%s", reach.error().message.c_str());
  return *reach;
}

std::string sourceOf(Index n) {
  return "clustered:d=8,heads=1,n=" + std::to_string(n);
}

using Booleans = std::vector<std::vector<bool>>;

// held(l) = (I or M) held(l - 1), from the weights that were applied.
Booleans onceMore(const Booleans& reads, const Booleans& held) {
  Booleans next = held;
  for (std::size_t i = 0; i < reads.size(); ++i)
    for (std::size_t j = 0; j < reads.size(); ++j)
      for (std::size_t t = 0; t < reads.size() && reads[i][j]; ++t) next[i][t] = next[i][t] || held[j][t];
  return next;
}

}  // namespace

class ReachTest : public QObject {
  Q_OBJECT

 private slots:
  // Child et al., section 4.2: two steps connect every pair.
  void stridedSetsConnectAllInTwoLayers() {
    const auto reach = reachOf("sparse:stride=8", sourceOf(100), 2);
    QVERIFY(reach->share[0] < 0.5);
    QCOMPARE(reach->share[1], 1.0);
    for (Index i = 0; i < 100; ++i)
      for (Index j = 0; j < i; ++j) QVERIFY(reach->hopsOf(i, j) == 1 || reach->hopsOf(i, j) == 2);
  }

  // Beltagy et al., section 3.1: l layers of a window w see l w / 2 tokens to each side.
  void windowsGrowByHalfAWidthALayer() {
    const Index n = 150;
    const auto reach = reachOf("longformer:window=10,globals=none", sourceOf(n), 7);
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j) {
        const Index needed = (std::abs(i - j) + 4) / 5;
        QCOMPARE(reach->hopsOf(i, j), needed <= 7 ? needed : 0);
      }
  }

  // One token that reads all and is read by all makes a small world.
  void aGlobalTokenConnectsAllInTwoLayers() {
    QCOMPARE(reachOf("longformer:window=4,globals=0", sourceOf(130), 2)->share[1], 1.0);
    QCOMPARE(reachOf("bigbird:block=8", sourceOf(130), 2)->share[1], 1.0);
  }

  void sharesAreCountedOverWhatTheMaskAllows() {
    const Index n = 40;
    const auto reach = reachOf("longformer:window=4,globals=none,causal=on", sourceOf(n), 1);
    const double pairs = 3.0 * n - 3.0;  // itself and two before, less at the start
    QVERIFY(std::abs(reach->share[0] - pairs / (n * (n + 1) / 2.0)) < 1e-12);
    const auto full = reachOf("full:causal=on", sourceOf(n), 1);
    QCOMPARE(full->share[0], 1.0);
  }

  void equalsProductsOfTheAppliedMatrices() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=36,d=6,heads=2,seed=3");
    for (const Mechanism* mechanism : allMechanisms()) {
      // Notes live on from layer to layer, which a product of matrices on the tokens does not know.
      MechanismSpec spec;
      spec.id = mechanism->card().id;
      const auto explored = explore(spec, input, cpuBackend());
      QVERIFY2(explored, explored ? "" : explored.error().message.c_str());
      if (!(*explored)->call.plan->plan().slotReads.empty()) continue;
      const Index n = input.shape().nK;
      const auto size = static_cast<std::size_t>(n);
      Booleans reads(size, std::vector<bool>(size, false));
      for (Index h = 0; h < input.shape().heads; ++h) {
        const auto matrix = (*explored)->matrix->block(h, 0, n, 0, n);
        QVERIFY(matrix);
        for (Index i = 0; i < n; ++i)
          for (Index j = 0; j < n; ++j)
            if (matrix->values<float>()[static_cast<std::size_t>(i * n + j)] != 0.0F)
              reads[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] = true;
      }
      Booleans held(size, std::vector<bool>(size, false));
      for (std::size_t i = 0; i < size; ++i) held[i][i] = true;
      const auto reach = reachOverLayers(*(*explored)->call.plan, 3, std::nullopt);
      QVERIFY(reach);
      for (Index layer = 1; layer <= 3; ++layer) {
        held = onceMore(reads, held);
        for (Index i = 0; i < n; ++i)
          for (Index j = 0; j < n; ++j) {
            const Index hops = (*reach)->hopsOf(i, j);
            const bool reached = i == j || (hops > 0 && hops <= layer);
            QVERIFY2(reached == held[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)],
                     qPrintable(QString("%1: pair (%2, %3) after %4 layers")
                                    .arg(QString::fromStdString(spec.id))
                                    .arg(i)
                                    .arg(j)
                                    .arg(layer)));
          }
      }
    }
  }

  void aPictureHasEveryPairOnce() {
    const auto reach = reachOf("sparse:stride=6", sourceOf(50), 3);
    const PatternPtr pattern = reachPattern(reach);
    RunList runs;
    for (Index i = 0; i < 50; ++i) {
      pattern->row(i, runs);
      std::vector<int> seen(50, 0);
      Index last = -1;
      for (const Run& run : runs) {
        QVERIFY(run.begin > last);
        last = run.end - 1;
        for (Index j = run.begin; j < run.end; ++j) {
          ++seen[static_cast<std::size_t>(j)];
          QCOMPARE(static_cast<Index>(run.label) + 1, std::max<Index>(1, reach->hopsOf(i, j)));
        }
      }
      for (Index j = 0; j < 50; ++j)
        QCOMPARE(seen[static_cast<std::size_t>(j)], j == i || reach->hopsOf(i, j) > 0 ? 1 : 0);
    }
  }

  void refusesWhatItCannotDo() {
    const auto long_ = planCall(*parseMechanismSpec("full"), attnscope::testing::inputOf(sourceOf(4097)));
    QVERIFY(long_ && !reachOverLayers(*long_->plan, 2, std::nullopt));
    const auto cross =
        planCall(*parseMechanismSpec("full"), attnscope::testing::inputOf("gaussian:n=20,nk=30,d=8,heads=1"));
    QVERIFY(cross && !reachOverLayers(*cross->plan, 2, std::nullopt));
    const auto none = planCall(*parseMechanismSpec("full"), attnscope::testing::inputOf(sourceOf(20)));
    QVERIFY(none && !reachOverLayers(*none->plan, 0, std::nullopt));
  }
};

QTEST_APPLESS_MAIN(ReachTest)
#include "reach_test.moc"
