// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/full_attention.h"

#include "kernels/fidelity.h"

namespace attnscope {

namespace {

constexpr double kMostPairs = 268435456.0;  // 2^28: seconds on a few cores

}  // namespace

bool isFullAffordable(const Exploration& exploration) {
  const Shape shape = exploration.input.shape();
  return static_cast<double>(shape.nQ) * static_cast<double>(shape.nK) * static_cast<double>(shape.heads) <=
         kMostPairs;
}

FullKey fullKey(const Exploration& other) {
  return {other.input.digest, other.call.options.causal, other.backend, other.options.precision};
}

bool isFullFor(const Exploration& candidate, const Exploration& other) {
  return candidate.call.spec.id == fullFor(other.call).id && !candidate.call.options.scale &&
         fullKey(candidate) == fullKey(other);
}

ExplorationPtr FullAttention::known(const Exploration& other) const {
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ExplorationPtr& shown = m_service->column(i).exploration;
    if (shown && shown->hasPass() && isFullFor(*shown, other)) return shown;
  }
  const ExplorationPtr& kept = m_last[other.call.options.causal ? 1 : 0];
  return kept && isFullFor(*kept, other) ? kept : nullptr;
}

void FullAttention::remember(const ExplorationPtr& full) {
  m_last[full->call.options.causal ? 1 : 0] = full;
}

Result<ExplorationPtr> FullAttention::make(const Exploration& other, const JobContext& job) {
  return explore(fullFor(other.call), other.input, *other.backend, other.options, {}, job);
}

}  // namespace attnscope
