// SPDX-License-Identifier: GPL-3.0-or-later
// What the emulation of CUDA blocks finds: kernels with one mistake each. If a mistake went unnoticed here,
// the tests of the real kernels would prove less than they seem to.
#include <QTest>
#include <cmath>
#include <vector>

#include "kernels/cuda/emulation/emulated_device.h"
#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/kernels/async_copy.cuh"
#include "kernels/cuda/kernels/tensor_core.cuh"

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

// Each thread fetches its number, waits or does not, and hands it on.
void fetch(const std::vector<float>& in, std::vector<float>& out, bool wait) {
  ATTN_SHARED(Exchange, shared);
  const unsigned thread = threadIdx.x;
  copyOne(shared.values + thread, in.data() + thread);
  if (wait) waitForCopies();
  __syncthreads();
  out[thread] = shared.values[(thread + 1) % kThreads];
  waitForCopies();
}

// The product of 16 x K and K x 8 by one warp, in the fragments of the kernels.
template <class Format>
std::vector<float> productOfAWarp(const std::vector<float>& left, const std::vector<float>& right,
                                  std::string& problem) {
  std::vector<float> out(16 * 8);
  Emulator emulator;
  problem = emulator.run({1, 1, 1}, ThreadOrder::Scattered, [&] {
    float c[4] = {1.0F, 1.0F, 1.0F, 1.0F};
    Format::multiplyAdd(c, Format::left(left.data(), Format::kDepth), Format::right(right.data(), 8, 1));
    if (threadIdx.x >= 32) return;
    const int row = static_cast<int>(threadIdx.x) / 4;
    const int col = static_cast<int>(threadIdx.x) % 4 * 2;
    for (int i = 0; i < 4; ++i) out[static_cast<std::size_t>((row + i / 2 * 8) * 8 + col + i % 2)] = c[i];
  });
  return out;
}

// Small whole numbers are exact in every format.
template <class Format>
QString compareProduct() {
  std::vector<float> left(16 * Format::kDepth);
  std::vector<float> right(Format::kDepth * 8);
  for (std::size_t i = 0; i < left.size(); ++i)
    left[i] = static_cast<float>(static_cast<int>(i * 37 % 61) - 30);
  for (std::size_t i = 0; i < right.size(); ++i)
    right[i] = static_cast<float>(static_cast<int>(i * 53 % 59) - 29);
  std::string problem;
  const auto out = productOfAWarp<Format>(left, right, problem);
  if (!problem.empty()) return QString::fromStdString(problem);
  for (std::size_t row = 0; row < 16; ++row)
    for (std::size_t col = 0; col < 8; ++col) {
      float sum = 1.0F;
      for (std::size_t k = 0; k < Format::kDepth; ++k)
        sum += left[row * Format::kDepth + k] * right[k * 8 + col];
      if (out[row * 8 + col] != sum)
        return QString("(%1, %2) is %3").arg(row).arg(col).arg(out[row * 8 + col]);
    }
  return {};
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

  void copiesArriveWhenTheyAreWaitedFor() {
    std::vector<float> in(kThreads);
    for (std::size_t t = 0; t < in.size(); ++t) in[t] = static_cast<float>(t);
    std::vector<float> out(kThreads);
    QCOMPARE(runKernel([&] { fetch(in, out, true); }), std::string());
    for (std::size_t t = 0; t < out.size(); ++t) QCOMPARE(out[t], static_cast<float>((t + 1) % kThreads));
    QCOMPARE(runKernel([&] { fetch(in, out, false); }), std::string());
    for (std::size_t t = 0; t + 1 < out.size(); ++t) QVERIFY(std::isnan(out[t]));
  }

  void copiesThatAreWrong() {
    std::vector<float> in(kThreads + 4);
    const std::string forgotten = runKernel([&] {
      ATTN_SHARED(Exchange, shared);
      copyOne(shared.values + threadIdx.x, in.data());
    });
    QVERIFY2(contains(forgotten, "without waiting"), forgotten.c_str());
    const std::string misaligned = runKernel([&] {
      ATTN_SHARED(Exchange, shared);
      if (threadIdx.x == 0) copyFour(shared.values + 2, in.data());
      waitForCopies();
    });
    QVERIFY2(contains(misaligned, "no multiple"), misaligned.c_str());
  }

  void productsOfAWarp() {
    QCOMPARE(compareProduct<Tf32>(), QString());
    QCOMPARE(compareProduct<Bf16>(), QString());
  }

  void productsThatAreWrong() {
    const std::string unrounded = runKernel([] {
      float c[4] = {};
      LeftFragment a{};
      a.a[1] = 0x3f800001;
      mmaTf32(c, a, RightFragment{});
    });
    QVERIFY2(contains(unrounded, "not rounded to TF32"), unrounded.c_str());
    const std::string partOfAWarp = runKernel([] {
      float c[4] = {};
      if (threadIdx.x % 32 < 31) mmaBf16(c, LeftFragment{}, RightFragment{});
    });
    QVERIFY2(contains(partOfAWarp, "wait for each other"), partOfAWarp.c_str());
  }

  void roundingToFormats() {
    const auto tf32 = [](std::uint32_t bits) { return roundToTf32(std::bit_cast<float>(bits)); };
    QCOMPARE(tf32(0x3f800fff), 0x3f800000U);
    QCOMPARE(tf32(0x3f801000), 0x3f802000U);  // a tie, away from zero
    QCOMPARE(tf32(0xbf801000), 0xbf802000U);
    QCOMPARE(tf32(0x3f803000), 0x3f804000U);
    const auto bf16 = [](std::uint32_t bits) { return roundToBf16(std::bit_cast<float>(bits), 0.0F); };
    QCOMPARE(bf16(0x3f808000), 0x3f80U);  // ties, to even
    QCOMPARE(bf16(0x3f818000), 0x3f82U);
    QCOMPARE(bf16(0x3f808001), 0x3f81U);
    QCOMPARE(roundToBf16(0.0F, 1.0F), 0x3f800000U);  // the second stands above
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
