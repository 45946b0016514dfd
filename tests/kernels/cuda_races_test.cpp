// SPDX-License-Identifier: GPL-3.0-or-later
// Races between the threads of a block, found by ThreadSanitizer, to which every thread is a fibre that only
// barriers order: also those that give the right values in each order of the fibres, which no comparison
// finds.
#include <sys/syscall.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <QTest>

#include "kernels/cuda/emulation/emulator.h"
#include "kernels/cuda/kernels/async_copy.cuh"
#include "kernels/effective.h"
#include "tests/support/call_rows.h"
#include "tests/support/step_case.h"

using namespace attnscope;
using attnscope::cuda::kThreads;
using attnscope::cuda::emulation::Emulator;
using attnscope::cuda::emulation::makeEmulatedDevice;
using attnscope::cuda::emulation::ThreadOrder;
using attnscope::testing::addCalls;
using attnscope::testing::Call;
using attnscope::testing::Case;

namespace {

int races = 0;

}  // namespace

// Called by the sanitizer for each report, which it has printed; the tests count. A kernel without a barrier
// can make thousands, and finding the lines of each takes time, so some end the program, past all that waits
// for the report.
extern "C" void __tsan_on_report(void*) {
  constexpr int kEnough = 12;
  if (++races > kEnough) syscall(SYS_exit_group, 1);
}
extern "C" const char* __tsan_default_options() {
  // A race may be at an address where there was one before; locks with a time limit are unknown to the
  // sanitizer.
  return "exitcode=0:suppress_equal_addresses=0:report_mutex_bugs=0";
}
// Libraries that are not instrumented.
extern "C" const char* __tsan_default_suppressions() {
  return "race:libQt6Core\nrace:libtbb\nrace:attnscope::embed\n";
}

namespace {

struct Sums {
  float values[kThreads];
  int count;
};

int racesIn(const std::function<void()>& kernel) {
  const int before = races;
  Emulator emulator;
  const std::string problem = emulator.run({2, 1, 1}, ThreadOrder::Forward, kernel);
  if (!problem.empty()) qFatal("%s", problem.c_str());
  return races - before;
}

}  // namespace

class CudaRacesTest : public QObject {
  Q_OBJECT

 private slots:
  void initTestCase() {
#ifndef ATTNSCOPE_FIBRES_UNDER_TSAN
    QSKIP("this build has another sanitizer");
#endif
  }

  // If these went unnoticed, the rest would prove nothing. Each gives the values that are meant.
  void racesThatGiveRightValues() {
    std::vector<float> out(kThreads);
    // Threads run in order, so that the last one finds all numbers.
    const auto lastReads = [&](bool barrier) {
      ATTN_SHARED(Sums, shared);
      shared.values[threadIdx.x] = 1.0F;
      if (barrier) __syncthreads();
      if (threadIdx.x == kThreads - 1)
        for (const float value : shared.values) out[0] += value;
    };
    QCOMPARE(racesIn([&] { lastReads(true); }), 0);
    QVERIFY(racesIn([&] { lastReads(false); }) > 0);
    QCOMPARE(out[0], 4.0F * kThreads);
    // A sum without an atomic.
    QVERIFY(racesIn([&] {
              ATTN_SHARED(Sums, shared);
              if (threadIdx.x == 0) shared.count = 0;
              __syncthreads();
              ++shared.count;
            }) > 0);
    // A place that is written again while others may still read it.
    QVERIFY(racesIn([&] {
              ATTN_SHARED(Sums, shared);
              for (int round = 0; round < 2; ++round) {
                shared.values[threadIdx.x] = static_cast<float>(round);
                __syncthreads();
                out[threadIdx.x] = shared.values[(threadIdx.x + 1) % kThreads];
              }
            }) > 0);
    // An exchange is no barrier.
    QVERIFY(racesIn([&] {
              ATTN_SHARED(Sums, shared);
              shared.values[threadIdx.x] = 1.0F;
              (void)__shfl_xor_sync(cuda::kAllLanes, 1.0F, 1);
              out[threadIdx.x] = shared.values[threadIdx.x ^ 1U];
            }) > 0);
    // A copy that has arrived, for its own thread alone.
    const float one = 1.0F;
    const auto copied = [&](bool barrier) {
      ATTN_SHARED(Sums, shared);
      cuda::copyOne(shared.values + threadIdx.x, &one);
      cuda::waitForCopies();
      if (barrier) __syncthreads();
      if (threadIdx.x > 0) out[threadIdx.x] = shared.values[threadIdx.x - 1];
    };
    QCOMPARE(racesIn([&] { copied(true); }), 0);
    QVERIFY(racesIn([&] { copied(false); }) > 0);
  }

  void mechanisms_data() {
    QTest::addColumn<QString>("spec");
    QTest::addColumn<QString>("source");
    addCalls({"clustered:n=65,d=18,dv=66,heads=2,kv_heads=1"}, false);
  }
  void mechanisms() {
    QFETCH(QString, spec);
    QFETCH(QString, source);
    const tbb::global_control alone(tbb::global_control::max_allowed_parallelism, 1);
    const AttentionInput input = attnscope::testing::inputOf(source.toStdString());
    const auto planned = planCall(*parseMechanismSpec(spec.toStdString()), input);
    QVERIFY2(planned, planned ? "" : planned.error().message.c_str());
    std::vector<Precision> precisions{Precision::Fp32};
    if (planned->spec.id == "full") precisions.insert(precisions.end(), {Precision::Tf32, Precision::Bf16});
    races = 0;
    for (const Precision precision : precisions) {
      RunOptions options;
      options.precision = precision;
      const cuda::CudaBackend backend(makeEmulatedDevice());
      const auto run = backend.run(*planned->plan, input, options, {});
      QVERIFY2(run, run ? "" : run.error().message.c_str());
      QCOMPARE(races, 0);
      if (!run->weights) continue;
      // One number, several on one axis, several on both; single cells.
      const EffectiveMatrix matrix(planned->plan, input, *run);
      for (const auto& [down, across] : {std::pair{7, 7}, std::pair{7, 2}, std::pair{3, 7}, std::pair{0, 0}})
        for (const auto reduce : {WeightReduce::Max, WeightReduce::Mean})
          QVERIFY(matrix.tile(1, 0, 65, down, 0, 65, across, reduce));
      QVERIFY2(matrix.fellBack().empty(), matrix.fellBack().c_str());
      QCOMPARE(races, 0);
    }
  }

  // Without products of queries and keys the attend kernel has other barriers.
  void attendWithoutProducts() {
    const tbb::global_control alone(tbb::global_control::max_allowed_parallelism, 1);
    Case made(1, 130, 200, 8, 5);
    AttendStep step;
    step.out = made.plan.addBuffer("out", 130, 5);
    step.lse = made.plan.addBuffer("lse", 130, 1);
    made.plan.out = step.out;
    step.heads.push_back({nullptr, nullptr, makePattern(130, 200, [](Index row, RunList& runs) {
                            runs.push_back({0, 1 + row, 1, 0, 1});
                          })});
    made.plan.steps.emplace_back(step);
    const auto frozen = FrozenPlan::freeze(made.plan);
    QVERIFY(frozen);
    races = 0;
    for (const Precision precision : {Precision::Fp32, Precision::Tf32, Precision::Bf16}) {
      RunOptions options;
      options.precision = precision;
      options.zeroLogits = true;
      const cuda::CudaBackend backend(makeEmulatedDevice());
      const auto run = backend.run(**frozen, made.input, options, {});
      QVERIFY2(run, run ? "" : run.error().message.c_str());
      QCOMPARE(races, 0);
    }
  }
};

QTEST_APPLESS_MAIN(CudaRacesTest)
#include "cuda_races_test.moc"
