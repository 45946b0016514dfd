// SPDX-License-Identifier: GPL-3.0-or-later
// The sides of a map: against sums over the executed matrix, and what must hold for any attention.
#include <fmt/format.h>

#include <QTest>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/explore.h"
#include "kernels/marginals.h"
#include "tests/support/call_table.h"

using namespace attnscope;

class MarginalsTest : public QObject {
  Q_OBJECT

 private slots:
  void agreeWithTheExecutedMatrix_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec : {"full", "longformer:window=8", "reformer", "linformer", "performer"})
      QTest::newRow(spec) << QString::fromLatin1(spec);
  }
  void agreeWithTheExecutedMatrix() {
    QFETCH(QString, spec);
    const auto input = attnscope::testing::inputOf("clustered:n=75,d=16,heads=2");
    const auto exploration = explore(*parseMechanismSpec(spec.toStdString()), input, cpuBackend());
    QVERIFY(exploration);
    const auto marginals = marginalsOf(*(*exploration)->matrix, 1);
    const auto executed = executedMatrix(cpuBackend(), *(*exploration)->call.plan, input, {});
    QVERIFY(marginals && executed);
    const auto w = executed->values<float>().subspan(75 * 75, 75 * 75);  // head 1
    for (std::size_t j = 0; j < 75; ++j) {
      double received = 0.0;
      double sum = 0.0;
      double squares = 0.0;
      for (std::size_t i = 0; i < 75; ++i) {
        received += w[i * 75 + j];
        sum += std::abs(w[j * 75 + i]);
        squares += static_cast<double>(w[j * 75 + i]) * w[j * 75 + i];
      }
      QVERIFY(std::abs(received - marginals->received[j]) < 1e-4);
      QVERIFY(std::abs(sum * sum / squares - marginals->spread[j]) < 1e-3 * marginals->spread[j]);
    }
  }

  // More than one slab: whatever a query spreads arrives somewhere.
  void nothingIsLostBetweenSlabs() {
    const auto input = attnscope::testing::inputOf("clustered:n=1500,d=16,heads=1");
    const auto exploration = explore(*parseMechanismSpec("full:causal=on"), input, cpuBackend());
    QVERIFY(exploration);
    const auto marginals = marginalsOf(*(*exploration)->matrix, 0);
    QVERIFY(marginals);
    double sum = 0.0;
    for (const float received : marginals->received) sum += received;
    QVERIFY(std::abs(sum - 1500.0) < 0.01);
    QCOMPARE(marginals->spread.size(), std::size_t{1500});
    QVERIFY(std::abs(marginals->spread[0] - 1.0F) < 1e-6F);  // the first query reads itself only
    for (std::size_t i = 0; i < 1500; ++i)
      QVERIFY(marginals->spread[i] >= 0.999F && marginals->spread[i] <= static_cast<float>(i + 1) * 1.001F);
  }

  void canBeCancelled() {
    const auto input = attnscope::testing::inputOf("clustered:n=64,d=16,heads=1");
    const auto exploration = explore(*parseMechanismSpec("full"), input, cpuBackend());
    QVERIFY(exploration);
    const JobContext job;
    job.cancel();
    const auto marginals = marginalsOf(*(*exploration)->matrix, 0, job);
    QVERIFY(!marginals && marginals.error().kind == ErrorKind::Cancelled);
  }
};

QTEST_MAIN(MarginalsTest)
#include "marginals_test.moc"
