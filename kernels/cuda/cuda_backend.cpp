// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "kernels/cuda/host/device_weights.h"
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

Status runSteps(DeviceRun& run, WeightsOfRun& weights, std::vector<StepTiming>& timings) {
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
    ATTN_TRY(weights.collect(s, run, run.takeStepMemory()));
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

namespace {

double bufferBytes(const Plan& plan) {
  double bytes = 0.0;
  for (const BufferSpec& buffer : plan.buffers)
    bytes += 4.0 * static_cast<double>(plan.shape.heads) * static_cast<double>(buffer.rows) *
             static_cast<double>(buffer.cols);
  return bytes;
}

// Where what steps read stays, and is not let go with each.
double bytesThatStay(const FrozenPlan& frozen) {
  double bytes = bufferBytes(frozen.plan()) + weightBytes(frozen.plan());
  for (std::size_t s = 0; s < frozen.plan().steps.size(); ++s) bytes += scratchBytes(frozen, s);
  return bytes;
}

}  // namespace

double CudaBackend::memoryNeeded(const FrozenPlan& frozen, const RunOptions&) const {
  double scratch = 0.0;
  for (std::size_t s = 0; s < frozen.plan().steps.size(); ++s)
    scratch = std::max(scratch, scratchBytes(frozen, s));
  return bufferBytes(frozen.plan()) + scratch;
}

// True where there is room for things to stay; error where there is not enough for the pass itself.
Result<bool> CudaBackend::requireDeviceMemory(const FrozenPlan& frozen, const RunOptions& options,
                                              PlanOnDevice& held) const {
  if (m_device->makeRoom((bytesThatStay(frozen) - held.bytes()) / kUsableShare, &held)) return true;
  const double needed = memoryNeeded(frozen, options);
  held.giveUp();
  if (m_device->makeRoom(needed / kUsableShare, nullptr)) return false;
  const DeviceInfo info = m_device->info();
  return fail(
      ErrorKind::Compute,
      fmt::format("{} on this input needs {:.3g} GiB on {}, {:.3g} GiB are free. Use --device cpu, or a "
                  "shorter input.",
                  frozen.plan().mechanism, gibibytes(needed), info.name,
                  gibibytes(static_cast<double>(info.memory))));
}

Result<RunResult> CudaBackend::run(const FrozenPlan& frozen, const AttentionInput& input,
                                   const RunOptions& options, const JobContext& job) const {
  ATTN_TRY(supports(frozen));
  ATTN_TRY(requirePrecision(m_device->info(), options.precision));
  ATTN_ASSIGN(turn, m_device->takeTurn(job));
  const std::shared_ptr<PlanOnDevice> held = m_device->planOnDevice(frozen);
  m_device->touch(*held);
  auto result = runAlone(frozen, input, options, job, *held);
  // What an error interrupted may not be there.
  if (!result && result.error().kind != ErrorKind::Cancelled) held->giveUp();
  const double heldNow = m_device->heldBytes();
  m_device->holdAtMost(kHeldShare * (heldNow + static_cast<double>(m_device->info().memory)));
  return result;
}

Result<RunResult> CudaBackend::runAlone(const FrozenPlan& frozen, const AttentionInput& input,
                                        const RunOptions& options, const JobContext& job,
                                        PlanOnDevice& held) const {
  const Plan& plan = frozen.plan();
  ATTN_TRY(m_device->device().activate());
  ATTN_ASSIGN(stays, requireDeviceMemory(frozen, options, held));
  double tiles = 1.0;
  for (Index h = 0; h < plan.shape.heads; ++h) tiles += static_cast<double>(frozen.executedTiles(h));
  job.beginPhase(tiles);
  RunResult result;
  result.device = m_device->info().name;
  if (options.precision != Precision::Fp32 && hasAttendStep(plan))
    result.device += ", attention in " + precisionName(options.precision);
  DeviceRun run(m_device->device(), frozen, options, job, stays ? &held : nullptr);
  WeightsOfRun weights(plan, stays && options.keepBuffers && !options.zeroLogits && !options.identity);
  const auto start = Clock::now();
  const std::vector<Tensor> initial = initialBuffers(plan, input, options);
  for (std::size_t b = 0; b < initial.size(); ++b) {
    if (initial[b].empty()) continue;
    const auto id = static_cast<BufferId>(b);
    const bool constant = id > kValue && !options.identity;  // a probe replaces some of them
    ATTN_TRY(constant ? run.setConstant(id, initial[b]) : run.set(id, initial[b]));
  }
  (void)run.takeStepMemory();  // the buffers have it
  ATTN_TRY(runSteps(run, weights, result.steps));
  ATTN_TRY(fetchResults(run, result));
  // Also what steps copied: tile maps, orders and weights.
  result.steps.insert(result.steps.begin(), {"to the device", "transfer", run.secondsTo()});
  result.steps.push_back({"from the device", "transfer", run.secondsFrom()});
  result.transferSeconds = run.secondsTo() + run.secondsFrom();
  result.planTransferSeconds = run.secondsKept();
  result.seconds = secondsSince(start);
  if (!job.advance()) return cancelled();
  ATTN_ASSIGN(source, weights.source(run, m_device));  // last: no error may let it go here
  result.weights = std::move(source);
  return result;
}

}  // namespace attnscope::cuda
