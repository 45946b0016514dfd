// SPDX-License-Identifier: GPL-3.0-or-later
// The comparison with full attention makes sense: exact for full attention itself, and better for a wider
// window, more rounds, more summaries.
#include <QTest>
#include <cmath>
#include <limits>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/fidelity.h"
#include "tests/support/call_table.h"

using namespace attnscope;

namespace {

Fidelity fidelityOf(const std::string& spec, const AttentionInput& input) {
  const auto other = explore(*parseMechanismSpec(spec), input, cpuBackend());
  if (!other) qFatal("%s", other.error().message.c_str());
  const auto full = explore(fullFor((*other)->call), input, cpuBackend());
  const auto fidelity = compareWithFull(**full, **other);
  if (!fidelity) qFatal("%s", fidelity.error().message.c_str());
  return *fidelity;
}

}  // namespace

class FidelityTest : public QObject {
  Q_OBJECT

 private slots:
  void fullLosesNothing() {
    for (const char* spec : {"full", "full:causal=on"}) {
      const Fidelity f = fidelityOf(spec, attnscope::testing::inputOf("clustered:n=100,d=16,heads=2"));
      QVERIFY(std::abs(f.capturedMass - 1.0) < 1e-5);
      QCOMPARE(f.recall, 1.0);
      QVERIFY(f.totalVariation < 1e-6);
      QCOMPARE(f.outputError, 0.0);
      QCOMPARE(f.effectiveKeys, f.fullEffectiveKeys);
    }
  }

  // On the captured model: each list runs from the poorer to the richer setting.
  void moreIsBetter_data() {
    QTest::addColumn<QStringList>("specs");
    QTest::newRow("window") << QStringList{"longformer:window=8", "longformer:window=32",
                                           "longformer:window=128"};
    QTest::newRow("rounds") << QStringList{"reformer:rounds=1,scale=1", "reformer:rounds=4,scale=1",
                                           "reformer:rounds=16,scale=1"};
  }
  void moreIsBetter() {
    QFETCH(QStringList, specs);
    const AttentionInput input = attnscope::testing::inputOf("sample");
    Fidelity last = fidelityOf(specs[0].toStdString(), input);
    for (const QString& spec : specs.mid(1)) {
      const Fidelity next = fidelityOf(spec.toStdString(), input);
      QVERIFY2(next.capturedMass > last.capturedMass, qPrintable(spec));
      last = next;
    }
  }

  // Rows as long as the paper asks for (|x|^2 about 1/4): four times the features, a smaller error over 16
  // draws.
  void moreFeaturesErrLess() {
    AttentionInput input = attnscope::testing::inputOf("clustered:n=256,d=16,heads=16");
    const auto shrunk = [](const Tensor& rows) {
      Tensor small(DType::F32, rows.shape());
      auto target = small.mutableValues<float>();
      for (std::size_t i = 0; i < target.size(); ++i) target[i] = 0.25F * rows.values<float>()[i];
      return small;
    };
    input.q = shrunk(input.q);
    input.k = shrunk(input.k);
    double last = std::numeric_limits<double>::infinity();
    for (const char* spec : {"performer:features=16", "performer:features=64", "performer:features=256",
                             "performer:features=1024"}) {
      const double error = fidelityOf(spec, input).outputError;
      QVERIFY2(error < last, qPrintable(QString("%1: %2 after %3").arg(spec).arg(error).arg(last)));
      last = error;
    }
  }

  void moreSummariesErrLess() {
    const AttentionInput input = attnscope::testing::inputOf("smooth:n=256,d=16,heads=2");
    double last = 1e9;
    for (const char* spec : {"linformer:k=8", "linformer:k=32", "linformer:k=128", "linformer:k=256"}) {
      const double error = fidelityOf(spec, input).outputError;
      QVERIFY2(error < last, spec);
      last = error;
    }
    QVERIFY(last < 1e-5);  // k = n: the identity
  }

  // The best F is at least as good as the segment means.
  void fittedBeatsMeans() {
    const AttentionInput input = attnscope::testing::inputOf("sample");
    QVERIFY(fidelityOf("linformer:projection=fitted", input).outputError <
            fidelityOf("linformer", input).outputError);
  }

  // The inspector's word on a pair: through slots, a later token is not read when causal, and an earlier one
  // is.
  void reasonsThroughSlots() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=24,d=8,heads=1");
    const auto causal = explore(*parseMechanismSpec("memory-compressed:causal=on"), input, cpuBackend());
    QVERIFY((*causal)->reason(0, 12, 4).read);
    QVERIFY(!(*causal)->reason(0, 12, 20).read);
    QVERIFY(!(*causal)->reason(0, 1, 0).read);  // no slot is complete yet: only the null slot
    const auto window = explore(*parseMechanismSpec("longformer:window=4,globals=none"), input, cpuBackend());
    QCOMPARE((*window)->reason(0, 10, 12).label, std::string("local"));
    QVERIFY(!(*window)->reason(0, 10, 13).read);
  }

  void slotsHaveNoMass() {
    QVERIFY(std::isnan(
        fidelityOf("linformer", attnscope::testing::inputOf("clustered:n=64,d=8,heads=1")).capturedMass));
  }

  void differentMasksAreRefused() {
    const AttentionInput input = attnscope::testing::inputOf("clustered:n=32,d=8,heads=1");
    const auto full = explore(*parseMechanismSpec("full"), input, cpuBackend());
    const auto causal = explore(*parseMechanismSpec("full:causal=on"), input, cpuBackend());
    QVERIFY(!compareWithFull(**full, **causal));
  }
};

QTEST_APPLESS_MAIN(FidelityTest)
#include "fidelity_test.moc"
