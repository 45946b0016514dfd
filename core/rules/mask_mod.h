// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/rules/rule_program.h"

namespace attnscope {

// The rule as a Python function for PyTorch's torch.nn.attention.flex_attention, with the numbers of `scope`
// filled in: `def mask_mod(b, h, q_idx, kv_idx)`, true where a pair is in. The head stays a variable.
// Fractions are computed in float64, as they are here, so that the function admits the same pairs. `causal`
// adds the diagonal.
//
// The rule must have been bound to the scope without an error.
[[nodiscard]] std::string maskModPython(const MaskRule& rule, const RuleScope& scope, bool causal);

}  // namespace attnscope
