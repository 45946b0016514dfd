// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace attnscope {

// What a rule can speak of. Indices count from 0. The first nine belong to the pair, the rest to the call.
enum class RuleName : std::uint8_t {
  Query,         // q
  Key,           // k
  QueryBlock,    // qb = q // block
  KeyBlock,      // kb
  QueryColumn,   // qx, on the grid
  QueryRow,      // qy
  KeyColumn,     // kx
  KeyRow,        // ky
  QuerySegment,  // qs: sentence of the text
  KeySegment,    // ks
  Head,          // h
  Keys,          // n = nk
  Queries,       // nq
  Window,        // w
  Stride,        // s
  Globals,       // g
  Block,         // block
};
inline constexpr std::size_t kRuleNames = 17;

struct RuleNameInfo {
  const char* word = "";
  RuleName name = RuleName::Query;
  const char* help = "";
};
// Every word of the language that stands for a number (nk is a second word for n).
[[nodiscard]] const std::array<RuleNameInfo, kRuleNames + 1>& ruleNames();
[[nodiscard]] const char* ruleWord(RuleName name);

enum class RuleOp : std::uint8_t {
  Number,
  Name,  // leaves
  Negate,
  Not,
  Abs,
  Floor,  // a
  Add,
  Subtract,
  Multiply,
  Divide,
  FloorDivide,
  Modulo,
  Min,
  Max,  // a, b
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  Equal,
  Unequal,
  And,
  Or,
};
[[nodiscard]] bool isCondition(RuleOp op);  // gives true or false
[[nodiscard]] bool isDivision(RuleOp op);   // has a divisor

// An expression as nodes, operands before what uses them.
struct RuleNode {
  RuleOp op = RuleOp::Number;
  RuleName name = RuleName::Query;
  double number = 0.0;
  std::int32_t a = -1;
  std::int32_t b = -1;
  std::size_t begin = 0;  // of the whole expression, in the text
  std::size_t end = 0;
  std::size_t mark = 0;  // of its operator, or the leaf
  std::size_t markEnd = 0;
  bool whole = true;  // its value is always a whole number
};

// "local: abs(q - k) <= w; global: k < g": which pairs are in, and why. The first section that holds is the
// reason.
//
// Syntax, strongest first: ! and - before a value; * / // %; + -; < <= > >= == !=; not; and &&; or ||.
// abs(a), floor(a), min(a, ...), max(a, ...), mod(a, b); mod is %, as a word between two values too. / is the
// exact quotient; // rounds down and % is what it leaves, with the sign of the divisor, as in Python. Every
// part is evaluated for every pair, so that a divisor of 0 is an error and not a matter of order.
struct MaskRule {
  struct Section {
    std::string label;  // never empty: "rule" or "rule 2" where the text has none
    std::int32_t root = -1;
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  std::string text;
  std::vector<RuleNode> nodes;
  std::vector<Section> sections;

  [[nodiscard]] bool uses(RuleName name) const;
};

inline constexpr std::size_t kLongestRule = 2000;  // bytes
inline constexpr std::size_t kMostRuleSections = 8;
// Numbers beyond this are refused, so that whole numbers stay exact in double.
inline constexpr double kLargestRuleNumber = 1125899906842624.0;  // 2^50

// Parses any text: errors (Usage) carry the place as Error::fault. Thread-safe.
[[nodiscard]] Result<MaskRule> parseMaskRule(const std::string& text);

}  // namespace attnscope
