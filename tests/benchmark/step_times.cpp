// SPDX-License-Identifier: GPL-3.0-or-later
// Where a pass spends its time: planning and every step of some calls, each also against full attention, in
// rounds that take all calls in turn. Prints medians and minima; nothing is checked. With one thread, passes
// and planning are counted in that thread's processor time, so that other work on the machine disturbs
// little.
//
//   ninja step_times && bin/step_times full reformer sinkhorn --n 4096 --rounds 15 [--threads 1] [--heads 1]
//   ... --alone --passes 20: without full attention, several passes for each planning, for a profiler
//   bin/step_times --rectangles full reformer --n 65536   # any 512 x 512 rectangle of the effective matrix
#include <fmt/format.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "core/base/memory.h"
#include "core/inputs/input_document.h"
#include "core/mechanisms/mechanism.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/peak.h"
#include "kernels/effective.h"

using namespace attnscope;

namespace {

using Clock = std::chrono::steady_clock;
double millisecondsSince(Clock::time_point start) {
  return 1e3 * std::chrono::duration<double>(Clock::now() - start).count();
}

double threadMilliseconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

// Wall time, or with one thread that thread's.
class Stopwatch {
 public:
  explicit Stopwatch(int threads) : m_one(threads == 1) {}
  [[nodiscard]] double milliseconds() const {
    return m_one ? threadMilliseconds() - m_threadStart : millisecondsSince(m_start);
  }

 private:
  bool m_one;
  Clock::time_point m_start = Clock::now();
  double m_threadStart = threadMilliseconds();
};

struct Options {
  std::vector<std::string> specs;
  std::string recipe = "clustered";
  Index n = 4096;
  Index d = 64;
  Index heads = 1;
  int rounds = 11;
  int passes = 1;
  int threads = 1;
  bool causal = false;
  bool rectangles = false;
  bool alone = false;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int a = 1; a < argc; ++a) {
    const std::string word = argv[a];
    const auto number = [&] { return std::strtol(a + 1 < argc ? argv[++a] : "0", nullptr, 10); };
    if (word == "--n")
      options.n = number();
    else if (word == "--d")
      options.d = number();
    else if (word == "--heads")
      options.heads = number();
    else if (word == "--rounds")
      options.rounds = static_cast<int>(number());
    else if (word == "--passes")
      options.passes = static_cast<int>(number());
    else if (word == "--threads")
      options.threads = static_cast<int>(number());
    else if (word == "--recipe" && a + 1 < argc)
      options.recipe = argv[++a];
    else if (word == "--causal")
      options.causal = true;
    else if (word == "--alone")
      options.alone = true;
    else if (word == "--rectangles")
      options.rectangles = true;
    else
      options.specs.push_back(word);
  }
  return options;
}

template <class T>
T orDie(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "{}\n", result.error().message);
  std::exit(1);
}

// Times of one thing over the rounds.
struct Series {
  std::string title;
  std::vector<double> times;
  bool attends = false;

  [[nodiscard]] double median() const { return at(times.size() / 2); }
  [[nodiscard]] double least() const { return at(0); }

 private:
  [[nodiscard]] double at(std::size_t place) const {
    std::vector<double> sorted = times;
    std::sort(sorted.begin(), sorted.end());
    return sorted[place];
  }
};

struct Call {
  MechanismSpec spec;
  Index tiles = 0;
  Series planning{"planning", {}, false};
  Series pass{"pass", {}, false};
  std::vector<Series> steps;
};

MechanismSpec specOf(const Options& options, const std::string& text) {
  MechanismSpec spec = orDie(parseMechanismSpec(text));
  if (options.causal && !spec.options.causalGiven) spec.options.causal = spec.options.causalGiven = true;
  return spec;
}

void measure(Call& call, const AttentionInput& input, const Options& options) {
  const Stopwatch planning(options.threads);
  tbb::task_arena arena(options.threads > 0 ? options.threads : tbb::task_arena::automatic);
  const PlannedCall planned = arena.execute([&] { return orDie(planCall(call.spec, input)); });
  call.planning.times.push_back(planning.milliseconds());
  call.tiles = 0;
  for (Index h = 0; h < options.heads; ++h) call.tiles += planned.plan->executedTiles(h);
  RunOptions run;
  run.threads = options.threads;
  run.keepBuffers = false;
  RunResult result;
  for (int pass = 0; pass < options.passes; ++pass) {
    const Stopwatch passing(options.threads);
    result = orDie(cpuBackend().run(*planned.plan, input, run, {}));
    call.pass.times.push_back(passing.milliseconds());
  }
  call.steps.resize(result.steps.size());
  for (std::size_t s = 0; s < result.steps.size(); ++s) {
    call.steps[s].title = result.steps[s].title;
    call.steps[s].attends = result.steps[s].kind == "attend";
    call.steps[s].times.push_back(1e3 * result.steps[s].seconds);
  }
}

void printSteps(const std::vector<Call>& calls) {
  const Call& full = calls.front();
  // Of minima: on a machine with other work a median says more about that work.
  const auto perTile = [](const Call& call) { return call.pass.least() / static_cast<double>(call.tiles); };
  // By the clock, as steps are timed.
  const auto attendPerTile = [](const Call& call) {
    double sum = 0.0;
    for (const Series& step : call.steps)
      if (step.attends) sum += step.least();
    return sum / static_cast<double>(call.tiles);
  };
  for (const Call& call : calls) {
    fmt::print("{:40} pass {:8.3f} ms (least {:.3f})   planning {:8.3f} ms (least {:.3f})", call.spec.text(),
               call.pass.median(), call.pass.least(), call.planning.median(), call.planning.least());
    if (call.tiles > 0)
      fmt::print("   {} tiles, {:.2f} x full's, attend steps alone {:.2f} x", call.tiles,
                 perTile(call) / perTile(full), attendPerTile(call) / attendPerTile(full));
    fmt::print("\n");
    for (const Series& step : call.steps)
      fmt::print("    {:36} {:8.3f} ms (least {:.3f})\n", step.title, step.median(), step.least());
  }
}

int stepTimes(const Options& options) {
  const AttentionInput input = orDie(loadInput(
      fmt::format("{}:n={},d={},heads={}", options.recipe, options.n, options.d, options.heads), 0));
  std::vector<Call> calls;
  if (!options.alone) {
    calls.emplace_back();
    calls.back().spec = specOf(options, "full");
  }
  for (const std::string& text : options.specs) {
    if (text == "full" && !options.alone) continue;
    calls.emplace_back();
    calls.back().spec = specOf(options, text);
  }
  std::vector<double> peaks;
  for (int round = 0; round < options.rounds; ++round) {
    peaks.push_back(options.alone ? 0.0 : multiplyAddPeak(options.threads, 0.01));
    for (Call& call : calls) measure(call, input, options);
  }
  std::sort(peaks.begin(), peaks.end());
  fmt::print("n = {}, d = {}, {} heads, {} threads, {} rounds; ceiling {:.1f} GFLOP/s\n", options.n,
             options.d, options.heads, options.threads, options.rounds, 1e-9 * peaks[peaks.size() / 2]);
  printSteps(calls);
  return 0;
}

int rectangles(const Options& options) {
  const AttentionInput input = orDie(loadInput(
      fmt::format("{}:n={},d={},heads={}", options.recipe, options.n, options.d, options.heads), 0));
  const Index side = std::min<Index>(512, options.n);
  for (const std::string& text : options.specs) {
    const PlannedCall planned = orDie(planCall(specOf(options, text), input));
    const EffectiveMatrix matrix(planned.plan, input, orDie(cpuBackend().run(*planned.plan, input, {}, {})));
    // The diagonal, the corners, and a place off the diagonal.
    const Index far = options.n - side;
    for (const auto& [row, col] : {std::pair{far / 2, far / 2},
                                   {Index{0}, Index{0}},
                                   {far, Index{0}},
                                   {far, far},
                                   {far / 2, far / 3}}) {
      Series block{"", {}};
      for (int round = 0; round < options.rounds; ++round) {
        const auto start = Clock::now();
        const Tensor cells = orDie(matrix.block(0, row, side, col, side));
        block.times.push_back(millisecondsSince(start));
      }
      fmt::print("{:40} rows {:6} columns {:6}  {:8.2f} ms (least {:.2f})\n", text, row, col, block.median(),
                 block.least());
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  keepFreedMemory();
  const Options options = parse(argc, argv);
  return options.rectangles ? rectangles(options) : stepTimes(options);
}
