// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/peak.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set
// After foreach_target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attnscope::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Ten independent chains hide the latency of a multiply-add; the result is handed out so that none of it can
// be left away.
double MultiplyAdds(long rounds, float* result) {
  const hn::ScalableTag<float> tag;
  const auto factor = hn::Set(tag, 0.999999F);
  const auto step = hn::Set(tag, 1e-6F);
  hn::Vec<hn::ScalableTag<float>> chains[10];
  for (int c = 0; c < 10; ++c) chains[c] = hn::Set(tag, 1.0F + static_cast<float>(c));
  for (long r = 0; r < rounds; ++r) {
#pragma GCC unroll 10
    for (int c = 0; c < 10; ++c) chains[c] = hn::MulAdd(chains[c], factor, step);
  }
  auto sum = chains[0];
  for (int c = 1; c < 10; ++c) sum = hn::Add(sum, chains[c]);
  *result = hn::GetLane(hn::SumOfLanes(tag, sum));
  return 2.0 * 10.0 * static_cast<double>(hn::Lanes(tag)) * static_cast<double>(rounds);
}

}  // namespace attnscope::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <ctime>

namespace attnscope {

namespace {

HWY_EXPORT(MultiplyAdds);

// Processor time of the calling thread: on a busy machine the ceiling is still that of the processor, so that
// a share of it is never flattered.
double threadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

double multiplyAddPeak(int threads, double seconds) {
  constexpr long kRounds = 20000;
  const int used = threads > 0 ? threads : tbb::info::default_concurrency();
  tbb::task_arena arena(used);
  std::atomic<double> total{0.0};
  arena.execute([&] {
    tbb::parallel_for(
        0, used,
        [&](int) {
          // Every thread counts what it did in its own time: a thread that the system starts late takes
          // nothing away.
          volatile float sink = 0.0F;
          float result = 0.0F;
          double done = 0.0;
          const double start = threadSeconds();
          double spent = 0.0;
          do {
            done += HWY_DYNAMIC_DISPATCH(MultiplyAdds)(kRounds, &result);
            sink = result;
            spent = threadSeconds() - start;
          } while (spent < seconds);
          (void)sink;
          total.fetch_add(done / spent);
        },
        tbb::static_partitioner());
  });
  return total;
}

}  // namespace attnscope

#endif
