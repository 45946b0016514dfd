// SPDX-License-Identifier: GPL-3.0-or-later
// A device that fails in the middle of a run, at every call that the host side makes of it: the run ends with
// what the device said, gives back its memory, and the next one is whole. And in the middle of a picture of
// weights: the CPU makes it then, and it is said.
#include <QTest>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "tests/support/call_rows.h"
#include "tests/support/picture_case.h"
#include "tests/support/same_numbers.h"

using namespace attnscope;
using attnscope::cuda::CudaBackend;
using attnscope::cuda::emulation::EmulationOptions;
using attnscope::cuda::emulation::makeEmulatedDevice;
using attnscope::testing::sameNumbers;

namespace {

// A device that fails at one call of its life.
class FailingDevice {
 public:
  FailingDevice() : m_backend(makeEmulatedDevice(options())) {}

  [[nodiscard]] const Backend& backend() const { return m_backend; }
  [[nodiscard]] int calls() const { return m_calls; }
  void failAtCall(int call) {
    m_calls = 0;
    m_failing = call;
  }

 private:
  EmulationOptions options() {
    EmulationOptions options;
    options.fault = [this]() -> Status {
      if (++m_calls == m_failing) return fail(ErrorKind::Compute, "The GPU is lost.");
      return {};
    };
    return options;
  }

  int m_calls = 0;
  int m_failing = 0;
  CudaBackend m_backend;
};

}  // namespace

class CudaFaultsTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void everyCallMayFail_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec :
         {"full", "longformer:window=16", "reformer:rounds=2,chunk=16", "linformer:k=8", "sinkhorn:block=16",
          "set", "routing:clusters=4", "linear", "performer:features=16", "compressive", "synthesizer"})
      QTest::newRow(spec) << QString(spec);
  }
  void everyCallMayFail() {
    QFETCH(QString, spec);
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=70,d=16,heads=1");
    const auto planned = planCall(*parseMechanismSpec(spec.toStdString()), input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    FailingDevice device;
    const std::uint64_t memory = device.backend().info().memory;
    QVERIFY(runOn(device, *planned->plan, input));  // page-locked memory is made once
    device.failAtCall(1);
    QVERIFY(!runOn(device, *planned->plan, input));  // the plan is to be brought again
    device.failAtCall(0);
    const auto whole = runOn(device, *planned->plan, input);
    QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
    const int calls = device.calls();
    QVERIFY(calls > 10);
    // The first run of a plan, and one that finds on the device what the run before has brought.
    for (const bool again : {false, true})
      for (int call = 1; call <= calls; ++call) {
        device.failAtCall(0);
        if (again) QVERIFY(runOn(device, *planned->plan, input));
        device.failAtCall(call);
        const auto failed = runOn(device, *planned->plan, input);
        if (again && device.calls() < call) break;  // it needed fewer
        QVERIFY2(!failed, qPrintable(QString("call %1 of %2 was not missed").arg(call).arg(calls)));
        QCOMPARE(failed.error().message, std::string("The GPU is lost."));
        QCOMPARE(device.backend().info().memory, memory);
      }
    device.failAtCall(0);
    const auto again = runOn(device, *planned->plan, input);
    QVERIFY(again && sameNumbers(*again, *whole));
  }

  void everyCallOfAPictureMayFail_data() {
    QTest::addColumn<QString>("spec");
    for (const char* spec : {"full", "longformer:window=16", "reformer:rounds=2,chunk=16", "synthesizer"})
      QTest::newRow(spec) << QString(spec);
  }
  void everyCallOfAPictureMayFail() {
    QFETCH(QString, spec);
    const AttentionInput input = attnscope::testing::inputOf("gaussian:n=70,d=16,heads=1");
    const auto planned = planCall(*parseMechanismSpec(spec.toStdString()), input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    FailingDevice device;
    const auto run = device.backend().run(*planned->plan, input, {}, {});
    QVERIFY(run && run->weights);
    const EffectiveMatrix plain = attnscope::testing::onCpu(planned->plan, input, *run);
    const auto expected = picture(plain);
    QVERIFY(expected);
    const std::uint64_t memory = device.backend().info().memory;
    device.failAtCall(0);
    QVERIFY(picture(EffectiveMatrix(planned->plan, input, *run)));
    const int calls = device.calls();
    QVERIFY(calls > 10);
    for (int call = 1; call <= calls; ++call) {
      const EffectiveMatrix matrix(planned->plan, input, *run);
      device.failAtCall(call);
      const auto found = picture(matrix);
      QVERIFY(found && sameNumbers(*found, *expected));
      QVERIFY2(matrix.fellBack().ends_with(
                   " are computed on the CPU since cuda:emulated failed: The GPU is lost."),
               matrix.fellBack().c_str());
      QCOMPARE(device.calls(), call);
      QVERIFY(picture(matrix));
      QCOMPARE(device.calls(), call);  // it is not asked again
      QCOMPARE(device.backend().info().memory, memory);
    }
  }

 private:
  static Result<Tensor> runOn(const FailingDevice& device, const FrozenPlan& plan,
                              const AttentionInput& input) {
    ATTN_ASSIGN(run, device.backend().run(plan, input, {}, {}));
    return run.out;
  }
  static Result<Tensor> picture(const EffectiveMatrix& matrix) {
    const std::vector<Index> rows{69, 0, 33};
    return matrix.sampledRows(0, rows, 1, 68, 9, WeightReduce::Mean);
  }
};

QTEST_APPLESS_MAIN(CudaFaultsTest)
#include "cuda_faults_test.moc"
