// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/inputs/attention_input.h"
#include "core/mechanisms/mechanism.h"
#include "core/params/param_values.h"
#include "core/rules/rule_program.h"

namespace attnscope {

// The parameters of a mechanism that is a rule: "rule" and the numbers and the grid that the rule may name.
// Sliders of what the rule does not name are hidden.
[[nodiscard]] std::vector<ParamSpec> ruleParams();

// What the names of a rule stand for in head `head` of a call with these parameters. A grid that is left open
// is the picture's own, else the divisors of n_k closest to a square.
[[nodiscard]] RuleScope ruleScope(const ParamValues& params, const AttentionInput& input, Index head);

// The rule of a planned call as Python (core/rules/mask_mod.h). Usage error where the mechanism is no rule.
[[nodiscard]] Result<std::string> maskModOf(const PlannedCall& call, const AttentionInput& input);

}  // namespace attnscope
