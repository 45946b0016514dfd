// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"
#include "kernels/backend.h"
#include "kernels/shared/score_terms.h"

namespace attnscope {

// Rows of the matrix that one head applied, restricted to the columns [col0, col0 + cols), from what its pass
// left. A row is followed from the output back through the steps that made it until it stands on the values
// of tokens. References the plan, input and run it is given. fill() may be called from several threads, each
// with a Scratch of its own.
class EffectiveRows {
 public:
  // Working memory of one thread, one set for each stage that a row passes through.
  struct Stage {
    RunList runs;
    std::vector<float> logits;
    std::vector<Index> keys;
  };
  using Scratch = std::deque<Stage>;

  // `rowsWanted`: how many rows will be asked for; with many, intermediate stages are made once beforehand.
  EffectiveRows(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run, Index head,
                Index col0, Index cols, Index rowsWanted);

  // Weights of query i; row has `cols` entries.
  void fill(Index i, std::span<float> row, Scratch& scratch) const;
  // Weights of queries [first, first + count): rows (count, cols). The same numbers up to rounding.
  void fillRows(Index first, Index count, std::span<float> rows, Scratch& scratch) const;

 private:
  // An attend step as this head executed it.
  struct Attend {
    const AttendStep* step = nullptr;
    const HeadAttend* head = nullptr;
    std::vector<std::int32_t> positionOfQuery;  // empty: identity
    const float* q = nullptr;
    const float* k = nullptr;
    const float* lse = nullptr;
    Index d = 0;
    std::vector<BoundTerm> terms;
  };
  // What a stage is asked for: weight times row `row` of a buffer.
  struct Asked {
    Index row = 0;
    float weight = 1.0F;
    std::size_t depth = 0;
  };

  [[nodiscard]] const float* buffer(BufferId id) const;
  [[nodiscard]] bool multiplyStage(Index first, Index count, std::span<float> rows, Scratch& scratch) const;
  [[nodiscard]] bool isTokenValues(BufferId id) const;
  // The tokens that a row of values is made of where its step says so at once; else all of them.
  struct TokenRange {
    Index begin = 0;
    Index end = 0;
  };
  [[nodiscard]] TokenRange tokensOf(BufferId values, Index row) const;
  void bindAttend(std::size_t step);
  void bindConvolve(std::size_t step);
  void prepareStages(Index rowsWanted);
  void writeStage(BufferId id);
  void findReaching(BufferId id);
  [[nodiscard]] Index positionOf(const Attend& attend, Index row) const;
  [[nodiscard]] bool readsColumns(const Attend& attend, Index row, RunList& runs) const;
  [[nodiscard]] bool looksAt(Index token) const { return token >= m_col0 && token < m_col0 + m_cols; }
  [[nodiscard]] bool mayReach(BufferId id, Index row) const;

  // row += asked.weight * (row asked.row of buffer `id`, as weights on the tokens).
  void add(BufferId id, const Asked& asked, std::span<float> row, Scratch& scratch) const;
  void addStep(BufferId id, const Asked& asked, std::span<float> row, Scratch& scratch) const;
  void addAttend(const Attend& attend, BufferId values, const Asked& asked, std::span<float> row,
                 Scratch& scratch) const;
  void addRun(const Attend& attend, BufferId values, const Run& run, const Asked& asked, Index query,
              float lse, std::span<float> row, Scratch& scratch) const;
  void weigh(const Attend& attend, Index query, float shift, Stage& stage) const;
  void spread(BufferId values, const Asked& asked, std::span<float> row, Scratch& scratch) const;
  void addMerge(const MergeStep& merge, const Asked& asked, std::span<float> row, Scratch& scratch) const;
  void addProject(const ProjectStep& project, const Asked& asked, std::span<float> row,
                  Scratch& scratch) const;
  void addConvolve(const ConvolveStep& convolve, const Asked& asked, std::span<float> row,
                   Scratch& scratch) const;
  void addGather(const GatherStep& gather, const Asked& asked, std::span<float> row, Scratch& scratch) const;
  void addExponents(const LinearAttendStep& linear, const Asked& asked, std::span<float> row,
                    Stage& stage) const;
  void prepareExponents(const LinearAttendStep& linear);
  void addLinear(const LinearAttendStep& linear, const Asked& asked, std::span<float> row,
                 Scratch& scratch) const;

  const Plan& m_plan;
  const AttentionInput& m_input;
  const RunResult& m_run;
  Index m_head;
  Index m_col0;
  Index m_cols;
  std::vector<const Step*> m_writer;  // by buffer; null for inputs and constants
  std::vector<Attend> m_attends;      // by step; empty for other steps
  std::vector<std::vector<float>>
      m_taps;                     // by step: what a convolution does to a channel of each of its rows
  std::vector<float> m_features;  // of the keys that a step with exponents reads, (columns, r)
  std::vector<float> m_largest;   // what they are relative to, by block of columns
  std::vector<std::vector<float>> m_stage;  // by buffer: its rows on the columns, if made beforehand
  // By buffer, if it was found out beforehand: 0 for rows that are made of no column that is looked at.
  std::vector<std::vector<std::uint8_t>> m_reaching;
};

}  // namespace attnscope
