// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/cpu_backend.h"

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task_arena.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "core/base/memory.h"
#include "core/simd/tile_math.h"
#include "kernels/cpu/attend.h"
#include "kernels/cpu/buffer_table.h"
#include "kernels/cpu/linear_attend.h"
#include "kernels/cpu/random_features.h"
#include "kernels/cpu/row_steps.h"
#include "kernels/cpu/small_steps.h"
#include "kernels/shared/initial_buffers.h"
#include "kernels/shared/run_checks.h"

namespace attnscope {

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int coreCount() {
  return tbb::info::default_concurrency();
}

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "CPU";
}

double bufferBytes(const Plan& plan, const BufferSpec& buffer) {
  return 4.0 * static_cast<double>(plan.shape.heads) * static_cast<double>(buffer.rows) *
         static_cast<double>(buffer.cols);
}

double stepScratch(const FrozenPlan& frozen, std::size_t index) {
  const Plan& plan = frozen.plan();
  if (std::holds_alternative<AttendStep>(plan.steps[index])) return attendScratchBytes(frozen, index);
  if (const auto* linear = std::get_if<LinearAttendStep>(&plan.steps[index]))
    return linearScratchBytes(plan.shape.nK, plan.buffers[static_cast<std::size_t>(linear->phiK)].cols,
                              plan.shape.dV);
  return 0.0;
}

class StepRunner {
 public:
  StepRunner(const FrozenPlan& plan, BufferTable& buffers, const JobContext& job)
      : m_plan(plan), m_buffers(buffers), m_job(job) {}

  Status run(std::size_t index) {
    m_index = index;
    return std::visit(*this, m_plan.plan().steps[index]);
  }

  Status operator()(const AttendStep& step) const {
    ATTN_TRY(attendOnCpu(m_plan, m_index, m_buffers, m_job));
    replaceIfProbed(step.out);
    return {};
  }
  Status operator()(const MergeStep& step) const { return mergeOnCpu(step, m_buffers, m_job); }
  Status operator()(const ProjectStep& step) const {
    ATTN_TRY(projectOnCpu(step, m_buffers, m_job));
    replaceIfProbed(step.out);
    return {};
  }
  Status operator()(const ConvolveStep& step) const {
    ATTN_TRY(convolveOnCpu(step, m_buffers, m_job));
    replaceIfProbed(step.out);
    return {};
  }
  Status operator()(const NormaliseRowsStep& step) const {
    return normaliseRowsOnCpu(step, m_buffers, m_job);
  }
  Status operator()(const FeatureMapStep& step) const { return featureMapOnCpu(step, m_buffers, m_job); }
  Status operator()(const LinearAttendStep& step) const { return linearAttendOnCpu(step, m_buffers, m_job); }
  Status operator()(const RandomFeatureStep& step) const {
    return randomFeaturesOnCpu(step, m_buffers, m_job);
  }
  Status operator()(const GatherStep& step) const {
    ATTN_TRY(gatherOnCpu(step, m_buffers, m_job));
    replaceIfProbed(step.out);
    return {};
  }
  Status operator()(const AffineStep& step) const { return affineOnCpu(step, m_buffers, m_job); }
  Status operator()(const ConcatStep& step) const { return concatOnCpu(step, m_buffers, m_job); }
  Status operator()(const RotateStep& step) const { return rotateOnCpu(step, m_buffers, m_job); }

 private:
  void replaceIfProbed(BufferId out) const {
    const auto& identity = m_buffers.options().identity;
    if (identity && identity->withSlots && out == m_plan.plan().slotValues)
      m_buffers.tensor(out) = slotIdentity(m_plan.plan(), *identity);
  }

  const FrozenPlan& m_plan;
  BufferTable& m_buffers;
  const JobContext& m_job;
  std::size_t m_index = 0;
};

class CpuBackend final : public Backend {
 public:
  DeviceInfo info() const override {
    DeviceInfo info;
    info.id = "cpu";
    info.name = fmt::format("{}, {} cores, {}", processorName(), coreCount(), tile_math::targetName());
    info.available = true;
    info.memory = availableMemory();
    return info;
  }

  Status supports(const FrozenPlan&) const override { return {}; }

  double memoryNeeded(const FrozenPlan& frozen, const RunOptions&) const override {
    const Plan& plan = frozen.plan();
    double bytes = 0.0;
    for (std::size_t b = 3; b < plan.buffers.size(); ++b) bytes += bufferBytes(plan, plan.buffers[b]);
    double scratch = 0.0;
    for (std::size_t s = 0; s < plan.steps.size(); ++s) scratch = std::max(scratch, stepScratch(frozen, s));
    return bytes + scratch;
  }

  Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options,
                        const JobContext& job) const override {
    if (options.precision != Precision::Fp32) ATTN_TRY(requirePrecision(info(), options.precision));
    ATTN_TRY(requireMemory(memoryNeeded(plan, options), plan.plan().mechanism + " on this input"));
    const int threads = options.threads > 0 ? options.threads : coreCount();
    tbb::task_arena arena(threads);
    return arena.execute([&] { return runInArena(plan, input, options, job, threads); });
  }

 private:
  static Result<RunResult> runInArena(const FrozenPlan& frozen, const AttentionInput& input,
                                      const RunOptions& options, const JobContext& job, int threads) {
    const Plan& plan = frozen.plan();
    double tiles = 1.0;
    for (Index h = 0; h < plan.shape.heads; ++h) tiles += static_cast<double>(frozen.executedTiles(h));
    job.beginPhase(tiles);
    RunResult result;
    result.device =
        fmt::format("CPU, {} thread{}, {}", threads, threads == 1 ? "" : "s", tile_math::targetName());
    BufferTable buffers(frozen, input, options);
    StepRunner runner(frozen, buffers, job);
    const auto start = Clock::now();
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
      const auto stepStart = Clock::now();
      ATTN_TRY(runner.run(s));
      result.steps.push_back({stepTitle(plan.steps[s]), stepKind(plan.steps[s]), secondsSince(stepStart)});
    }
    result.seconds = secondsSince(start);
    if (!job.advance()) return cancelled();
    result.out = buffers.tensor(plan.out);
    if (plan.lse != kNoBuffer)
      result.lse = buffers.tensor(plan.lse).reshaped({plan.shape.heads, plan.shape.nQ});
    ATTN_TRY(checkFinite(result.out, plan.mechanism));
    if (options.keepBuffers)
      for (std::size_t b = 3; b < plan.buffers.size(); ++b)
        result.buffers[plan.buffers[b].name] = buffers.tensor(static_cast<BufferId>(b));
    return result;
  }
};

}  // namespace

const Backend& cpuBackend() {
  static const CpuBackend backend;
  return backend;
}

}  // namespace attnscope
