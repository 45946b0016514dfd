// SPDX-License-Identifier: GPL-3.0-or-later
// What a device that nobody named fails at is computed by the one behind it, and said.
#include <QTest>

#include "core/inputs/input_document.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/effective.h"
#include "kernels/explore.h"
#include "kernels/fallback_backend.h"
#include "tests/support/same_numbers.h"
#include "tests/support/stand_in_device.h"

using namespace attnscope;
using attnscope::testing::sameNumbers;
using attnscope::testing::StandInDevice;

namespace {

AttentionInput smallInput() {
  return *loadInput("clustered:n=100,d=16,heads=2", 0, {});
}

MechanismSpec longformer() {
  MechanismSpec spec;
  spec.id = "longformer";
  return spec;
}

}  // namespace

class FallbackTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void whatWorksStaysWhereItIs() {
    const StandInDevice device;
    const auto found = explore(longformer(), smallInput(), FallbackBackend(device, cpuBackend()));
    QVERIFY(found);
    QVERIFY((*found)->fellBack.empty());
    QCOMPARE((*found)->device, std::string("Stand-in GPU, fp32"));
  }

  void aLostDevice() {
    StandInDevice device;
    device.fails = true;
    const auto found = explore(longformer(), smallInput(), FallbackBackend(device, cpuBackend()));
    const auto expected = explore(longformer(), smallInput(), cpuBackend());
    QVERIFY(found && expected);
    QVERIFY(sameNumbers((*found)->out, (*expected)->out));
    QCOMPARE((*found)->device, (*expected)->device);
    QCOMPARE((*found)->fellBack,
             cpuBackend().info().name + " computed it since cuda:0 failed: The device was lost.");
  }

  // The slabs of a matrix are passes too: what falls back there is said, and progress goes on over all of
  // them.
  void aDeviceLostWhileTheMatrixIsMade() {
    StandInDevice device;
    device.fails = true;
    const AttentionInput input = smallInput();
    const auto call = planCall(longformer(), input);
    QVERIFY(call);
    std::vector<double> fractions;
    const JobContext job([&](double fraction) { fractions.push_back(fraction); });
    std::string fellBack;
    const auto matrix =
        executedMatrix(FallbackBackend(device, cpuBackend()), *call->plan, input, {}, job, &fellBack);
    QVERIFY(matrix && sameNumbers(*matrix, *executedMatrix(cpuBackend(), *call->plan, input, {})));
    QVERIFY(fellBack.ends_with("computed it since cuda:0 failed: The device was lost."));
    QVERIFY(fractions.size() >= 7 && std::abs(fractions.back() - 1.0) < 1e-9);  // 100 columns, 16 at once
  }

  void aPlanThatItCannotDo() {
    StandInDevice device;
    device.refuses = true;
    const auto found = explore(longformer(), smallInput(), FallbackBackend(device, cpuBackend()));
    QVERIFY(found && (*found)->fellBack.find("Too many heads.") != std::string::npos);
    QCOMPARE(device.runs.load(), 0);
  }

  void aPrecisionThatTheOtherLacks() {
    StandInDevice device;
    device.fails = true;
    RunOptions options;
    options.precision = Precision::Tf32;
    const auto found = explore(longformer(), smallInput(), FallbackBackend(device, cpuBackend()), options);
    QVERIFY(found && (*found)->fellBack.find("computed it in fp32 since") != std::string::npos);
  }

  void tooLittleMemoryOnTheDevice() {
    cuda::emulation::EmulationOptions options;
    options.memory = 4096;
    const cuda::CudaBackend device(cuda::emulation::makeEmulatedDevice(options));
    QVERIFY(!explore(longformer(), smallInput(), device));
    const auto found = explore(longformer(), smallInput(), FallbackBackend(device, cpuBackend()));
    QVERIFY2(found, found ? "" : found.error().message.c_str());
    QVERIFY2((*found)->fellBack.find("GiB are free") != std::string::npos, (*found)->fellBack.c_str());
  }

  void cancellingIsNoFailure() {
    const StandInDevice device;
    JobContext job;
    const auto planned = explorePattern(longformer(), smallInput(), {}, {});
    QVERIFY(planned);
    job.cancel();
    const auto found = runPass(*planned, FallbackBackend(device, cpuBackend()), {}, {}, job);
    QVERIFY(!found);
    QCOMPARE(found.error().kind, ErrorKind::Cancelled);
  }
};

QTEST_GUILESS_MAIN(FallbackTest)
#include "fallback_test.moc"
