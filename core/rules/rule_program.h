// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/inputs/attention_input.h"
#include "core/plan/tile_map.h"
#include "core/rules/mask_rule.h"
#include "core/rules/rule_arithmetic.h"

namespace attnscope {

// What the names of a rule stand for in one head of one call.
struct RuleScope {
  Index nQ = 0;
  Index nK = 0;
  Index head = 0;
  Index window = 0;
  Index stride = 1;
  Index globals = 0;
  Index block = 1;
  Grid grid;                    // of the tokens; 0 x 0: none
  std::vector<Index> segments;  // of the keys, or empty

  [[nodiscard]] double constant(RuleName name) const;
};

// A rule bound to a scope. What depends on the query alone or on the key alone is evaluated once, for all of
// them; the rest on demand, 64 pairs at a time, or bounded over whole rectangles. Immutable.
class RuleProgram {
 public:
  // Errors point into the rule: names that this call has no meaning for, numbers beyond 2^50, and divisors
  // that are 0 and depend on the query or the key alone. Other zeros are found by RuleLanes.
  [[nodiscard]] static Result<std::shared_ptr<const RuleProgram>> bind(const MaskRule& rule,
                                                                       const RuleScope& scope);

  [[nodiscard]] Index rows() const { return m_scope.nQ; }
  [[nodiscard]] Index cols() const { return m_scope.nK; }
  [[nodiscard]] std::size_t sections() const { return m_rule.sections.size(); }
  // The error for a division by zero in a node, for one pair.
  [[nodiscard]] tl::unexpected<Error> zeroDivision(std::size_t node, Index query, Index key) const;

  // Which section holds on every pair of a square of 2^level x 2^level tiles.
  struct Verdict {
    static constexpr int kNone = -1;  // no section holds anywhere
    static constexpr int kMixed = -2;
    int section = kMixed;
    bool mayDivideByZero = false;  // then it is kMixed
  };
  // `ranges` is scratch.
  [[nodiscard]] Verdict judge(int level, Index tileRow, Index tileCol, std::vector<RuleRange>& ranges) const;
  [[nodiscard]] int levels() const { return m_levels; }  // the last level has one square

 private:
  friend class RuleLanes;
  enum Dependence : std::uint8_t { kConstant = 0, kRow = 1, kCol = 2, kPair = 3 };
  // A value for every query or every key, with its extremes over 64, 128, ... of them.
  struct Axis {
    std::vector<double> values;  // padded to whole tiles
    std::vector<std::vector<RuleRange>> ranges;
  };

  RuleProgram(const MaskRule& rule, const RuleScope& scope) : m_rule(rule), m_scope(scope) {}
  Status bindNode(std::size_t index);
  Status bindLeaf(std::size_t index);
  Status bindAxis(std::size_t index);
  Status checkRanges() const;
  void buildRanges();
  [[nodiscard]] bool isFrontier(std::size_t index) const;
  [[nodiscard]] RuleRange rangeOf(std::size_t index, int level, Index tileRow, Index tileCol) const;

  MaskRule m_rule;
  RuleScope m_scope;
  int m_levels = 1;
  std::vector<Dependence> m_dependence;
  std::vector<double> m_constants;
  std::vector<std::shared_ptr<Axis>> m_axes;  // of nodes that depend on one side and are read further on
  std::array<std::shared_ptr<Axis>, kRuleNames> m_leaves;
  std::vector<std::size_t> m_pairNodes;  // in order
};

// Evaluates one row of a program, a tile of 64 keys at a time. Scratch of one thread.
class RuleLanes {
 public:
  explicit RuleLanes(const RuleProgram& program);
  void startRow(Index query);
  // One word for each section: bit c is the pair with key 64 * tile + c; sections are disjoint, the first
  // that holds wins. Fails only where a divisor is 0.
  Status evaluate(Index tile, std::span<std::uint64_t> words);

 private:
  const double* numbers(std::int32_t node);
  const std::uint8_t* truths(std::int32_t node);
  Status compute(std::size_t node, Index count);

  const RuleProgram& m_program;
  Index m_query = 0;
  Index m_tile = 0;
  std::vector<double> m_numbers;       // 64 for every node
  std::vector<std::uint8_t> m_truths;  // 64 for every node
};

}  // namespace attnscope
