// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kernels/cuda/host/device_run.h"
#include "kernels/cuda/host/steps.h"
#include "kernels/shared/initial_buffers.h"
#include "kernels/shared/run_checks.h"

namespace attnscope::cuda {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double gibibytes(double bytes) {
  return bytes / 1073741824.0;
}

// A grid's second and third axes: heads, and tiles of 64 rows.
constexpr Index kMostBlocks = 65535;
constexpr Index kMostRows = kMostBlocks * kSide;

// In a probe the slots' values are the identity, whatever made them.
Status replaceIfProbed(DeviceRun& run, BufferId made) {
  const auto& identity = run.options().identity;
  if (!identity || !identity->withSlots || made != run.plan().slotValues || made == kNoBuffer) return {};
  return run.set(made, slotIdentity(run.plan(), *identity));
}

BufferId outputOf(const Step& step) {
  return std::visit([](const auto& s) { return s.out; }, step);
}

// Only these steps make values of slots that a probe replaces.
bool makesSlotValues(const Step& step) {
  return std::holds_alternative<AttendStep>(step) || std::holds_alternative<ProjectStep>(step) ||
         std::holds_alternative<ConvolveStep>(step) || std::holds_alternative<GatherStep>(step);
}

bool hasAttendStep(const Plan& plan) {
  return std::any_of(plan.steps.begin(), plan.steps.end(),
                     [](const Step& step) { return std::holds_alternative<AttendStep>(step); });
}

Status runSteps(DeviceRun& run, std::vector<StepTiming>& timings) {
  const auto& steps = run.plan().steps;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const double copying = run.secondsTo() + run.secondsFrom();
    ATTN_TRY(run.device().mark(Moment::StepBegins));
    ATTN_TRY(std::visit([&](const auto& step) { return runStep(step, s, run); }, steps[s]));
    ATTN_TRY(run.device().mark(Moment::StepEnds));
    ATTN_TRY(run.finish());
    ATTN_ASSIGN(seconds, run.device().elapsed(Moment::StepBegins, Moment::StepEnds));
    const double copied = run.secondsTo() + run.secondsFrom() - copying;
    timings.push_back({stepTitle(steps[s]), stepKind(steps[s]), std::max(0.0, seconds - copied)});
    run.endStep();
    if (makesSlotValues(steps[s])) ATTN_TRY(replaceIfProbed(run, outputOf(steps[s])));
  }
  return {};
}

Status fetchResults(DeviceRun& run, RunResult& result) {
  const Plan& plan = run.plan();
  ATTN_ASSIGN(out, run.fetch(plan.out));
  result.out = std::move(out);
  if (plan.lse != kNoBuffer) {
    ATTN_ASSIGN(lse, run.fetch(plan.lse));
    result.lse = lse.reshaped({plan.shape.heads, plan.shape.nQ});
  }
  ATTN_TRY(checkFinite(result.out, plan.mechanism));
  for (const Step& step : plan.steps) {
    const auto* linear = std::get_if<LinearAttendStep>(&step);
    if (linear == nullptr || linear->exponents) continue;
    ATTN_ASSIGN(denominators, run.fetch(linear->denominator));
    ATTN_TRY(checkDenominators(*linear, plan, denominators));
  }
  if (!run.options().keepBuffers) return {};
  for (std::size_t b = 3; b < plan.buffers.size(); ++b) {
    ATTN_ASSIGN(buffer, run.fetch(static_cast<BufferId>(b)));
    result.buffers[plan.buffers[b].name] = std::move(buffer);
  }
  return {};
}

}  // namespace

DeviceInfo CudaBackend::info() const {
  return m_device->info();
}

Status CudaBackend::supports(const FrozenPlan& frozen) const {
  const Plan& plan = frozen.plan();
  if (plan.shape.heads > kMostBlocks)
    return fail(ErrorKind::Compute,
                fmt::format("{} on CUDA: {} heads, at most {} are possible. Use --device cpu.",
                            plan.mechanism, plan.shape.heads, kMostBlocks));
  for (const BufferSpec& buffer : plan.buffers)
    if (buffer.rows > kMostRows)
      return fail(ErrorKind::Compute,
                  fmt::format("{} on CUDA: '{}' has {} rows, at most {} are possible. Use --device cpu.",
                              plan.mechanism, buffer.name, buffer.rows, kMostRows));
  return {};
}

double CudaBackend::memoryNeeded(const FrozenPlan& frozen, const RunOptions&) const {
  const Plan& plan = frozen.plan();
  double bytes = 0.0;
  for (const BufferSpec& buffer : plan.buffers)
    bytes += 4.0 * static_cast<double>(plan.shape.heads) * static_cast<double>(buffer.rows) *
             static_cast<double>(buffer.cols);
  double scratch = 0.0;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) scratch = std::max(scratch, scratchBytes(frozen, s));
  return bytes + scratch;
}

Status CudaBackend::requireDeviceMemory(const FrozenPlan& frozen, const RunOptions& options) const {
  const double needed = memoryNeeded(frozen, options);
  const double free = static_cast<double>(m_device->info().memory);
  if (needed <= 0.95 * free) return {};
  return fail(
      ErrorKind::Compute,
      fmt::format("{} on this input needs {:.3g} GiB on {}, {:.3g} GiB are free. Use --device cpu, or a "
                  "shorter input.",
                  frozen.plan().mechanism, gibibytes(needed), m_device->info().name, gibibytes(free)));
}

Result<RunResult> CudaBackend::run(const FrozenPlan& frozen, const AttentionInput& input,
                                   const RunOptions& options, const JobContext& job) const {
  ATTN_TRY(supports(frozen));
  ATTN_TRY(requirePrecision(m_device->info(), options.precision));
  std::unique_lock turn(m_turn, std::defer_lock);
  while (!turn.try_lock_for(std::chrono::milliseconds(20)))
    if (job.isCancelled()) return cancelled();
  return runAlone(frozen, input, options, job);
}

Result<RunResult> CudaBackend::runAlone(const FrozenPlan& frozen, const AttentionInput& input,
                                        const RunOptions& options, const JobContext& job) const {
  const Plan& plan = frozen.plan();
  ATTN_TRY(m_device->activate());
  ATTN_TRY(requireDeviceMemory(frozen, options));
  double tiles = 1.0;
  for (Index h = 0; h < plan.shape.heads; ++h) tiles += static_cast<double>(frozen.executedTiles(h));
  job.beginPhase(tiles);
  RunResult result;
  result.device = m_device->info().name;
  if (options.precision != Precision::Fp32 && hasAttendStep(plan))
    result.device += ", attention in " + precisionName(options.precision);
  DeviceRun run(*m_device, frozen, options, job);
  const auto start = Clock::now();
  const std::vector<Tensor> initial = initialBuffers(plan, input, options);
  for (std::size_t b = 0; b < initial.size(); ++b)
    if (!initial[b].empty()) ATTN_TRY(run.set(static_cast<BufferId>(b), initial[b]));
  ATTN_TRY(runSteps(run, result.steps));
  ATTN_TRY(fetchResults(run, result));
  // Also what steps copied: tile maps, orders and weights.
  result.steps.insert(result.steps.begin(), {"to the device", "transfer", run.secondsTo()});
  result.steps.push_back({"from the device", "transfer", run.secondsFrom()});
  result.transferSeconds = run.secondsTo() + run.secondsFrom();
  result.seconds = secondsSince(start);
  if (!job.advance()) return cancelled();
  return result;
}

}  // namespace attnscope::cuda
