// SPDX-License-Identifier: GPL-3.0-or-later
// A device that fails in the middle of a run, at every call that the host side makes of it: the run ends with
// what the device said, gives back its memory, and the next one is whole.
#include <QTest>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "tests/support/call_rows.h"
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
    const auto whole = device.backend().run(*planned->plan, input, {}, {});
    QVERIFY2(whole, whole ? "" : whole.error().message.c_str());
    device.failAtCall(0);
    QVERIFY(device.backend().run(*planned->plan, input, {}, {}));
    const int calls = device.calls();
    QVERIFY(calls > 10);
    for (int call = 1; call <= calls; ++call) {
      device.failAtCall(call);
      const auto failed = device.backend().run(*planned->plan, input, {}, {});
      QVERIFY2(!failed, qPrintable(QString("call %1 of %2 was not missed").arg(call).arg(calls)));
      QCOMPARE(failed.error().message, std::string("The GPU is lost."));
      QCOMPARE(device.backend().info().memory, memory);
    }
    const auto again = device.backend().run(*planned->plan, input, {}, {});
    QVERIFY(again && sameNumbers(again->out, whole->out));
  }
};

QTEST_APPLESS_MAIN(CudaFaultsTest)
#include "cuda_faults_test.moc"
