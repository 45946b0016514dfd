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

// One mechanism computed on one input: everything that its panels, the inspector and the figures show.
// Immutable, shared between threads.
struct Exploration {
  PlannedCall call;
  AttentionInput input;
  Cost cost;
  double planSeconds = 0.0;
  double runSeconds = 0.0;
  std::string device;
  std::vector<StepTiming> steps;
  Tensor out;
  Tensor lse;
  std::shared_ptr<const EffectiveMatrix> matrix;

  // Pictures of the insides for one head; a job of its own, since it can take as long as the pass.
  [[nodiscard]] Result<std::vector<InsidePanel>> insides(Index head, const JobContext& job = {}) const;

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

// Plans, runs and wraps one call. Errors as of planCall() and Backend::run().
[[nodiscard]] Result<std::shared_ptr<const Exploration>> explore(
    const MechanismSpec& spec, const AttentionInput& input, const Backend& backend,
    const RunOptions& options = {}, const WeightSet& weights = {}, const JobContext& job = {});

}  // namespace attnscope
