// SPDX-License-Identifier: GPL-3.0-or-later
// The check that a device has to pass before it is used unasked: it lets the emulated device and the CPU
// pass, and a device that gets one number wrong, leaves one unwritten, or fails, does not.
#include <QTest>
#include <functional>
#include <limits>

#include "kernels/backend_registry.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/self_check.h"
#include "kernels/shared/weight_source.h"

using namespace attnscope;

namespace {

// The CPU, with a fault.
class FaultyBackend final : public Backend {
 public:
  using Fault = std::function<Status(const FrozenPlan&, RunResult&)>;
  explicit FaultyBackend(Fault fault) : m_fault(std::move(fault)) {}

  DeviceInfo info() const override {
    DeviceInfo info = cpuBackend().info();
    if (idleTensorCores) info.precisions.push_back(Precision::Bf16);
    return info;
  }
  Status supports(const FrozenPlan& plan) const override { return cpuBackend().supports(plan); }
  double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const override {
    return cpuBackend().memoryNeeded(plan, options);
  }
  Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options,
                        const JobContext& job) const override {
    RunOptions own = options;
    own.precision = Precision::Fp32;
    ATTN_ASSIGN(result, cpuBackend().run(plan, input, own, job));
    ATTN_TRY(m_fault(plan, result));
    if (options.precision != Precision::Fp32) result.out = Tensor::zeros(DType::F32, result.out.shape());
    return result;
  }

  bool idleTensorCores = false;  // offers bf16 and writes nothing there

 private:
  Fault m_fault;
};

class WrongWeights final : public WeightSource {
 public:
  Result<Tensor> numbers(const WeightPicture& picture, const JobContext&) const override {
    Tensor all = Tensor::zeros(DType::F32, {std::ssize(picture.rows), std::ssize(picture.cols)});
    all.mutableValues<float>()[0] = 2.0F;
    return all;
  }
  std::string name() const override { return "wrong"; }
};

Status change(Tensor& tensor, std::size_t at, float by) {
  Tensor copy = Tensor::zeros(DType::F32, tensor.shape());
  const auto from = tensor.values<float>();
  const auto to = copy.mutableValues<float>();
  std::copy(from.begin(), from.end(), to.begin());
  to[at] += by;
  tensor = copy;
  return {};
}

}  // namespace

class SelfCheckTest : public QObject {
  Q_OBJECT

 private slots:
  void theCpuAgreesWithItself() {
    const Status status = selfCheck(cpuBackend());
    QVERIFY2(status, status ? "" : status.error().message.c_str());
  }

  void theEmulatedDevicePasses() {
    const cuda::CudaBackend device(cuda::emulation::makeEmulatedDevice());
    const Status status = selfCheck(device);
    QVERIFY2(status, status ? "" : status.error().message.c_str());
  }

  void oneWrongNumberIsFound() {
    const FaultyBackend device([](const FrozenPlan& plan, RunResult& result) {
      return plan.plan().mechanism == "set" ? change(result.out, 777, 0.05F) : Status{};
    });
    const Status status = selfCheck(device);
    QVERIFY(!status && status.error().kind == ErrorKind::Compute);
    QVERIFY2(status.error().message.starts_with("set: out[777] is "), status.error().message.c_str());
  }

  void aWrongMapIsFound() {
    const FaultyBackend device([](const FrozenPlan& plan, RunResult& result) -> Status {
      if (plan.plan().mechanism == "sparse") result.weights = std::make_shared<const WrongWeights>();
      return {};
    });
    const Status status = selfCheck(device);
    QVERIFY(!status && status.error().kind == ErrorKind::Compute);
    QVERIFY2(status.error().message.starts_with("sparse: map[0] is 2, and "), status.error().message.c_str());
  }

  void aNumberThatNobodyWroteIsFound() {
    const FaultyBackend device([](const FrozenPlan&, RunResult& result) {
      return change(result.lse, 3, std::numeric_limits<float>::quiet_NaN());
    });
    const Status status = selfCheck(device);
    QVERIFY(!status && status.error().message.find("lse[3] is nan") != std::string::npos);
  }

  void kernelsThatDoNothingAreFound() {
    FaultyBackend device([](const FrozenPlan&, RunResult&) { return Status{}; });
    QVERIFY(selfCheck(device));
    device.idleTensorCores = true;
    const Status status = selfCheck(device);
    QVERIFY(!status);
    QVERIFY2(status.error().message.starts_with("full in bf16: out["), status.error().message.c_str());
  }

  void whatTheDeviceSaysIsPassedOn() {
    const FaultyBackend device([](const FrozenPlan&, RunResult&) -> Status {
      return fail(ErrorKind::Compute, "The device was lost.");
    });
    const Status status = selfCheck(device);
    QVERIFY(!status && status.error().message == "The device was lost.");
  }

  void whatPassesIsUsedUnasked() {
    const cuda::CudaBackend good(cuda::emulation::makeEmulatedDevice());
    const FaultyBackend bad([](const FrozenPlan&, RunResult& result) { return change(result.out, 5, 1.0F); });
    QVERIFY(chooseDevice({}).backend == &cpuBackend());
    QVERIFY(chooseDevice({&good, &bad}).backend == &good);
    const AutoDevice second = chooseDevice({&bad, &good});
    QVERIFY(second.backend == &good && second.refused.find("out[5]") != std::string::npos);
    const AutoDevice none = chooseDevice({&bad});
    QVERIFY(none.backend == &cpuBackend() && none.refused.find("out[5]") != std::string::npos);
  }

  void cancelling() {
    JobContext job;
    job.cancel();
    const Status status = selfCheck(cpuBackend(), job);
    QVERIFY(!status && status.error().kind == ErrorKind::Cancelled);
  }
};

QTEST_GUILESS_MAIN(SelfCheckTest)
#include "self_check_test.moc"
