// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "core/rules/mask_rule.h"

namespace attnscope {

// Values that an expression takes somewhere; the truth of a condition is 0 or 1.
struct RuleRange {
  double low = 0.0;
  double high = 0.0;
  [[nodiscard]] bool isTrue() const { return low > 0.0 || high < 0.0; }
  [[nodiscard]] bool isFalse() const { return low == 0.0 && high == 0.0; }
  [[nodiscard]] bool hasZero() const { return low <= 0.0 && high >= 0.0; }
};

// Bounds of a node's value from those of its operands (`b` is ignored where there is one). A divisor whose
// bounds hold 0 gives what the other divisors give.
[[nodiscard]] RuleRange ruleRange(const RuleNode& node, const RuleRange& a, const RuleRange& b);

// The same operations on 64 values at once. Numbers are exact for whole numbers below 2^50 in size; lanes
// whose divisor is 0 are undefined, but not harmful.
inline constexpr int kRuleLanes = 64;
void ruleNumbers(RuleOp op, const double* a, const double* b, double* out);
void ruleComparison(RuleOp op, const double* a, const double* b, std::uint8_t* out);  // 0 or 1
void ruleLogic(RuleOp op, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out);
void ruleTruths(const double* numbers, std::uint8_t* out);
void ruleTruthNumbers(const std::uint8_t* truths, double* out);
[[nodiscard]] std::uint64_t ruleWord64(const std::uint8_t* truths);  // bit c is lane c

}  // namespace attnscope
