// SPDX-License-Identifier: GPL-3.0-or-later
// Patterns as pictures, and their counts in closed form.
#include <QTest>

#include "core/mechanisms/lsh_rounds.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

std::string picture(const std::string& spec, const std::string& source, Index head = 0) {
  const auto planned = planCall(*parseMechanismSpec(spec), attnscope::testing::inputOf(source));
  return planned ? asciiPattern(*planned->plan->support(head)) : planned.error().message;
}

Index pairs(const std::string& spec, const std::string& source) {
  const auto planned = planCall(*parseMechanismSpec(spec), attnscope::testing::inputOf(source));
  return planned ? planned->plan->pairs(0) : -1;
}

}  // namespace

class PatternsTest : public QObject {
  Q_OBJECT

 private slots:
  void longformer() {
    QCOMPARE(picture("longformer:window=4,globals=0", "gaussian:n=10,d=4,heads=1"),
             std::string("3333333333\n"
                         "2111......\n"
                         "21111.....\n"
                         "211111....\n"
                         "2.11111...\n"
                         "2..11111..\n"
                         "2...11111.\n"
                         "2....11111\n"
                         "2.....1111\n"
                         "2......111\n"));
  }

  void longformerCausalDilated() {
    QCOMPARE(picture("longformer:window=4,dilation=2,globals=4,causal=on", "gaussian:n=10,d=4,heads=1"),
             std::string("1.........\n"
                         ".1........\n"
                         "1.1.......\n"
                         ".1.1......\n"
                         "33333.....\n"
                         ".1.121....\n"
                         "..1.2.1...\n"
                         "...121.1..\n"
                         "....2.1.1.\n"
                         "....21.1.1\n"));
  }

  void linformerReadsSlots() {
    QCOMPARE(picture("linformer:k=3", "gaussian:n=4,d=4,heads=1"),
             std::string("....111\n....111\n....111\n....111\n"));
  }

  void fullAndLinearAlignAtTheEnd() {
    const std::string expected = "111...\n1111..\n11111.\n111111\n";
    QCOMPARE(picture("full:causal=on", "gaussian:n=4,nk=6,d=4,heads=1"), expected);
    QCOMPARE(picture("linear:causal=on", "gaussian:n=4,nk=6,d=4,heads=1"), expected);
    QCOMPARE(picture("full:causal=on", "gaussian:n=3,nk=2,d=4,heads=1"), std::string("..\n1.\n11\n"));
  }

  // n(2h + 1) - d h (h + 1) pairs in a dilated window; with a prefix of g globals
  // 2gn - g^2 + (n - g)(2h + 1) - h(h + 1).
  void longformerCounts() {
    for (const Index n : {40, 100, 1000}) {
      const std::string source = "gaussian:d=1,heads=1,n=" + std::to_string(n);
      for (const Index h : {0, 1, 5, 8}) {
        const std::string window = "longformer:window=" + std::to_string(2 * h);
        for (const Index dilation : {1, 2, 3})
          QCOMPARE(pairs(window + ",globals=none,dilation=" + std::to_string(dilation), source),
                   n * (2 * h + 1) - dilation * h * (h + 1));
        QCOMPARE(pairs(window + ",globals=0+1+2", source), 6 * n - 9 + (n - 3) * (2 * h + 1) - h * (h + 1));
      }
    }
  }

  // The paper's pre-training window with one global token.
  void longformerAtPaperSize() {
    QCOMPARE(pairs("longformer:window=512,globals=0", "gaussian:n=4096,d=1,heads=1"), Index{2043134});
  }

  void hashRules() {
    const Index n = 200;
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=200,d=16,heads=1");
    const auto rotation = attnscope::testing::inputOf("gaussian:n=16,d=4,heads=1,seed=9").q;
    const auto rows = input.q.values<float>();
    const auto bucket = hashRows(rows, n, 16, rotation.values<float>(), 4, {});
    std::vector<float> negative(rows.begin(), rows.end());
    std::vector<float> scaled(rows.begin(), rows.end());
    for (float& x : negative) x = -x;
    for (float& x : scaled) x *= 4.0F;
    QCOMPARE(*hashRows(scaled, n, 16, rotation.values<float>(), 4, {}), *bucket);
    const auto opposite = hashRows(negative, n, 16, rotation.values<float>(), 4, {});
    for (std::size_t i = 0; i < bucket->size(); ++i) QCOMPARE((*opposite)[i], ((*bucket)[i] + 4) % 8);
    const LshRound sorted = sortByBucket(*bucket);
    for (std::size_t i = 0; i < sorted.order.size(); ++i)
      QCOMPARE(sorted.position[static_cast<std::size_t>(sorted.order[i])], static_cast<std::int32_t>(i));
    const std::vector<float> zeros(16, 0.0F);
    QCOMPARE(hashRows(zeros, 1, 16, rotation.values<float>(), 4, {})->front(), 0);
  }

  // One more round leaves the earlier ones as they were.
  void roundsAreStable() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=64,d=16,heads=2");
    const auto two = planCall(*parseMechanismSpec("reformer:rounds=2"), input);
    const auto three = planCall(*parseMechanismSpec("reformer:rounds=3"), input);
    const auto a = two->plan->plan().trace[0].tensor;
    const auto b = three->plan->plan().trace[0].tensor;
    for (Index h = 0; h < 2; ++h) {
      const auto x = a.slice<std::int32_t>(h);
      const auto y = b.slice<std::int32_t>(h);
      QVERIFY(std::equal(x.begin(), x.end(), y.begin()));
    }
  }
};

QTEST_APPLESS_MAIN(PatternsTest)
#include "patterns_test.moc"
