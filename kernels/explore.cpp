// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/explore.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "core/base/memory.h"
#include "kernels/cpu/peak.h"

namespace attnscope {

namespace {

InsidesRequest insidesRequest(const Exploration& exploration, Index head, const JobContext& job) {
  const auto find = [buffers = exploration.buffers](const std::string& name) {
    const auto it = buffers->find(name);
    return it == buffers->end() ? Tensor() : it->second;
  };
  return {exploration.input, exploration.call.params, *exploration.call.plan, head, find, job};
}

}  // namespace

Result<std::vector<InsidePanel>> Exploration::insides(Index head, const JobContext& job) const {
  if (!hasPass()) return fail(ErrorKind::Usage, "The insides are made from a pass, which has not run.");
  return call.mechanism->insides(insidesRequest(*this, head, job));
}

Result<std::vector<Decision>> Exploration::decisions(Index head, const JobContext& job) const {
  if (!hasPass()) return fail(ErrorKind::Usage, "Decisions are shown from a pass, which has not run.");
  return call.mechanism->decisions(insidesRequest(*this, head, job));
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
  if (call.plan->plan().slotCount == 0 || !hasPass()) return reason;
  // Slots are made of tokens: a token is read if a slot that the query reads gives it any weight.
  const auto weight = matrix->block(head, i, 1, j, 1);
  if (weight && weight->values<float>()[0] != 0.0F) {
    reason.read = true;
    reason.label = "through summaries";
    reason.why = "the query reads summaries of the tokens, not the token itself";
  }
  return reason;
}

namespace {

constexpr Index kCountedRows = 4096;

std::uint64_t nextId() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

bool anyRowReads(const Pattern& support, Index tokens) {
  std::atomic<bool> found{false};
  tbb::parallel_for(tbb::blocked_range<Index>(0, support.rows(), 1024),
                    [&](const tbb::blocked_range<Index>& rows) {
                      RunList runs;
                      for (Index i = rows.begin(); i < rows.end(); ++i) {
                        if (found.load(std::memory_order_relaxed)) return;
                        support.row(i, runs);
                        for (const Run& run : runs)
                          if (run.begin < tokens) found = true;
                      }
                    });
  return found;
}

std::vector<bool> readsTokensByHead(const FrozenPlan& plan) {
  std::vector<bool> reads;
  for (Index h = 0; h < plan.plan().shape.heads; ++h) {
    Index like = 0;
    while (like < h && !plan.sameSupport(like, h)) ++like;
    reads.push_back(like < h ? reads[static_cast<std::size_t>(like)]
                             : plan.slotCount() < 1 || anyRowReads(*plan.support(h), plan.plan().shape.nK));
  }
  return reads;
}

// Kernels execute whole tiles, at about two thirds of the ceiling for multiply-adds (ARCHITECTURE.md); other
// steps go by their operations.
PassEstimate estimatePass(const Exploration& planned) {
  static const double ceiling = multiplyAddPeak(0);
  const Cost& cost = planned.cost;
  const Shape& shape = planned.call.plan->plan().shape;
  const double inTiles =
      cost.tiles * static_cast<double>(kTile * kTile) * (2.0 * static_cast<double>(shape.d + shape.dV) + 1.0);
  PassEstimate estimate;
  estimate.seconds = std::max(inTiles, cost.flops) / (0.65 * ceiling);
  estimate.bytes = cost.peakBytes;
  return estimate;
}

}  // namespace

bool PassEstimate::runsUnasked() const {
  return seconds <= 5.0 && bytes <= 0.25 * static_cast<double>(availableMemory());
}

Result<ExplorationRef> explorePattern(const MechanismSpec& spec, const AttentionInput& input,
                                      const WeightSet& weights, const JobContext& job) {
  auto result = std::make_shared<Exploration>();
  result->id = nextId();
  const auto start = std::chrono::steady_clock::now();
  ATTN_ASSIGN(call, planCall(spec, input, weights, job, Tiles::Later));
  result->planSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result->call = std::move(call);
  result->input = input;
  result->readsTokens = readsTokensByHead(*result->call.plan);
  // Where sampling would see all rows, count them: the maps are needed for the pass anyway.
  if (input.shape().nQ <= kCountedRows) {
    ATTN_TRY(result->call.plan->buildTiles(job));
    result->cost = planCost(*result->call.plan);
  } else {
    result->cost = estimateCost(*result->call.plan);
  }
  result->estimate = estimatePass(*result);
  return ExplorationRef(std::move(result));
}

Result<ExplorationRef> runPass(const ExplorationRef& planned, const Backend& backend,
                               const RunOptions& options, const WeightSet& weights, const JobContext& job) {
  auto result = std::make_shared<Exploration>(*planned);
  if (planned->input.isOutline()) {
    const Shape shape = planned->input.shape();
    ATTN_TRY(requireMemory(planned->estimate.bytes, planned->call.plan->plan().mechanism + " on " +
                                                        std::to_string(shape.nQ) + " tokens"));
    ATTN_ASSIGN(made, withValues(planned->input, job));
    result->input = std::move(made);
    // The plan of an outline may lack tensors that a pass needs.
    ATTN_ASSIGN(call, planCall(planned->call.spec, result->input, weights, job, Tiles::Later));
    result->call = std::move(call);
  }
  const bool counted = result->call.plan->hasTiles();
  ATTN_TRY(result->call.plan->buildTiles(job));
  ATTN_TRY(backend.supports(*result->call.plan));
  ATTN_ASSIGN(run, backend.run(*result->call.plan, result->input, options, job));
  if (!counted) result->cost = planCost(*result->call.plan);
  result->runSeconds = run.seconds;
  result->device = run.device;
  result->fellBack = run.fellBack;
  result->backend = &backend;
  result->options = options;
  result->steps = run.steps;
  result->out = run.out;
  result->lse = run.lse;
  result->buffers = std::make_shared<const std::map<std::string, Tensor>>(run.buffers);
  result->matrix = std::make_shared<const EffectiveMatrix>(result->call.plan, result->input, std::move(run));
  return ExplorationRef(std::move(result));
}

Result<ExplorationRef> explore(const MechanismSpec& spec, const AttentionInput& input, const Backend& backend,
                               const RunOptions& options, const WeightSet& weights, const JobContext& job) {
  ATTN_ASSIGN(made, withValues(input, job));
  ATTN_ASSIGN(planned, explorePattern(spec, made, weights, job));
  return runPass(planned, backend, options, weights, job);
}

}  // namespace attnscope
