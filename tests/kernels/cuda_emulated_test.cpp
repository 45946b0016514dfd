// SPDX-License-Identifier: GPL-3.0-or-later
// The CUDA backend with its kernels executed on the CPU: every mechanism against the CPU backend and the
// oracle, on ragged sizes, with threads in several orders. This says nothing about a GPU's memory model.
#include <QTest>
#include <cmath>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/call_rows.h"
#include "tests/support/error_bound.h"

using namespace attnscope;
using attnscope::cuda::CudaBackend;
using attnscope::cuda::emulation::EmulationOptions;
using attnscope::cuda::emulation::makeEmulatedDevice;
using attnscope::cuda::emulation::ThreadOrder;
using attnscope::testing::addCalls;
using attnscope::testing::bound;
using attnscope::testing::Call;

namespace {

const Backend& emulated(ThreadOrder order) {
  static const CudaBackend forward(makeEmulatedDevice({ThreadOrder::Forward}));
  static const CudaBackend backward(makeEmulatedDevice({ThreadOrder::Backward}));
  static const CudaBackend scattered(makeEmulatedDevice({ThreadOrder::Scattered}));
  return order == ThreadOrder::Forward ? forward : order == ThreadOrder::Backward ? backward : scattered;
}

// The first row where two results differ by more than `tolerance`, in words; empty: none. NaN differs.
QString difference(const char* what, std::span<const float> found, std::span<const float> expected,
                   double tolerance) {
  if (found.size() != expected.size()) return QString("%1: sizes differ").arg(what);
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!(found[i] == expected[i] || std::abs(found[i] - expected[i]) <= tolerance))
      return QString("%1[%2] is %3, expected %4 within %5")
          .arg(what)
          .arg(i)
          .arg(found[i])
          .arg(expected[i])
          .arg(tolerance);
  return {};
}

}  // namespace

class CudaEmulatedTest : public QObject {
  Q_OBJECT

 private slots:
  void agreesWithCpuAndOracle_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=2", "clustered:n=63,d=8,heads=1",
              "clustered:n=65,d=18,dv=5,heads=2,kv_heads=1", "clustered:n=130,d=34,dv=66,heads=1",
              "gaussian:n=40,nk=100,d=16,heads=2", "gaussian:n=100,nk=40,d=16,heads=2"},
             false);
    addCalls({"clustered:n=65,d=6,heads=2,seed=3"}, true);
  }
  void agreesWithCpuAndOracle() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const Call call{*parseMechanismSpec(spec.toStdString()), source.toStdString()};
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
    const auto cpu = cpuBackend().run(*planned->plan, input, {}, {});
    QVERIFY2(cpu, cpu ? "" : cpu.error().message.c_str());
    const double tolerance = bound(call, input, *oracle, *planned);
    const double lseTolerance = call.spec.text().find("penalty") != std::string::npos ? 0.02 : tolerance;
    const auto order = static_cast<ThreadOrder>(m_calls++ % 3);
    const auto run = emulated(order).run(*planned->plan, input, {}, {});
    QVERIFY2(run, run ? "" : run.error().message.c_str());
    QString wrong = difference("out against the oracle", run->out.values<float>(),
                               oracle->out.values<float>(), tolerance);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    wrong = difference("out against the CPU", run->out.values<float>(), cpu->out.values<float>(), tolerance);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    QCOMPARE(run->lse.empty(), oracle->lse.empty());
    if (oracle->lse.empty()) return;
    wrong = difference("lse", run->lse.values<float>(), oracle->lse.values<float>(), lseTolerance);
    QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
  }

  // Every mechanism on tensor cores, as far as it has attend steps; what it does beside stays as exact as it
  // was.
  void tensorCores_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=1,d=8,heads=2", "clustered:n=65,d=18,dv=5,heads=2,kv_heads=1",
              "gaussian:n=130,d=64,heads=1", "gaussian:n=40,nk=100,d=16,heads=2"},
             false);
  }
  void tensorCores() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const Call call{*parseMechanismSpec(spec.toStdString()), source.toStdString()};
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY2(oracle, oracle ? "" : oracle.error().message.c_str());
    const auto& steps = planned->plan->plan().steps;
    const auto attends = static_cast<int>(std::count_if(steps.begin(), steps.end(), [](const Step& step) {
      return std::holds_alternative<AttendStep>(step);
    }));
    for (const auto& [precision, u] :
         {std::pair{Precision::Tf32, 0x1p-11}, std::pair{Precision::Bf16, 0x1p-8}}) {
      RunOptions options;
      options.precision = precision;
      const auto run =
          emulated(static_cast<ThreadOrder>(m_calls++ % 3)).run(*planned->plan, input, options, {});
      QVERIFY2(run, run ? "" : run.error().message.c_str());
      QCOMPARE(run->device.ends_with("attention in " + precisionName(precision)), attends > 0);
      const double tolerance = attnscope::testing::tensorBound(call, input, *oracle, *planned, u, attends);
      const QString wrong =
          difference("out", run->out.values<float>(), oracle->out.values<float>(), tolerance);
      QVERIFY2(wrong.isEmpty(), qPrintable(wrong));
    }
  }

  void precisionThatADeviceLacks() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=20,d=16,heads=1");
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const CudaBackend older(makeEmulatedDevice({.tensorCores = false}));
    for (const Precision precision : {Precision::Tf32, Precision::Bf16}) {
      RunOptions options;
      options.precision = precision;
      const auto onOlder = older.run(*planned->plan, input, options, {});
      QVERIFY(!onOlder);
      QCOMPARE(onOlder.error().kind, ErrorKind::Compute);
      QVERIFY(onOlder.error().message.find("compute capability 8.0") != std::string::npos);
      const auto onCpu = cpuBackend().run(*planned->plan, input, options, {});
      QVERIFY(!onCpu);
      QVERIFY(onCpu.error().message.find("precision " + precisionName(precision)) != std::string::npos);
      QVERIFY(onCpu.error().message.find("fp32 only") != std::string::npos);
    }
  }

  // The matrix as executed, and the support: exactly the cells that the CPU executes.
  void matrixAndProbe_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=41,d=6,dv=21,heads=2,seed=3", "clustered:n=70,d=8,dv=70,heads=1",
              "gaussian:n=30,nk=70,d=16,dv=70,heads=1"},
             false);
  }
  void matrixAndProbe() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const Call call{*parseMechanismSpec(spec.toStdString()), source.toStdString()};
    const AttentionInput input = attnscope::testing::inputOf(call.source);
    const auto planned = planCall(call.spec, input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    const auto oracle = runOracle(*planned, input);
    QVERIFY(oracle);
    const Backend& backend = emulated(static_cast<ThreadOrder>(m_calls++ % 3));
    const auto matrix = executedMatrix(backend, *planned->plan, input, {});
    QVERIFY2(matrix, matrix ? "" : matrix.error().message.c_str());
    const auto found = matrix->values<float>();
    const auto expected = oracle->matrix.values<double>();
    QCOMPARE(found.size(), expected.size());
    const double tolerance = bound(call, input, *oracle, *planned) + 1e-6;
    for (std::size_t i = 0; i < found.size(); ++i)
      QVERIFY2(std::abs(found[i] - expected[i]) <= tolerance,
               qPrintable(QString("cell %1 is %2, expected %3").arg(i).arg(found[i]).arg(expected[i])));
    const auto probe = maskProbe(backend, *planned->plan, input, {});
    const auto cpuProbe = maskProbe(cpuBackend(), *planned->plan, input, {});
    QVERIFY2(probe && cpuProbe, probe ? "" : probe.error().message.c_str());
    const auto a = probe->values<float>();
    const auto b = cpuProbe->values<float>();
    QCOMPARE(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i)
      QVERIFY2((a[i] != 0.0F) == (b[i] != 0.0F) && std::abs(a[i] - b[i]) <= 1e-5F,
               qPrintable(QString("probe cell %1 is %2, on the CPU %3").arg(i).arg(a[i]).arg(b[i])));
  }

  void memoryIsRefusedBeforehand() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65,d=16,heads=2");
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const CudaBackend small(makeEmulatedDevice({ThreadOrder::Forward, 20000}));
    const auto run = small.run(*planned->plan, input, {}, {});
    QVERIFY(!run);
    QCOMPARE(run.error().kind, ErrorKind::Compute);
    QVERIFY(run.error().message.find("needs") != std::string::npos);
    // What is asked for is enough: the same run on a device that has just that.
    const auto needed = static_cast<std::uint64_t>(small.memoryNeeded(*planned->plan, {}) / 0.95) + 4096;
    const CudaBackend enough(makeEmulatedDevice({ThreadOrder::Forward, needed}));
    {
      const auto again = planCall(*parseMechanismSpec("full"), input);
      QVERIFY(again);
      const auto second = enough.run(*again->plan, input, {}, {});
      QVERIFY2(second, second ? "" : second.error().message.c_str());
    }
    QCOMPARE(enough.info().memory, needed);  // everything was given back, with the plan and the result
  }

  void cancelledBetweenLaunches() {
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=65,d=16,heads=2");
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const JobContext job;
    job.cancel();
    const auto run = emulated(ThreadOrder::Forward).run(*planned->plan, input, {}, job);
    QVERIFY(!run);
    QCOMPARE(run.error().kind, ErrorKind::Cancelled);
  }

  void overflowIsRefused() {
    AttentionInput input = attnscope::testing::inputOf("gaussian:n=20,d=16,heads=1");
    Tensor large(DType::F32, input.q.shape());
    std::fill(large.mutableValues<float>().begin(), large.mutableValues<float>().end(), 1e30F);
    input.q = large;
    input.k = large;
    const auto planned = planCall(*parseMechanismSpec("full"), input);
    QVERIFY(planned);
    const auto run = emulated(ThreadOrder::Forward).run(*planned->plan, input, {}, {});
    QVERIFY(!run);
    QVERIFY(run.error().message.find("overflow") != std::string::npos);
  }

 private:
  int m_calls = 0;
};

QTEST_APPLESS_MAIN(CudaEmulatedTest)
#include "cuda_emulated_test.moc"
