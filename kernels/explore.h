// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/analysis/cost.h"
#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/mechanisms/mechanism.h"
#include "kernels/backend.h"
#include "kernels/effective.h"

namespace attnscope {

// What a pass that has not run would take on this machine.
struct PassEstimate {
  double seconds = 0.0;
  double bytes = 0.0;  // beside what the plan holds already: input, buffers, tile maps
  // Short and small enough that nobody needs to be asked: 5 s, and a quarter of the free memory.
  [[nodiscard]] bool runsUnasked() const;
};

// One mechanism on one input: everything that its panels, the inspector and the figures show. Without a pass
// there is the pattern, its cost (sampled beyond 4,096 queries) and the estimate, and nothing else.
// Immutable, shared between threads.
struct Exploration {
  std::uint64_t id = 0;  // unique in this process; the pass on a plan keeps the plan's
  PlannedCall call;
  AttentionInput input;
  Cost cost;
  PassEstimate estimate;
  std::vector<bool> readsTokens;  // by head: false if queries read slots only, never a token itself
  double planSeconds = 0.0;
  double runSeconds = 0.0;
  std::string device;
  std::string fellBack;              // as RunResult::fellBack
  const Backend* backend = nullptr;  // what the pass was asked of, and how
  RunOptions options;
  std::vector<StepTiming> steps;
  Tensor out;
  Tensor lse;
  std::shared_ptr<const EffectiveMatrix> matrix;  // null: the pass has not run

  [[nodiscard]] bool hasPass() const { return matrix != nullptr; }

  // Pictures of the insides for one head; a job of its own, since it can take as long as the pass.
  [[nodiscard]] Result<std::vector<InsidePanel>> insides(Index head, const JobContext& job = {}) const;
  // What was decided while planning, for one head; as insides().
  [[nodiscard]] Result<std::vector<Decision>> decisions(Index head, const JobContext& job = {}) const;

  // Why query i reads token j (or not), in words: "local: at most w/2 = 16 tokens away". Where a mechanism
  // reads slots, a token is read if some slot that the query reads gives it weight.
  struct PairReason {
    bool read = false;
    std::string label;
    std::string why;
    int multiplicity = 1;
  };
  [[nodiscard]] PairReason reason(Index head, Index i, Index j) const;

  std::shared_ptr<const std::map<std::string, Tensor>> buffers;
};
using ExplorationRef = std::shared_ptr<const Exploration>;

// The pattern without a pass: plans and freezes, and takes an outline where the pattern follows from
// positions. Up to 4,096 queries tile maps are built and the cost is counted; beyond, a pass builds them.
// Errors as of planCall().
[[nodiscard]] Result<ExplorationRef> explorePattern(const MechanismSpec& spec, const AttentionInput& input,
                                                    const WeightSet& weights = {},
                                                    const JobContext& job = {});

// The pass on what explorePattern() made; makes the values of an outline. Errors as of Backend::run().
[[nodiscard]] Result<ExplorationRef> runPass(const ExplorationRef& planned, const Backend& backend,
                                             const RunOptions& options = {}, const WeightSet& weights = {},
                                             const JobContext& job = {});

// Plans, runs and wraps one call, whatever it takes. Errors as of planCall() and Backend::run().
[[nodiscard]] Result<ExplorationRef> explore(const MechanismSpec& spec, const AttentionInput& input,
                                             const Backend& backend, const RunOptions& options = {},
                                             const WeightSet& weights = {}, const JobContext& job = {});

}  // namespace attnscope
