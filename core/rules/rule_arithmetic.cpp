// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/rule_arithmetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace attnscope {

namespace {

// Rounds down without a call, so that loops become vectors on every x86-64: adding 1.5 * 2^52 leaves no room
// for digits behind the point. For numbers below 2^51 in size.
inline double roundDown(double x) {
  constexpr double kNoFractions = 6755399441055744.0;
  const double nearest = (x + kNoFractions) - kNoFractions;
  return nearest > x ? nearest - 1.0 : nearest;
}

template <class Operation>
void each(const double* a, const double* b, double* out, Operation operation) {
  for (int i = 0; i < kRuleLanes; ++i) out[i] = operation(a[i], b[i]);
}
template <class Operation>
void test(const double* a, const double* b, std::uint8_t* out, Operation operation) {
  for (int i = 0; i < kRuleLanes; ++i) out[i] = operation(a[i], b[i]) ? 1 : 0;
}

RuleRange hull(double a, double b, double c, double d) {
  return {std::min({a, b, c, d}), std::max({a, b, c, d})};
}

RuleRange quotient(const RuleNode& node, const RuleRange& a, const RuleRange& b) {
  RuleRange range;
  if (!b.hasZero()) {
    range = hull(a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high);
  } else {
    // Whole divisors are at least 1 in size; of others nothing is known.
    const double size = std::max(std::abs(a.low), std::abs(a.high));
    const bool whole = node.op != RuleOp::Divide;
    range = whole ? RuleRange{-size, size} : RuleRange{-kLargestRuleNumber, kLargestRuleNumber};
  }
  if (node.op != RuleOp::FloorDivide) return range;
  return {std::floor(range.low), std::floor(range.high)};
}

RuleRange remainder(const RuleRange& a, const RuleRange& b) {
  if (b.low == b.high && b.low != 0.0) {
    const double first = std::floor(a.low / b.low);
    if (first == std::floor(a.high / b.low)) return {a.low - first * b.low, a.high - first * b.low};
  }
  return {std::min(b.low + 1.0, 0.0), std::max(b.high - 1.0, 0.0)};
}

RuleRange truthRange(bool always, bool never) {
  return {always ? 1.0 : 0.0, never ? 0.0 : 1.0};
}

RuleRange comparisonRange(RuleOp op, const RuleRange& a, const RuleRange& b) {
  switch (op) {
    case RuleOp::Less:
      return truthRange(a.high < b.low, a.low >= b.high);
    case RuleOp::LessEqual:
      return truthRange(a.high <= b.low, a.low > b.high);
    case RuleOp::Greater:
      return comparisonRange(RuleOp::Less, b, a);
    case RuleOp::GreaterEqual:
      return comparisonRange(RuleOp::LessEqual, b, a);
    case RuleOp::Equal:
      return truthRange(a.low == a.high && b.low == b.high && a.low == b.low,
                        a.high < b.low || b.high < a.low);
    default: {  // Unequal
      const RuleRange equal = comparisonRange(RuleOp::Equal, a, b);
      return {1.0 - equal.high, 1.0 - equal.low};
    }
  }
}

RuleRange magnitude(const RuleRange& a) {
  const double high = std::max(std::abs(a.low), std::abs(a.high));
  return {a.hasZero() ? 0.0 : std::min(std::abs(a.low), std::abs(a.high)), high};
}

}  // namespace

RuleRange ruleRange(const RuleNode& node, const RuleRange& a, const RuleRange& b) {
  switch (node.op) {
    case RuleOp::Number:
    case RuleOp::Name:
      return a;
    case RuleOp::Negate:
      return {-a.high, -a.low};
    case RuleOp::Not:
      return truthRange(a.isFalse(), a.isTrue());
    case RuleOp::Abs:
      return magnitude(a);
    case RuleOp::Floor:
      return {std::floor(a.low), std::floor(a.high)};
    case RuleOp::Add:
      return {a.low + b.low, a.high + b.high};
    case RuleOp::Subtract:
      return {a.low - b.high, a.high - b.low};
    case RuleOp::Multiply:
      return hull(a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high);
    case RuleOp::Divide:
    case RuleOp::FloorDivide:
      return quotient(node, a, b);
    case RuleOp::Modulo:
      return remainder(a, b);
    case RuleOp::Min:
      return {std::min(a.low, b.low), std::min(a.high, b.high)};
    case RuleOp::Max:
      return {std::max(a.low, b.low), std::max(a.high, b.high)};
    case RuleOp::And:
      return truthRange(a.isTrue() && b.isTrue(), a.isFalse() || b.isFalse());
    case RuleOp::Or:
      return truthRange(a.isTrue() || b.isTrue(), a.isFalse() && b.isFalse());
    default:
      return comparisonRange(node.op, a, b);
  }
}

void ruleNumbers(RuleOp op, const double* a, const double* b, double* out) {
  switch (op) {
    case RuleOp::Negate:
      return each(a, a, out, [](double x, double) { return -x; });
    case RuleOp::Abs:
      return each(a, a, out, [](double x, double) { return std::abs(x); });
    case RuleOp::Floor:
      return each(a, a, out, [](double x, double) { return roundDown(x); });
    case RuleOp::Add:
      return each(a, b, out, [](double x, double y) { return x + y; });
    case RuleOp::Subtract:
      return each(a, b, out, [](double x, double y) { return x - y; });
    case RuleOp::Multiply:
      return each(a, b, out, [](double x, double y) { return x * y; });
    case RuleOp::Divide:
      return each(a, b, out, [](double x, double y) { return x / y; });
    case RuleOp::FloorDivide:
      return each(a, b, out, [](double x, double y) { return roundDown(x / y); });
    case RuleOp::Modulo:
      return each(a, b, out, [](double x, double y) { return x - y * roundDown(x / y); });
    case RuleOp::Min:
      return each(a, b, out, [](double x, double y) { return y < x ? y : x; });
    case RuleOp::Max:
      return each(a, b, out, [](double x, double y) { return x < y ? y : x; });
    default:
      return;
  }
}

void ruleComparison(RuleOp op, const double* a, const double* b, std::uint8_t* out) {
  switch (op) {
    case RuleOp::Less:
      return test(a, b, out, [](double x, double y) { return x < y; });
    case RuleOp::LessEqual:
      return test(a, b, out, [](double x, double y) { return x <= y; });
    case RuleOp::Greater:
      return test(a, b, out, [](double x, double y) { return x > y; });
    case RuleOp::GreaterEqual:
      return test(a, b, out, [](double x, double y) { return x >= y; });
    case RuleOp::Equal:
      return test(a, b, out, [](double x, double y) { return x == y; });
    default:
      return test(a, b, out, [](double x, double y) { return x != y; });
  }
}

void ruleLogic(RuleOp op, const std::uint8_t* a, const std::uint8_t* b, std::uint8_t* out) {
  for (int i = 0; i < kRuleLanes; ++i) {
    const int value = op == RuleOp::And ? a[i] & b[i] : op == RuleOp::Or ? a[i] | b[i] : a[i] ^ 1;
    out[i] = static_cast<std::uint8_t>(value);
  }
}

void ruleTruths(const double* numbers, std::uint8_t* out) {
  for (int i = 0; i < kRuleLanes; ++i) out[i] = numbers[i] != 0.0 ? 1 : 0;
}

void ruleTruthNumbers(const std::uint8_t* truths, double* out) {
  for (int i = 0; i < kRuleLanes; ++i) out[i] = truths[i];
}

std::uint64_t ruleWord64(const std::uint8_t* truths) {
  std::uint64_t word = 0;
  for (int group = 0; group < 8; ++group) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, truths + 8 * group, sizeof bytes);
    // The product moves bit 0 of every byte into the top byte, in order.
    word |= (bytes * 0x0102040810204080U >> 56U) << 8 * group;
  }
  return word;
}

}  // namespace attnscope
