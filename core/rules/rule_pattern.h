// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/pattern.h"
#include "core/rules/rule_program.h"

namespace attnscope {

// The most tiles of 64 x 64 pairs that may be left to be evaluated pair by pair: a rule without any structure
// at n = 32,768.
inline constexpr Index kMostMixedTiles = Index{1} << 18;

// The pattern of a rule in one head; a run's label is the index of its section. Squares of the matrix are
// decided as a whole where bounds on the rule's parts allow it, and halved where not; what stays mixed at 64
// x 64 is evaluated pair by pair, on all threads, and kept as bits as far as they fit (128 MiB). So a window
// costs O(n), and a rule such as (q - k) % s == 0 all pairs. `causal`: only keys up to q + n_k - n_q.
//
// Errors (Usage) point into the rule: what RuleProgram::bind refuses, a divisor that is 0 for some pair
// (causal or not), more mixed tiles than kMostMixedTiles. Or cancellation.
[[nodiscard]] Result<PatternPtr> makeRulePattern(const MaskRule& rule, const RuleScope& scope, bool causal,
                                                 const JobContext& job);

}  // namespace attnscope
