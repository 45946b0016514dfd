// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <span>

#include "core/plan/plan.h"

namespace attnscope {

// Rows of a buffer of one head, as a term reads them.
struct TermRows {
  const float* rows = nullptr;
  Index cols = 0;
};

// A term of a logit with its numbers at hand, for one head. References the plan and the buffers.
struct BoundTerm {
  const ScoreTerm* term = nullptr;
  TermRows a;
  TermRows b;

  // logits[t] += factor * term(i, j) for j = keys[t].
  void add(Index i, std::span<const Index> keys, float factor, float* logits) const;
};

[[nodiscard]] BoundTerm bindTerm(const ScoreTerm& term, Index head,
                                 const std::function<TermRows(BufferId)>& rowsOf);

}  // namespace attnscope
