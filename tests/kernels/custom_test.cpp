// SPDX-License-Identifier: GPL-3.0-or-later
// Rules that say what a paper's mechanism does, against that mechanism: the same pairs and the same output,
// though nothing is shared between the two but the attention kernel. definition_test has the oracle.
#include <QTest>
#include <chrono>
#include <cmath>

#include "tests/support/against_oracle.h"

using namespace attnscope;
using attnscope::testing::inputOf;
using attnscope::testing::largestDifference;
using attnscope::testing::messageOf;
using attnscope::testing::planned;
using attnscope::testing::ran;
using attnscope::testing::reachOf;

class CustomTest : public QObject {
  Q_OBJECT

 private slots:
  void equalsThePapersMechanism_data() {
    QTest::addColumn<QString>("rule");
    QTest::addColumn<QString>("other");
    QTest::addColumn<QString>("source");
    const QString tokens = QStringLiteral("clustered:n=203,d=16,heads=3,seed=2");
    const auto row = [](const char* name, const char* rule, const char* other, const QString& source) {
      QTest::newRow(name) << QString::fromUtf8(rule) << QString::fromUtf8(other) << source;
    };
    row("full", "custom:rule=1", "full", tokens);
    row("causal", "custom:rule=\"k <= q\"", "full:causal=on", tokens);
    row("causal by the option", "custom:rule=1,causal=on", "full:causal=on", tokens);
    row("longformer window", "custom:rule=\"abs(q-k)<=w/2\",w=12", "longformer:window=12,globals=none",
        tokens);
    row("longformer dilated and global",
        "custom:rule=\"global: q == 0 or k == 0 or q == 9 or k == 9; local: (q-k) % s == 0 and abs(q-k) <= "
        "w/2*s\","
        "w=12,s=3",
        "longformer:window=12,dilation=3,globals=0+9", tokens);
    row("longformer causal", "custom:rule=\"q < g or k < g or q - k <= w/2 and k <= q\",w=12,g=2,causal=on",
        "longformer:window=12,globals=0+1,causal=on", tokens);
    row("sparse strided", "custom:rule=\"k <= q && (q - k < w || (q - k) % s == 0)\",w=14,s=14",
        "sparse:stride=14", tokens);
    row("sparse fixed", "custom:rule=\"k <= q and (qb == kb or k % block >= block - g)\",block=16,g=3",
        "sparse:pattern=fixed,stride=16,summary=3", tokens);
    row("sparse split heads",
        "custom:rule=\"k <= q and (h % 2 == 0 and q - k < s or h % 2 == 1 and (q - k) mod s == 0)\",s=10",
        "sparse:mode=split,stride=10", tokens);
    row("sparse two ways", "custom:rule=\"abs(q - k) < s or (q - k) % s == 0\",s=10",
        "sparse:stride=10,causal=off", tokens);
    row("axial rows", "custom:rule=\"qy == ky\",grid=12x17", "axial:mode=row,grid=12x17",
        QStringLiteral("clustered:n=204,d=16,heads=2"));
    row("sinkhorn's own blocks", "custom:rule=\"k // block == q // block\",block=32", "blockwise:blocks=4",
        QStringLiteral("clustered:n=128,d=16,heads=1"));
  }
  void equalsThePapersMechanism() {
    QFETCH(QString, rule);
    QFETCH(QString, other);
    QFETCH(QString, source);
    const AttentionInput input = inputOf(source.toStdString());
    const PlannedCall mine = planned(rule.toStdString(), input);
    const PlannedCall theirs = planned(other.toStdString(), input);
    for (Index h = 0; h < input.shape().heads; ++h)
      QVERIFY(reachOf(*mine.plan->support(h)) == reachOf(*theirs.plan->support(h)));
    // Two orders of the same float32 sums: a few units of the last place of values below 4.
    QVERIFY(largestDifference(ran(mine, input).out, ran(theirs, input).out) < 4e-6);
  }

  void everyPresetRuns() {
    const auto custom = findMechanism("custom");
    QVERIFY(custom);
    const auto& presets = (*custom)->params().front().presets;
    QVERIFY(presets.size() >= 8);
    AttentionInput input = inputOf("clustered:n=100,d=8,heads=2");
    for (Index token = 0; token < 100; ++token) input.segments.push_back(token / 30);
    for (const TextPreset& preset : presets) {
      MechanismSpec spec;
      spec.id = "custom";
      spec.params["rule"] = preset.text;
      const auto call = planCall(spec, input);
      QVERIFY2(call, call ? "" : (preset.name + ": " + call.error().message).c_str());
      const double share = static_cast<double>(call->plan->pairs(0)) / 10000.0;
      QVERIFY2(share > 0.01 && share < 0.6,
               qPrintable(QString("%1: %2").arg(preset.name.c_str()).arg(share)));
      QCOMPARE(*parseMechanismSpec(spec.text()), spec);
    }
  }

  void slidersShowWhatTheRuleNames() {
    const auto custom = findMechanism("custom");
    QVERIFY(custom);
    const auto shown = [&](const std::string& rule) {
      std::string ids;
      for (const ParamSpec& spec : (*custom)->params())
        if (spec.visibleWhen && spec.visibleWhen({{"rule", rule}})) ids += spec.id + " ";
      return ids;
    };
    QCOMPARE(shown("abs(q - k) <= w"), std::string("w "));
    QCOMPARE(shown("qb == kb or k % s == g"), std::string("s g block "));
    QCOMPARE(shown("qx == kx"), std::string("grid "));
    QCOMPARE(shown("qx =="), std::string("w s g block grid "));
  }

  // The default's rows with and without keys, and heads that share one pattern.
  void plan() {
    const AttentionInput input = inputOf("clustered:n=70,d=8,heads=3");
    const PlannedCall same = planned("custom:rule=\"k < q\"", input);
    QVERIFY(same.plan->sameSupport(0, 2));
    QVERIFY(!planned("custom:rule=\"k < q + h\"", input).plan->sameSupport(0, 2));
    const RunResult run = ran(same, input);
    for (const float x : run.out.slice<float>(0).first(8)) QCOMPARE(x, 0.0F);  // query 0 reads nothing
    QVERIFY(std::isinf(run.lse.values<float>()[0]));
    const PlannedCall two = planned("custom:rule=\"near: abs(q-k) < 3; k == 0\"", input);
    QCOMPARE(two.plan->plan().labels[0].name, std::string("near"));
    QCOMPARE(two.plan->plan().labels[0].why, std::string("abs(q-k) < 3"));
    QCOMPARE(two.plan->plan().labels[1].name, std::string("rule 2"));
  }

  void errorsKeepTheirPlace() {
    const AttentionInput input = inputOf("clustered:n=70,d=8,heads=1");
    for (const char* rule : {"q < z", "k % q == 0", "qs == ks"}) {
      MechanismSpec spec;
      spec.id = "custom";
      spec.params["rule"] = rule;
      const auto call = planCall(spec, input);
      QVERIFY(!call);
      QVERIFY(call.error().fault);
      QCOMPARE(call.error().fault->text, std::string(rule));
    }
    QVERIFY(
        messageOf("custom:rule=\"q < z\"", input).starts_with("custom: Rule, character 5: there is no 'z'"));
  }

  // Rules are typed: 4,096 tokens in a moment. Generous, since this machine may be busy; what a change of the
  // order of growth does is ten times as much.
  void fastEnoughToType() {
    const AttentionInput input = inputOf("gaussian:n=4096,d=1,heads=1");
    for (const char* rule :
         {"local: abs(q - k) <= w; global: k < g", "(q - k) % s == 0", "k <= q && q - k < w || k % s == 0"}) {
      MechanismSpec spec;
      spec.id = "custom";
      spec.params["rule"] = rule;
      const auto start = std::chrono::steady_clock::now();
      QVERIFY(planCall(spec, input));
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      QVERIFY2(seconds < 2.0, qPrintable(QString("%1: %2 s").arg(rule).arg(seconds)));
    }
  }
};

QTEST_APPLESS_MAIN(CustomTest)
#include "custom_test.moc"
