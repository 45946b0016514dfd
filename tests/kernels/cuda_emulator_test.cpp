// SPDX-License-Identifier: GPL-3.0-or-later
// What the emulation of CUDA blocks finds: kernels with one mistake each. If a mistake went unnoticed here,
// the tests of the real kernels would prove less than they seem to.
#include <QTest>
#include <cmath>
#include <vector>

#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/kernels/portable.cuh"

using namespace attnscope;
using namespace attnscope::cuda;
using attnscope::cuda::emulation::Emulator;
using attnscope::cuda::emulation::ThreadOrder;

namespace {

struct Exchange {
  float values[kThreads];
};

// Each thread passes its number to the next one through shared memory.
void passOn(std::vector<float>& out, bool barrier) {
  ATTN_SHARED(Exchange, shared);
  const unsigned thread = threadIdx.x;
  shared.values[thread] = static_cast<float>(thread);
  if (barrier) __syncthreads();
  out[thread] = shared.values[(thread + 1) % kThreads];
}

std::string runKernel(const std::function<void()>& kernel, ThreadOrder order = ThreadOrder::Forward) {
  Emulator emulator;
  return emulator.run({1, 1, 1}, order, kernel);
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

class CudaEmulatorTest : public QObject {
  Q_OBJECT

 private slots:
  void barriersOrderSharedMemory() {
    for (const ThreadOrder order : {ThreadOrder::Forward, ThreadOrder::Backward, ThreadOrder::Scattered}) {
      std::vector<float> out(kThreads);
      QCOMPARE(runKernel([&] { passOn(out, true); }, order), std::string());
      for (std::size_t t = 0; t < out.size(); ++t) QCOMPARE(out[t], static_cast<float>((t + 1) % kThreads));
    }
  }

  void aMissingBarrierReadsNothing() {
    std::vector<float> out(kThreads);
    QCOMPARE(runKernel([&] { passOn(out, false); }), std::string());
    QVERIFY(std::isnan(out[0]));
  }

  void divergentBarriers() {
    const std::string half = runKernel([] {
      if (threadIdx.x < 128) __syncthreads();
    });
    QVERIFY2(contains(half, "wait for each other"), half.c_str());
    const std::string twoPlaces = runKernel([] {
      if (threadIdx.x < 128)
        __syncthreads();
      else
        __syncthreads();
    });
    QVERIFY2(contains(twoPlaces, "wait for each other"), twoPlaces.c_str());
  }

  void exchanges() {
    std::vector<float> out(kThreads);
    QCOMPARE(runKernel([&] { out[threadIdx.x] = warpMaximum(static_cast<float>(threadIdx.x)); }),
             std::string());
    for (std::size_t t = 0; t < out.size(); ++t) QCOMPARE(out[t], static_cast<float>(t / 32 * 32 + 31));
  }

  void wrongMasks() {
    const std::string leftOut = runKernel([] { (void)__shfl_xor_sync(0x0000ffffU, 1.0F, 1); });
    QVERIFY2(contains(leftOut, "leaves it out"), leftOut.c_str());
    const std::string absent = runKernel([] {
      if (threadIdx.x % 32 < 16) (void)__shfl_xor_sync(0xffffffffU, 1.0F, 1);
    });
    QVERIFY2(contains(absent, "wait for each other"), absent.c_str());
    const std::string outside = runKernel([] {
      if (threadIdx.x % 32 < 16) (void)__shfl_xor_sync(0x0000ffffU, 1.0F, 16);
    });
    QVERIFY2(contains(outside, "takes no part"), outside.c_str());
  }

  void sharedMemoryIsGuarded() {
    const std::string problem = runKernel([] {
      ATTN_SHARED(Exchange, shared);
      volatile float* values = shared.values;
      values[kThreads + threadIdx.x % 2] = 1.0F;
    });
    QVERIFY2(contains(problem, "beyond its shared memory"), problem.c_str());
  }

  // A block does not see what the one before left.
  void sharedMemoryIsFresh() {
    Emulator emulator;
    bool fresh = true;
    const std::string problem = emulator.run({3, 1, 1}, ThreadOrder::Forward, [&] {
      ATTN_SHARED(Exchange, shared);
      fresh = fresh && std::isnan(shared.values[threadIdx.x]);
      shared.values[threadIdx.x] = 1.0F;
    });
    QCOMPARE(problem, std::string());
    QVERIFY(fresh);
  }

  void worksAfterAMistake() {
    Emulator emulator;
    QVERIFY(!emulator
                 .run({1, 1, 1}, ThreadOrder::Forward,
                      [] {
                        if (threadIdx.x == 0) __syncthreads();
                      })
                 .empty());
    std::vector<float> out(kThreads);
    QCOMPARE(emulator.run({1, 1, 1}, ThreadOrder::Forward, [&] { passOn(out, true); }), std::string());
    QCOMPARE(out[3], 4.0F);
  }

  void deviceMemoryIsPoisonedAndGuarded() {
    const auto device = emulation::makeEmulatedDevice();
    const auto memory = DeviceMemory::make(*device, 40);
    QVERIFY(memory);
    for (int i = 0; i < 10; ++i) QVERIFY(std::isnan(memory->as<float>()[i]));
    QVERIFY(device->launch(FillArgs{memory->as<std::uint32_t>(), 10, 0}, {1, 1, 1}));
    QCOMPARE(memory->as<float>()[9], 0.0F);
    const auto tooFar = device->launch(FillArgs{memory->as<std::uint32_t>(), 11, 0}, {1, 1, 1});
    QVERIFY(!tooFar);
    QVERIFY(contains(tooFar.error().message, "outside a buffer"));
  }
};

QTEST_APPLESS_MAIN(CudaEmulatorTest)
#include "cuda_emulator_test.moc"
