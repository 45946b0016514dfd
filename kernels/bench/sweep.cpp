// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/bench/sweep.h"

#include <fmt/format.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "core/analysis/cost.h"
#include "core/base/memory.h"
#include "core/base/units.h"
#include "core/inputs/input_document.h"
#include "core/mechanisms/mechanism.h"
#include "kernels/backend_registry.h"
#include "kernels/cpu/peak.h"

namespace attnscope {

namespace {

using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

// What is compared: the work of a device without its copies, by its own clock.
double passSeconds(const RunResult& run) {
  if (run.transferSeconds == 0.0) return run.seconds;
  double seconds = 0.0;
  for (const StepTiming& step : run.steps)
    if (step.kind != "transfer") seconds += step.seconds;
  return seconds;
}

// One curve at one length while it is measured.
struct Candidate {
  SweepPoint point;
  PlannedCall call;
  std::vector<double> seconds;
  std::vector<double> transfers;  // of what every pass copies
  double planTransfer = 0.0;      // of what only the first one does
  double spent = 0.0;
  bool done = false;
};

class Sweep {
 public:
  Sweep(const SweepRequest& request, const Backend& backend, const JobContext& job)
      : m_request(request), m_backend(backend), m_job(job), m_ended(request.specs.size()) {}

  // Measures all curves at one length; false if the job was cancelled.
  bool measureLength(const AttentionInput& input, std::vector<SweepPoint>& points,
                     const std::function<void(const SweepPoint&)>& onPoint) {
    std::vector<Candidate> candidates;
    for (std::size_t s = 0; s < m_request.specs.size(); ++s) {
      if (m_job.isCancelled()) return false;
      candidates.push_back(prepare(s, input));
    }
    m_peaks.clear();
    // Rounds over all curves, so that a slow minute of the machine hits all alike. The first round warms up.
    bool open = true;
    for (int round = 0; open; ++round) {
      open = false;
      if (m_onCpu && m_peaks.size() < 5) m_peaks.push_back(multiplyAddPeak(m_request.threads));
      for (Candidate& candidate : candidates) {
        if (candidate.done) continue;
        if (!measureOnce(candidate, input, round)) return false;
        open = open || !candidate.done;
      }
    }
    std::sort(m_peaks.begin(), m_peaks.end());
    for (Candidate& candidate : candidates) {
      summarise(candidate);
      if (candidate.point.skipped.empty() && candidate.point.peakFlops == 0.0 && !m_peaks.empty())
        candidate.point.peakFlops = quantile(m_peaks, 0.5);
      points.push_back(candidate.point);
      onPoint(candidate.point);
    }
    return true;
  }

 private:
  Candidate prepare(std::size_t s, const AttentionInput& input) {
    Candidate candidate;
    candidate.point.spec = s;
    candidate.point.n = input.shape().nK;
    candidate.done = true;
    const auto known =
        std::find_if(m_request.known.begin(), m_request.known.end(), [&](const SweepPoint& point) {
          return point.spec == s && point.n == candidate.point.n && point.median > 0.0;
        });
    if (known != m_request.known.end()) {
      candidate.point = *known;
      return candidate;
    }
    if (!m_ended[s].empty()) {
      candidate.point.skipped = m_ended[s];
      return candidate;
    }
    MechanismSpec spec = m_request.specs[s];
    if (m_request.causal && !spec.options.causalGiven) spec.options.causal = spec.options.causalGiven = true;
    auto call = planRepeatedly(spec, input, candidate.point.planSeconds);
    if (!call) {
      candidate.point.skipped = call.error().message;
      return candidate;
    }
    const Cost cost = planCost(*call->plan);
    candidate.point.pairs = cost.pairs;
    candidate.point.flops = cost.flops;
    candidate.point.bytes = cost.peakBytes;
    candidate.point.cellDensity = cost.cellDensity;
    candidate.point.tileDensity = cost.tileDensity;
    if (auto fits = requireMemory(m_backend.memoryNeeded(*call->plan, {}), spec.text()); !fits) {
      candidate.point.skipped = "out of memory foretold: " + fits.error().message;
      m_ended[s] = candidate.point.skipped;
      return candidate;
    }
    candidate.call = std::move(*call);
    candidate.done = false;
    return candidate;
  }

  // Plans on as many threads as passes run on: once, and where that was quick twice more, since the first
  // time also touches fresh memory. `seconds` is the median.
  Result<PlannedCall> planRepeatedly(const MechanismSpec& spec, const AttentionInput& input,
                                     double& seconds) {
    constexpr double kQuick = 0.1;
    tbb::task_arena arena(m_request.threads > 0 ? m_request.threads : tbb::task_arena::automatic);
    std::vector<double> times;
    while (true) {
      const auto start = Clock::now();
      auto call = arena.execute([&] { return planCall(spec, input, {}, m_job); });
      times.push_back(secondsSince(start));
      if (call && times.size() < 3 && times.front() < kQuick && !m_job.isCancelled()) continue;
      std::sort(times.begin(), times.end());
      seconds = quantile(times, 0.5);
      return call;
    }
  }

  bool measureOnce(Candidate& candidate, const AttentionInput& input, int round) {
    RunOptions options;
    options.threads = m_request.threads;
    options.precision = m_request.precision;
    options.keepBuffers = false;
    const std::uint64_t before = round == 0 ? restartPeakMemory() : 0;
    auto run = m_backend.run(*candidate.call.plan, input, options, m_job.quiet());
    if (before > 0) candidate.point.peakBytes = static_cast<double>(peakResidentMemory() - before);
    if (m_job.isCancelled()) return false;
    if (!run) {
      candidate.point.skipped = run.error().message;
      candidate.done = true;
      return true;
    }
    if (!run->fellBack.empty()) {  // a time of another device is none of this curve
      candidate.point.skipped = run->fellBack;
      candidate.done = true;
      return true;
    }
    candidate.planTransfer = std::max(candidate.planTransfer, run->planTransferSeconds);
    candidate.spent += run->seconds;
    const bool slow = run->seconds > m_request.secondsPerPoint;
    if (round > 0 || slow) {
      candidate.seconds.push_back(passSeconds(*run));
      candidate.transfers.push_back(run->transferSeconds - run->planTransferSeconds);
    }
    const auto repeats = static_cast<int>(candidate.seconds.size());
    candidate.done = slow || repeats >= m_request.maxRepeats ||
                     (repeats >= m_request.minRepeats &&
                      (candidate.spent > m_request.secondsPerPoint || isTight(candidate.seconds)));
    if (slow)
      m_ended[candidate.point.spec] =
          fmt::format("not measured: {} at n = {} was over the limit of {} a point",
                      durationText(run->seconds), candidate.point.n, durationText(m_request.secondsPerPoint));
    return true;
  }

  [[nodiscard]] bool isTight(std::vector<double> seconds) const {
    std::sort(seconds.begin(), seconds.end());
    return quantile(seconds, 0.75) - quantile(seconds, 0.25) < m_request.tight * quantile(seconds, 0.5);
  }

  static void summarise(Candidate& candidate) {
    if (candidate.seconds.empty()) return;
    std::sort(candidate.seconds.begin(), candidate.seconds.end());
    candidate.point.median = quantile(candidate.seconds, 0.5);
    candidate.point.low = quantile(candidate.seconds, 0.25);
    candidate.point.high = quantile(candidate.seconds, 0.75);
    std::sort(candidate.transfers.begin(), candidate.transfers.end());
    candidate.point.transferSeconds = quantile(candidate.transfers, 0.5) + candidate.planTransfer;
    candidate.point.repeats = static_cast<int>(candidate.seconds.size());
  }

  const SweepRequest& m_request;
  const Backend& m_backend;
  bool m_onCpu = m_backend.info().id == "cpu";  // the ceiling that is measured is the CPU's
  const JobContext& m_job;
  std::vector<std::string> m_ended;
  std::vector<double> m_peaks;  // of the length at hand
};

}  // namespace

double ceilingShare(const SweepPoint& point) {
  return point.median > 0.0 && point.peakFlops > 0.0 ? point.flops / point.median / point.peakFlops : 0.0;
}

Result<std::vector<SweepPoint>> runSweep(const SweepRequest& request,
                                         const std::function<void(const SweepPoint&)>& onPoint,
                                         const JobContext& job) {
  ATTN_ASSIGN(backend, findBackend(request.device));
  ATTN_TRY(requirePrecision(backend->info(), request.precision));
  if (request.specs.empty() || request.lengths.empty())
    return fail(ErrorKind::Usage, "A measurement needs at least one mechanism and one length.");
  std::vector<SweepPoint> points;
  Sweep sweep(request, *backend, job);
  job.beginPhase(static_cast<double>(request.lengths.size()));
  for (const Index n : request.lengths) {
    const auto input =
        loadInput(fmt::format("{}:n={},d={},heads={}", request.recipe, n, request.d, request.heads), 0, job);
    if (job.isCancelled()) break;
    if (!input) return tl::unexpected<Error>(input.error());
    if (!sweep.measureLength(*input, points, onPoint) || !job.advance()) break;
  }
  return points;
}

}  // namespace attnscope
