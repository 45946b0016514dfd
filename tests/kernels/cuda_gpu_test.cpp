// SPDX-License-Identifier: GPL-3.0-or-later
// Every mechanism on a real GPU against the oracle. Skipped, and said so, where there is none.
#include <QTest>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "kernels/backend_registry.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/call_rows.h"
#include "tests/support/error_bound.h"
#include "tests/support/picture_case.h"
#include "tests/support/same_numbers.h"

using namespace attnscope;
using attnscope::testing::addCalls;
using attnscope::testing::bound;
using attnscope::testing::Call;
using attnscope::testing::pictureDifference;
using attnscope::testing::picturesOf;
using attnscope::testing::tensorBound;
using attnscope::testing::weightTolerance;

class CudaGpuTest : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
    const auto found = findBackend("cuda");
    if (!found) QSKIP(("no CUDA device: " + found.error().message).c_str());
    m_backend = *found;
  }

  void agreesWithTheOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=2", "clustered:n=65,d=18,dv=5,heads=2,kv_heads=1",
              "gaussian:n=514,d=64,heads=2", "gaussian:n=40,nk=100,d=16,heads=2"},
             false);
    addCalls({"clustered:n=65,d=6,heads=2,seed=3"}, true);
  }
  void agreesWithTheOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const Call call{*parseMechanismSpec(spec.toStdString()), source.toStdString()};
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
    const auto run = m_backend->run(*planned->plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    verifyClose(*run, *oracle, bound(call, input, *oracle, *planned));
    if (run->weights) {  // maps from what stayed on the device, against those from what came back
      const EffectiveMatrix matrix(planned->plan, input, *run);
      const auto found = picturesOf(matrix);
      const auto expected = picturesOf(attnscope::testing::onCpu(planned->plan, input, *run));
      QVERIFY2(found && expected, found ? "" : found.error().message.c_str());
      QVERIFY2(matrix.fellBack().empty(), matrix.fellBack().c_str());
      const QString wrong = pictureDifference(*found, *expected, weightTolerance(*run, input));
      QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
    const auto& steps = planned->plan->plan().steps;
    const auto attends = static_cast<int>(std::count_if(steps.begin(), steps.end(), [](const Step& step) {
      return std::holds_alternative<AttendStep>(step);
    }));
    for (const Precision precision : m_backend->info().precisions) {
      if (precision == Precision::Fp32) continue;
      RunOptions options;
      options.precision = precision;
      const auto rounded = m_backend->run(*planned->plan, input, options, {});
      QVERIFY2(rounded, rounded ? "" : rounded.error().message.c_str());
      const double u = precision == Precision::Tf32 ? 0x1p-11 : 0x1p-8;
      verifyClose(*rounded, *oracle, tensorBound(call, input, *oracle, *planned, u, attends));
    }
  }

  // The same input gives the same bytes.
  void repeats() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=1030,d=64,heads=4");
    for (const Mechanism* mechanism : allMechanisms()) {
      MechanismSpec spec;
      spec.id = mechanism->card().id;
      const auto planned = planCall(spec, input);
      QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
      const auto a = m_backend->run(*planned->plan, input, {}, {});
      const auto b = m_backend->run(*planned->plan, input, {}, {});
      QVERIFY2(a && b, a ? "" : a.error().message.c_str());
      QVERIFY2(attnscope::testing::sameNumbers(a->out, b->out), spec.id.c_str());
    }
  }

  void cancelsSoon() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65536,d=64,heads=8");
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const JobContext job;
    using Clock = std::chrono::steady_clock;
    Clock::time_point asked;
    std::thread watcher([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      asked = Clock::now();
      job.cancel();
    });
    const auto run = m_backend->run(*planned->plan, input, {}, job);
    const auto ended = Clock::now();
    watcher.join();
    if (run) QSKIP("the GPU was done before it was stopped");
    QCOMPARE(run.error().kind, ErrorKind::Cancelled);
    QVERIFY(ended - asked < std::chrono::milliseconds(100));
  }

 private:
  static void verifyClose(const RunResult& run, const OracleResult& oracle, double tolerance) {
    const auto found = run.out.values<float>();
    const auto expected = oracle.out.values<float>();
    QCOMPARE(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      QVERIFY2(std::abs(found[i] - expected[i]) <= tolerance,
               qPrintable(QString("out[%1] is %2, expected %3").arg(i).arg(found[i]).arg(expected[i])));
  }

  const Backend* m_backend = nullptr;
};

QTEST_APPLESS_MAIN(CudaGpuTest)
#include "cuda_gpu_test.moc"
