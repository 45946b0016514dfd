// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/pattern.h"

#include <algorithm>

namespace attnscope {

namespace {

class RulePattern final : public Pattern {
 public:
  RulePattern(Index rows, Index cols, std::function<void(Index, RunList&)> rule)
      : Pattern(rows, cols), m_rule(std::move(rule)) {}
  void row(Index i, RunList& runs) const override {
    runs.clear();
    m_rule(i, runs);
  }

 private:
  std::function<void(Index, RunList&)> m_rule;
};

class CountedPattern final : public Pattern {
 public:
  CountedPattern(Index rows, Index cols, std::function<void(Index, RunList&)> rule,
                 std::function<void(Index, SignedRunList&)> countingRule,
                 std::function<void(Index, std::vector<TileCells>&)> cellRule)
      : Pattern(rows, cols),
        m_rule(std::move(rule)),
        m_countingRule(std::move(countingRule)),
        m_cellRule(std::move(cellRule)) {}
  void row(Index i, RunList& runs) const override {
    runs.clear();
    m_rule(i, runs);
  }
  void countedRow(Index i, SignedRunList& runs, RunList& /*scratch*/) const override {
    runs.clear();
    m_countingRule(i, runs);
  }
  bool cells(Index tileRow, std::vector<TileCells>& tiles) const override {
    if (m_cellRule) m_cellRule(tileRow, tiles);
    return m_cellRule != nullptr;
  }

 private:
  std::function<void(Index, RunList&)> m_rule;
  std::function<void(Index, SignedRunList&)> m_countingRule;
  std::function<void(Index, std::vector<TileCells>&)> m_cellRule;  // or none
};

}  // namespace

void Pattern::countedRow(Index i, SignedRunList& runs, RunList& scratch) const {
  row(i, scratch);
  runs.clear();
  for (const Run& run : scratch) runs.push_back({run, false});
}

bool Pattern::cells(Index /*tileRow*/, std::vector<TileCells>& /*tiles*/) const {
  return false;
}

PatternPtr makePattern(Index rows, Index cols, std::function<void(Index row, RunList& runs)> rule,
                       std::function<void(Index row, SignedRunList& runs)> countingRule) {
  return makePattern(rows, cols, std::move(rule), std::move(countingRule), nullptr);
}

PatternPtr makePattern(Index rows, Index cols, std::function<void(Index row, RunList& runs)> rule,
                       std::function<void(Index row, SignedRunList& runs)> countingRule,
                       std::function<void(Index tileRow, std::vector<TileCells>& tiles)> cellRule) {
  return std::make_shared<CountedPattern>(rows, cols, std::move(rule), std::move(countingRule),
                                          std::move(cellRule));
}

PatternPtr makePattern(Index rows, Index cols, std::function<void(Index row, RunList& runs)> rule) {
  return std::make_shared<RulePattern>(rows, cols, std::move(rule));
}

PatternPtr withoutLabels(PatternPtr pattern, std::vector<bool> hidden) {
  const Index rows = pattern->rows();
  const Index cols = pattern->cols();
  const auto isHidden = [hidden = std::move(hidden)](std::uint8_t label) {
    return label < hidden.size() && hidden[label];
  };
  return makePattern(
      rows, cols,
      [pattern, isHidden](Index i, RunList& runs) {
        pattern->row(i, runs);
        std::erase_if(runs, [&](const Run& run) { return isHidden(run.label); });
      },
      [pattern, isHidden](Index i, SignedRunList& runs) {
        RunList scratch;
        pattern->countedRow(i, runs, scratch);
        std::erase_if(runs, [&](const SignedRun& run) { return isHidden(run.run.label); });
      });
}

Index rowCount(const Pattern& pattern, Index i) {
  RunList runs;
  pattern.row(i, runs);
  Index count = 0;
  for (const Run& run : runs) count += run.count();
  return count;
}

Run clipRun(const Run& run, Index begin, Index end) {
  Run clipped = run;
  if (begin > run.begin) clipped.begin += (begin - run.begin + run.stride - 1) / run.stride * run.stride;
  clipped.end = std::min(run.end, end);
  return clipped;
}

Index countPairs(const Pattern& pattern, Index row0, Index row1, Index col0, Index col1) {
  RunList runs;
  Index count = 0;
  for (Index i = row0; i < row1; ++i) {
    pattern.row(i, runs);
    for (const Run& run : runs) count += clipRun(run, col0, col1).count();
  }
  return count;
}

std::string asciiPattern(const Pattern& pattern, const std::string& letters) {
  std::string text;
  RunList runs;
  for (Index i = 0; i < pattern.rows(); ++i) {
    std::string line(static_cast<std::size_t>(pattern.cols()), '.');
    pattern.row(i, runs);
    for (const Run& run : runs)
      for (Index j = run.begin; j < run.end; j += run.stride)
        line[static_cast<std::size_t>(j)] =
            run.label < letters.size() ? letters[run.label] : static_cast<char>('1' + run.label % 9);
    text += line + "\n";
  }
  return text;
}

}  // namespace attnscope
