// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"
#include "kernels/backend.h"

namespace attnscope {

// Single rows of the matrix that one head applied, from what its pass left. References the plan, input and
// run it is given. fill() may be called from several threads, each with a Scratch of its own.
class EffectiveRows {
 public:
  struct Scratch {
    RunList runs;
    std::vector<float> logits;
    std::vector<float> slots;
  };

  EffectiveRows(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run, Index head);

  // Weights of query i on the keys [col0, col0 + row.size()).
  void fill(Index i, Index col0, std::span<float> row, Scratch& scratch) const;

 private:
  // An attend step as this head executed it.
  struct Part {
    const AttendStep* step;
    const HeadAttend* head;
    std::vector<std::int32_t> positionOfQuery;  // empty: identity
    const float* q;
    const float* k;
    Index d;
  };

  [[nodiscard]] const float* buffer(BufferId id) const;
  [[nodiscard]] bool readsOnlyItself(Index i) const;
  void addAttend(const Part& part, Index i, Index col0, std::span<float> row, Scratch& scratch) const;
  void addRun(const Part& part, const Run& run, const float* query, Index i, Index col0, std::span<float> row,
              Scratch& scratch) const;
  void unfoldConvolved(const ConvolveStep& convolve, Index col0, std::span<float> row,
                       const Scratch& scratch) const;
  void unfoldSlots(const ProjectStep& project, Index col0, std::span<float> row,
                   const Scratch& scratch) const;
  void fillLinear(Index i, Index col0, std::span<float> row, Scratch& scratch) const;

  const Plan& m_plan;
  const AttentionInput& m_input;
  const RunResult& m_run;
  Index m_head;
  std::vector<Part> m_parts;
  const LinearAttendStep* m_linear = nullptr;
  const ProjectStep* m_slotProject = nullptr;
  const ConvolveStep* m_slotConvolve = nullptr;
};

}  // namespace attnscope
