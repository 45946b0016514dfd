// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// A device that is none: the CPU under another name, with tensor cores by its own account, which fails when
// it is told to.
#include <atomic>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/shared/weight_source.h"

namespace attnscope::testing {

// Weights on a device that is lost.
class LostWeights final : public WeightSource {
 public:
  Result<Tensor> numbers(const WeightPicture&, const JobContext&) const override {
    return fail(ErrorKind::Compute, "The maps were lost.");
  }
  std::string name() const override { return "cuda:0"; }
};

class StandInDevice final : public Backend {
 public:
  DeviceInfo info() const override {
    DeviceInfo info = cpuBackend().info();
    info.id = "cuda:0";
    info.name = "Stand-in GPU";
    info.precisions = {Precision::Fp32, Precision::Tf32};
    return info;
  }
  Status supports(const FrozenPlan& plan) const override {
    if (refuses) return fail(ErrorKind::Compute, "Too many heads.");
    return cpuBackend().supports(plan);
  }
  double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const override {
    return cpuBackend().memoryNeeded(plan, options);
  }
  Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input, const RunOptions& options,
                        const JobContext& job) const override {
    ++runs;
    if (fails) return fail(ErrorKind::Compute, "The device was lost.");
    RunOptions own = options;
    own.precision = Precision::Fp32;
    ATTN_ASSIGN(result, cpuBackend().run(plan, input, own, job));
    result.device = "Stand-in GPU, " + precisionName(options.precision);
    if (losesWeights) result.weights = std::make_shared<const LostWeights>();
    return result;
  }

  std::atomic<bool> refuses = false;
  std::atomic<bool> fails = false;
  std::atomic<bool> losesWeights = false;
  mutable std::atomic<int> runs = 0;
};

}  // namespace attnscope::testing
