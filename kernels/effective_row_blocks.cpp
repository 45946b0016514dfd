// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/simd/tile_math.h"
#include "kernels/effective_rows.h"

namespace attnscope {

void EffectiveRows::fillRows(Index first, Index count, std::span<float> rows, Scratch& scratch) const {
  if (multiplyStage(first, count, rows, scratch)) return;
  for (Index r = 0; r < count; ++r)
    fill(first + r, rows.subspan(static_cast<std::size_t>(r * m_cols), static_cast<std::size_t>(m_cols)),
         scratch);
}

// Where the rows read the same slots, and these are written out: one product instead of a walk through all
// slots for each row, which would fetch them from memory again and again. False where it is not so.
bool EffectiveRows::multiplyStage(Index first, Index count, std::span<float> rows, Scratch& scratch) const {
  const Step* writer = m_writer[static_cast<std::size_t>(m_plan.out)];
  if (writer == nullptr || !std::holds_alternative<AttendStep>(*writer) || m_cols % 16 != 0) return false;
  const Attend& attend = m_attends[static_cast<std::size_t>(writer - m_plan.steps.data())];
  const auto& written = m_stage[static_cast<std::size_t>(attend.step->v)];
  if (written.empty() || attend.step->out != m_plan.out || attend.head->keyOrder || attend.head->queryOrder ||
      attend.step->selfPenalty > 0.0)
    return false;
  if (scratch.empty()) scratch.emplace_back();
  Stage& stage = scratch.front();
  RunList shared;
  for (Index r = 0; r < count; ++r) {
    if (positionOf(attend, first + r) < 0) return false;
    attend.head->pattern->row(first + r, r == 0 ? shared : stage.runs);
    if (r > 0 && stage.runs != shared) return false;
  }
  if (shared.size() != 1 || shared.front().stride != 1 || shared.front().multiplicity != 1) return false;
  const Run run = shared.front();
  stage.keys.clear();
  for (Index j = run.begin; j < run.end; ++j) stage.keys.push_back(j);
  const Index keys = run.end - run.begin;
  std::vector<float> weights(static_cast<std::size_t>(count * keys), 0.0F);
  for (Index r = 0; r < count; ++r) {
    const float lse = attend.lse[first + r];
    if (lse == -std::numeric_limits<float>::infinity()) continue;
    weigh(attend, first + r, lse, stage);
    std::copy(stage.logits.begin(), stage.logits.end(), weights.begin() + r * keys);
  }
  tile_math::gemm(weights.data(), keys, written.data() + run.begin * m_cols, m_cols, rows.data(), m_cols,
                  count, m_cols, keys, false);
  return true;
}

}  // namespace attnscope
