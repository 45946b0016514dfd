// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/rule_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/rules/rule_scanner.h"

namespace attnscope {

namespace {

constexpr std::size_t kMostAxisBytes = std::size_t{512} << 20;

bool isQueryName(RuleName name) {
  return name == RuleName::Query || name == RuleName::QueryBlock || name == RuleName::QueryColumn ||
         name == RuleName::QueryRow || name == RuleName::QuerySegment;
}
bool isKeyName(RuleName name) {
  return name == RuleName::Key || name == RuleName::KeyBlock || name == RuleName::KeyColumn ||
         name == RuleName::KeyRow || name == RuleName::KeySegment;
}
bool isGridName(RuleName name) {
  return name >= RuleName::QueryColumn && name <= RuleName::KeyRow;
}
bool isSegmentName(RuleName name) {
  return name == RuleName::QuerySegment || name == RuleName::KeySegment;
}

std::size_t tilesOf(Index n) {
  return static_cast<std::size_t>((n + kTile - 1) / kTile);
}

double coordinate(const RuleScope& scope, RuleName name, Index token) {
  switch (name) {
    case RuleName::QueryBlock:
    case RuleName::KeyBlock:
      return static_cast<double>(token / scope.block);
    case RuleName::QueryColumn:
    case RuleName::KeyColumn:
      return static_cast<double>(token % scope.grid.width);
    case RuleName::QueryRow:
    case RuleName::KeyRow:
      return static_cast<double>(token / scope.grid.width);
    case RuleName::QuerySegment:
    case RuleName::KeySegment:
      return static_cast<double>(scope.segments[static_cast<std::size_t>(token)]);
    default:
      return static_cast<double>(token);
  }
}

// Extremes over every tile, over pairs of tiles, and so on up to `levels`.
std::vector<std::vector<RuleRange>> pyramid(const std::vector<double>& values, Index n, int levels) {
  std::vector<std::vector<RuleRange>> ranges(static_cast<std::size_t>(levels));
  for (std::size_t t = 0; t < tilesOf(n); ++t) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(t * kTile);
    const auto end =
        values.begin() + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>((t + 1) * kTile), n);
    const auto [low, high] = std::minmax_element(begin, end);
    ranges[0].push_back({*low, *high});
  }
  for (std::size_t level = 1; level < ranges.size(); ++level)
    for (std::size_t i = 0; i < ranges[level - 1].size(); i += 2) {
      RuleRange range = ranges[level - 1][i];
      if (i + 1 < ranges[level - 1].size()) {
        range.low = std::min(range.low, ranges[level - 1][i + 1].low);
        range.high = std::max(range.high, ranges[level - 1][i + 1].high);
      }
      ranges[level].push_back(range);
    }
  return ranges;
}

}  // namespace

double RuleScope::constant(RuleName name) const {
  switch (name) {
    case RuleName::Head:
      return static_cast<double>(head);
    case RuleName::Keys:
      return static_cast<double>(nK);
    case RuleName::Queries:
      return static_cast<double>(nQ);
    case RuleName::Window:
      return static_cast<double>(window);
    case RuleName::Stride:
      return static_cast<double>(stride);
    case RuleName::Globals:
      return static_cast<double>(globals);
    default:
      return static_cast<double>(block);
  }
}

Result<std::shared_ptr<const RuleProgram>> RuleProgram::bind(const MaskRule& rule, const RuleScope& scope) {
  const std::shared_ptr<RuleProgram> program(new RuleProgram(rule, scope));
  const std::size_t count = rule.nodes.size();
  program->m_dependence.resize(count, kConstant);
  program->m_constants.resize(count, 0.0);
  program->m_axes.resize(count);
  const std::size_t tiles = std::max(tilesOf(scope.nQ), tilesOf(scope.nK));
  while (std::size_t{1} << (program->m_levels - 1) < tiles) ++program->m_levels;
  for (std::size_t i = 0; i < count; ++i) ATTN_TRY(program->bindNode(i));
  program->buildRanges();
  ATTN_TRY(program->checkRanges());
  return std::shared_ptr<const RuleProgram>(program);
}

Status RuleProgram::bindNode(std::size_t index) {
  const RuleNode& node = m_rule.nodes[index];
  if (node.op == RuleOp::Number) {
    m_constants[index] = node.number;
    return {};
  }
  if (node.op == RuleOp::Name) return bindLeaf(index);
  unsigned dependence = m_dependence[static_cast<std::size_t>(node.a)];
  if (node.b >= 0) dependence |= m_dependence[static_cast<std::size_t>(node.b)];
  m_dependence[index] = static_cast<Dependence>(dependence);
  if (dependence != kPair) return bindAxis(index);
  m_pairNodes.push_back(index);
  return {};
}

Status RuleProgram::bindLeaf(std::size_t index) {
  const RuleNode& node = m_rule.nodes[index];
  const bool query = isQueryName(node.name);
  if (!query && !isKeyName(node.name)) {
    m_constants[index] = m_scope.constant(node.name);
    return {};
  }
  const auto refuse = [&](const std::string& sentence) {
    return ruleFault(m_rule.text, node.begin, node.end, sentence);
  };
  const char* word = ruleWord(node.name);
  if (isSegmentName(node.name) && m_scope.segments.empty())
    return refuse(
        fmt::format("this input has no segments, so there is no {}. Texts have one for each sentence; "
                    "for parts of equal length use qb and kb.",
                    word));
  if (isGridName(node.name) && m_scope.grid.width == 0)
    return refuse(
        fmt::format("these tokens have no grid, so there is no {}. Use a self-attention input, or a "
                    "picture.",
                    word));
  if (query && m_scope.nQ != m_scope.nK && (isGridName(node.name) || isSegmentName(node.name)))
    return refuse(fmt::format("{} needs as many queries as keys, but there are {} and {}.", word, m_scope.nQ,
                              m_scope.nK));
  m_dependence[index] = query ? kRow : kCol;
  auto& shared = m_leaves[static_cast<std::size_t>(node.name)];
  if (!shared) {
    const Index n = query ? m_scope.nQ : m_scope.nK;
    shared = std::make_shared<Axis>();
    shared->values.resize(tilesOf(n) * kTile, 0.0);
    for (Index token = 0; token < n; ++token)
      shared->values[static_cast<std::size_t>(token)] = coordinate(m_scope, node.name, token);
  }
  m_axes[index] = shared;
  return {};
}

// A node of constants, or of one side: all its values at once. Operands are read by nobody else and let go.
Status RuleProgram::bindAxis(std::size_t index) {
  const RuleNode& node = m_rule.nodes[index];
  const bool constant = m_dependence[index] == kConstant;
  const bool query = m_dependence[index] == kRow;
  const Index n = constant ? 1 : query ? m_scope.nQ : m_scope.nK;
  auto axis = std::make_shared<Axis>();
  axis->values.resize(tilesOf(n) * kTile);
  std::array<std::array<double, kRuleLanes>, 2> fixed{};
  const auto lanes = [&](std::int32_t operand, std::size_t which, std::size_t tile) -> const double* {
    if (operand < 0) return fixed[which].data();
    const auto o = static_cast<std::size_t>(operand);
    if (m_axes[o]) return m_axes[o]->values.data() + tile * kTile;
    fixed[which].fill(m_constants[o]);
    return fixed[which].data();
  };
  std::array<std::uint8_t, kRuleLanes> left{};
  std::array<std::uint8_t, kRuleLanes> right{};
  for (std::size_t tile = 0; tile < tilesOf(n); ++tile) {
    const double* a = lanes(node.a, 0, tile);
    const double* b = lanes(node.b, 1, tile);
    double* out = axis->values.data() + tile * kTile;
    const auto count = std::min<Index>(kTile, n - static_cast<Index>(tile) * kTile);
    if (isDivision(node.op))
      if (const double* zero = std::find(b, b + count, 0.0); zero != b + count) {
        const Index at = static_cast<Index>(tile) * kTile + (zero - b);
        return zeroDivision(index, at, at);
      }
    if (!isCondition(node.op)) {
      ruleNumbers(node.op, a, b, out);
      continue;
    }
    if (node.op == RuleOp::And || node.op == RuleOp::Or || node.op == RuleOp::Not) {
      ruleTruths(a, left.data());
      ruleTruths(b, right.data());
      ruleLogic(node.op, left.data(), right.data(), left.data());
    } else {
      ruleComparison(node.op, a, b, left.data());
    }
    ruleTruthNumbers(left.data(), out);
  }
  for (const std::int32_t operand : {node.a, node.b})
    if (operand >= 0) m_axes[static_cast<std::size_t>(operand)].reset();
  if (constant) {
    m_constants[index] = axis->values[0];
    if (std::abs(m_constants[index]) <= kLargestRuleNumber) return {};
    return ruleFault(m_rule.text, node.begin, node.end, "this number is beyond 2^50.");
  }
  const auto large = std::find_if(axis->values.begin(), axis->values.begin() + static_cast<std::ptrdiff_t>(n),
                                  [](double x) { return !(std::abs(x) <= kLargestRuleNumber); });
  if (large != axis->values.begin() + static_cast<std::ptrdiff_t>(n))
    return ruleFault(m_rule.text, node.begin, node.end,
                     fmt::format("this leaves the numbers up to 2^50, first for {} {}.",
                                 query ? "query" : "key", large - axis->values.begin()));
  m_axes[index] = std::move(axis);
  std::size_t bytes = 0;
  for (const auto& held : m_axes)
    if (held) bytes += held->values.size() * sizeof(double);
  if (bytes > kMostAxisBytes)
    return ruleFault(
        m_rule.text, node.begin, node.end,
        fmt::format("with {} queries and {} keys this rule has too many parts to hold ({} MiB). Use a "
                    "shorter rule or input.",
                    m_scope.nQ, m_scope.nK, kMostAxisBytes >> 20));
  return {};
}

void RuleProgram::buildRanges() {
  for (std::size_t i = 0; i < m_axes.size(); ++i)
    if (m_axes[i] && m_axes[i]->ranges.empty())
      m_axes[i]->ranges =
          pyramid(m_axes[i]->values, m_dependence[i] == kRow ? m_scope.nQ : m_scope.nK, m_levels);
}

RuleRange RuleProgram::rangeOf(std::size_t index, int level, Index tileRow, Index tileCol) const {
  if (!m_axes[index]) return {m_constants[index], m_constants[index]};
  const auto& ranges = m_axes[index]->ranges[static_cast<std::size_t>(level)];
  return ranges[static_cast<std::size_t>(m_dependence[index] == kRow ? tileRow : tileCol)];
}

// Bounds over all pairs: what stays below 2^50 here is exact everywhere.
Status RuleProgram::checkRanges() const {
  std::vector<RuleRange> ranges(m_rule.nodes.size());
  const auto range = [&](std::int32_t operand) {
    if (operand < 0) return RuleRange{};
    const auto o = static_cast<std::size_t>(operand);
    return m_dependence[o] == kPair ? ranges[o] : rangeOf(o, m_levels - 1, 0, 0);
  };
  for (const std::size_t i : m_pairNodes) {
    const RuleNode& node = m_rule.nodes[i];
    const RuleRange b = range(node.b);
    if (isDivision(node.op) && b.isFalse()) return zeroDivision(i, 0, 0);
    ranges[i] = ruleRange(node, range(node.a), b);
    if (ranges[i].low < -kLargestRuleNumber || ranges[i].high > kLargestRuleNumber)
      return ruleFault(m_rule.text, node.begin, node.end,
                       "for some pairs this may leave the numbers up to 2^50.");
  }
  return {};
}

tl::unexpected<Error> RuleProgram::zeroDivision(std::size_t node, Index query, Index key) const {
  const RuleNode& division = m_rule.nodes[node];
  const RuleNode& divisor = m_rule.nodes[static_cast<std::size_t>(division.b)];
  const std::string what = m_rule.text.substr(divisor.begin, divisor.end - divisor.begin);
  // Only what the divisor depends on is of interest.
  const Dependence dependence = m_dependence[static_cast<std::size_t>(division.b)];
  const std::string where = dependence == kPair  ? fmt::format(" for query {} and key {}", query, key)
                            : dependence == kRow ? fmt::format(" for query {}", query)
                            : dependence == kCol ? fmt::format(" for key {}", key)
                                                 : "";
  return ruleFault(m_rule.text, division.mark, division.markEnd,
                   fmt::format("division by zero: '{}' is 0{}. Every part is evaluated for every pair; write "
                               "max(..., 1) where a divisor may be 0.",
                               what, where));
}

RuleProgram::Verdict RuleProgram::judge(int level, Index tileRow, Index tileCol,
                                        std::vector<RuleRange>& ranges) const {
  ranges.resize(m_rule.nodes.size());
  const auto range = [&](std::int32_t operand) {
    if (operand < 0) return RuleRange{};
    const auto o = static_cast<std::size_t>(operand);
    return m_dependence[o] == kPair ? ranges[o] : rangeOf(o, level, tileRow, tileCol);
  };
  for (const std::size_t i : m_pairNodes) {
    const RuleNode& node = m_rule.nodes[i];
    const RuleRange b = range(node.b);
    if (isDivision(node.op) && b.hasZero()) return {Verdict::kMixed, true};
    ranges[i] = ruleRange(node, range(node.a), b);
  }
  for (std::size_t s = 0; s < m_rule.sections.size(); ++s) {
    const RuleRange truth = range(m_rule.sections[s].root);
    if (truth.isTrue()) return {static_cast<int>(s), false};
    if (!truth.isFalse()) return {Verdict::kMixed, false};
  }
  return {Verdict::kNone, false};
}

RuleLanes::RuleLanes(const RuleProgram& program)
    : m_program(program),
      m_numbers(program.m_rule.nodes.size() * kRuleLanes),
      m_truths(program.m_rule.nodes.size() * kRuleLanes) {
  for (std::size_t i = 0; i < program.m_rule.nodes.size(); ++i)
    if (program.m_dependence[i] == RuleProgram::kConstant)
      std::fill_n(m_numbers.begin() + static_cast<std::ptrdiff_t>(i * kRuleLanes), kRuleLanes,
                  program.m_constants[i]);
}

void RuleLanes::startRow(Index query) {
  m_query = query;
  for (std::size_t i = 0; i < m_program.m_axes.size(); ++i)
    if (m_program.m_axes[i] && m_program.m_dependence[i] == RuleProgram::kRow)
      std::fill_n(m_numbers.begin() + static_cast<std::ptrdiff_t>(i * kRuleLanes), kRuleLanes,
                  m_program.m_axes[i]->values[static_cast<std::size_t>(query)]);
}

const double* RuleLanes::numbers(std::int32_t node) {
  const auto i = static_cast<std::size_t>(std::max(node, 0));
  double* own = m_numbers.data() + i * kRuleLanes;
  const auto dependence = m_program.m_dependence[i];
  if (dependence == RuleProgram::kCol) return m_program.m_axes[i]->values.data() + m_tile * kTile;
  if (dependence == RuleProgram::kPair && isCondition(m_program.m_rule.nodes[i].op))
    ruleTruthNumbers(m_truths.data() + i * kRuleLanes, own);
  return own;
}

const std::uint8_t* RuleLanes::truths(std::int32_t node) {
  const auto i = static_cast<std::size_t>(std::max(node, 0));
  std::uint8_t* own = m_truths.data() + i * kRuleLanes;
  if (m_program.m_dependence[i] != RuleProgram::kPair || !isCondition(m_program.m_rule.nodes[i].op))
    ruleTruths(numbers(node), own);
  return own;
}

Status RuleLanes::compute(std::size_t index, Index count) {
  const RuleNode& node = m_program.m_rule.nodes[index];
  std::uint8_t* condition = m_truths.data() + index * kRuleLanes;
  if (node.op == RuleOp::And || node.op == RuleOp::Or || node.op == RuleOp::Not) {
    const std::uint8_t* a = truths(node.a);
    ruleLogic(node.op, a, node.b < 0 ? a : truths(node.b), condition);
    return {};
  }
  const double* a = numbers(node.a);
  const double* b = node.b < 0 ? a : numbers(node.b);
  if (isDivision(node.op))
    if (const double* zero = std::find(b, b + count, 0.0); zero != b + count)
      return m_program.zeroDivision(index, m_query, m_tile * kTile + (zero - b));
  if (isCondition(node.op))
    ruleComparison(node.op, a, b, condition);
  else
    ruleNumbers(node.op, a, b, m_numbers.data() + index * kRuleLanes);
  return {};
}

Status RuleLanes::evaluate(Index tile, std::span<std::uint64_t> words) {
  m_tile = tile;
  const Index count = std::min<Index>(kTile, m_program.cols() - tile * kTile);
  for (const std::size_t node : m_program.m_pairNodes) ATTN_TRY(compute(node, count));
  std::uint64_t left = count == kTile ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
  for (std::size_t s = 0; s < words.size(); ++s) {
    words[s] = ruleWord64(truths(m_program.m_rule.sections[s].root)) & left;
    left &= ~words[s];
  }
  return {};
}

}  // namespace attnscope
