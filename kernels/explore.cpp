// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/explore.h"

#include <chrono>

namespace attnscope {

Result<std::vector<InsidePanel>> Exploration::insides(Index head, const JobContext& job) const {
  const auto find = [this](const std::string& name) {
    const auto it = buffers->find(name);
    return it == buffers->end() ? Tensor() : it->second;
  };
  return call.mechanism->insides({input, call.params, *call.plan, head, find, job});
}

Exploration::PairReason Exploration::reason(Index head, Index i, Index j) const {
  PairReason reason;
  RunList runs;
  call.plan->support(head)->row(i, runs);
  for (const Run& run : runs) {
    if (j < run.begin || j >= run.end || (j - run.begin) % run.stride != 0) continue;
    const Label& label = call.plan->plan().labels[run.label];
    return {true, label.name, label.why, run.multiplicity};
  }
  if (call.plan->plan().slotCount == 0) return reason;
  // Slots are made of tokens: a token is read if a slot that the query reads gives it any weight.
  const auto weight = matrix->block(head, i, 1, j, 1);
  if (weight && weight->values<float>()[0] != 0.0F) {
    reason.read = true;
    reason.label = "through summaries";
    reason.why = "the query reads summaries of the tokens, not the token itself";
  }
  return reason;
}

Result<std::shared_ptr<const Exploration>> explore(const MechanismSpec& spec, const AttentionInput& input,
                                                   const Backend& backend, const RunOptions& options,
                                                   const WeightSet& weights, const JobContext& job) {
  auto result = std::make_shared<Exploration>();
  const auto start = std::chrono::steady_clock::now();
  ATTN_ASSIGN(call, planCall(spec, input, weights, job));
  result->planSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ATTN_TRY(backend.supports(*call.plan));
  ATTN_ASSIGN(run, backend.run(*call.plan, input, options, job));
  result->call = std::move(call);
  result->input = input;
  result->cost = planCost(*result->call.plan);
  result->runSeconds = run.seconds;
  result->device = run.device;
  result->steps = run.steps;
  result->out = run.out;
  result->lse = run.lse;
  result->buffers = std::make_shared<const std::map<std::string, Tensor>>(run.buffers);
  result->matrix = std::make_shared<const EffectiveMatrix>(result->call.plan, input, std::move(run));
  return std::shared_ptr<const Exploration>(std::move(result));
}

}  // namespace attnscope
