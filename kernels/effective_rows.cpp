// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/effective_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/analysis/channel_mixing.h"
#include "kernels/cpu/tile_math.h"

namespace attnscope {

EffectiveRows::EffectiveRows(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run,
                             Index head)
    : m_plan(plan.plan()), m_input(input), m_run(run), m_head(head) {
  for (const Step& step : m_plan.steps) {
    if (const auto* attend = std::get_if<AttendStep>(&step)) {
      const HeadAttend& own = attend->heads[static_cast<std::size_t>(head)];
      Part part{attend,
                &own,
                {},
                buffer(attend->q),
                buffer(attend->k),
                m_plan.buffers[static_cast<std::size_t>(attend->q)].cols};
      if (own.queryOrder) {
        part.positionOfQuery.assign(static_cast<std::size_t>(m_plan.shape.nQ), -1);
        for (std::size_t p = 0; p < own.queryOrder->size(); ++p)
          part.positionOfQuery[static_cast<std::size_t>((*own.queryOrder)[p])] = static_cast<std::int32_t>(p);
      }
      m_parts.push_back(std::move(part));
    }
    if (const auto* linear = std::get_if<LinearAttendStep>(&step)) m_linear = linear;
    if (const auto* project = std::get_if<ProjectStep>(&step))
      if (project->out == m_plan.slotValues) m_slotProject = project;
    if (const auto* convolve = std::get_if<ConvolveStep>(&step))
      if (convolve->out == m_plan.slotValues) m_slotConvolve = convolve;
  }
}

const float* EffectiveRows::buffer(BufferId id) const {
  if (id == kQuery) return m_input.q.slice<float>(m_head).data();
  if (id == kKey) return m_input.k.slice<float>(m_input.kvHead(m_head)).data();
  if (id == kValue) return m_input.v.slice<float>(m_input.kvHead(m_head)).data();
  for (const auto& [constant, tensor] : m_plan.constants)
    if (constant == id) return tensor.slice<float>(m_head).data();
  return m_run.buffers.at(m_plan.buffers[static_cast<std::size_t>(id)].name).slice<float>(m_head).data();
}

void EffectiveRows::fill(Index i, Index col0, std::span<float> row, Scratch& scratch) const {
  std::fill(row.begin(), row.end(), 0.0F);
  if (m_linear != nullptr) {
    fillLinear(i, col0, row, scratch);
    return;
  }
  if (readsOnlyItself(i)) {
    if (i >= col0 && i < col0 + static_cast<Index>(row.size()))
      row[static_cast<std::size_t>(i - col0)] = 1.0F;
    return;
  }
  if (m_plan.slotCount > 0) scratch.slots.assign(static_cast<std::size_t>(m_plan.slotCount), 0.0F);
  for (const Part& part : m_parts) {
    if (part.step->axis == KeyAxis::Slots)
      addAttend(part, i, 0, scratch.slots, scratch);
    else
      addAttend(part, i, col0, row, scratch);
  }
  if (m_slotProject != nullptr) unfoldSlots(*m_slotProject, col0, row, scratch);
  if (m_slotConvolve != nullptr) unfoldConvolved(*m_slotConvolve, col0, row, scratch);
}

// A row whose sum carries the whole self penalty has nobody else. Its weight is exactly 1; computed from a
// lse near -100,000, of which float32 keeps 0.008, it would not be.
bool EffectiveRows::readsOnlyItself(Index i) const {
  return std::any_of(m_parts.begin(), m_parts.end(), [&](const Part& part) {
    return part.step->selfPenalty > 0.0 &&
           m_run.lse.slice<float>(m_head)[static_cast<std::size_t>(i)] < -0.5 * part.step->selfPenalty;
  });
}

void EffectiveRows::addAttend(const Part& part, Index i, Index col0, std::span<float> row,
                              Scratch& scratch) const {
  const Index position = part.positionOfQuery.empty() ? i : part.positionOfQuery[static_cast<std::size_t>(i)];
  if (position < 0 || position >= part.head->pattern->rows()) return;
  part.head->pattern->row(position, scratch.runs);
  const float* query = part.q + i * part.d;
  // addRun uses the scratch's logits only, so walking over its runs is safe.
  for (const Run& run : scratch.runs) addRun(part, run, query, i, col0, row, scratch);
}

void EffectiveRows::addRun(const Part& part, const Run& run, const float* query, Index i, Index col0,
                           std::span<float> row, Scratch& scratch) const {
  const float lse = m_run.lse.slice<float>(m_head)[static_cast<std::size_t>(i)];
  const auto scale = static_cast<float>(part.step->scale);
  const float shift = lse + std::log(static_cast<float>(run.multiplicity));
  // Each of the `multiplicity` partial results adds its own share of the pair's weight.
  const auto weigh = [&](float logit) { return std::exp(scale * logit - shift); };
  const Index end = col0 + static_cast<Index>(row.size());
  if (!part.head->keyOrder && run.stride == 1) {
    const Run clipped = clipRun(run, col0, end);
    if (clipped.count() == 0) return;
    scratch.logits.resize(static_cast<std::size_t>(clipped.count()));
    tile_math::dotRows(query, part.k + clipped.begin * part.d, part.d, clipped.count(),
                       scratch.logits.data());
    for (float& logit : scratch.logits) logit = scale * logit - shift;
    tile_math::exponential(scratch.logits.data(), scratch.logits.data(), clipped.count());
    for (Index j = clipped.begin; j < clipped.end; ++j)
      row[static_cast<std::size_t>(j - col0)] += scratch.logits[static_cast<std::size_t>(j - clipped.begin)];
    return;
  }
  for (Index p = run.begin; p < run.end; p += run.stride) {
    const Index j = part.head->keyOrder ? (*part.head->keyOrder)[static_cast<std::size_t>(p)] : p;
    if (j < col0 || j >= end) continue;
    float logit = 0.0F;
    tile_math::dotRows(query, part.k + j * part.d, part.d, 1, &logit);
    if (part.step->selfPenalty > 0.0 && j == i) logit -= static_cast<float>(part.step->selfPenalty) / scale;
    row[static_cast<std::size_t>(j - col0)] += weigh(logit);
  }
}

void EffectiveRows::unfoldSlots(const ProjectStep& project, Index col0, std::span<float> row,
                                const Scratch& scratch) const {
  const auto cols = static_cast<Index>(row.size());
  if (const auto* weight = std::get_if<Tensor>(&project.weight)) {
    const auto rows = weight->slice<float>(weight->dim(0) == 1 ? 0 : m_head);
    for (Index a = 0; a < m_plan.slotCount; ++a) {
      const float share = scratch.slots[static_cast<std::size_t>(a)];
      const float* composition = rows.data() + a * weight->dim(2) + col0;
      for (Index c = 0; c < cols; ++c) row[static_cast<std::size_t>(c)] += share * composition[c];
    }
    return;
  }
  const auto& reduce = std::get<SegmentReduce>(project.weight);
  for (Index a = 0; a < m_plan.slotCount; ++a) {
    const Index begin = reduce.bounds[static_cast<std::size_t>(a)];
    if (begin == reduce.bounds[static_cast<std::size_t>(a) + 1]) continue;
    const bool first = reduce.kind == SegmentReduce::Kind::First;
    const Index end = first ? begin + 1 : reduce.bounds[static_cast<std::size_t>(a) + 1];
    const float share = scratch.slots[static_cast<std::size_t>(a)] / static_cast<float>(end - begin);
    for (Index j = std::max(begin, col0); j < std::min(end, col0 + cols); ++j)
      row[static_cast<std::size_t>(j - col0)] += share;
  }
}

// The part of a convolution that acts on the tokens' own channels.
void EffectiveRows::unfoldConvolved(const ConvolveStep& convolve, Index col0, std::span<float> row,
                                    const Scratch& scratch) const {
  const Index stride = convolve.weight.dim(1);
  const Index cols = convolve.weight.dim(2);
  const auto taps = convolve.weight.slice<float>(m_head);
  for (std::size_t c = 0; c < row.size(); ++c) {
    const Index j = col0 + static_cast<Index>(c);
    const float* tap = taps.data() + j % stride * cols * cols;
    row[c] +=
        scratch.slots[static_cast<std::size_t>(j / stride)] * static_cast<float>(meanDiagonal(tap, cols));
  }
}

void EffectiveRows::fillLinear(Index i, Index col0, std::span<float> row, Scratch&) const {
  const Index r = m_plan.buffers[static_cast<std::size_t>(m_linear->phiK)].cols;
  const float denominator = buffer(m_linear->denominator)[i];
  Index cols = static_cast<Index>(row.size());
  if (m_linear->causal) cols = std::min(cols, i + m_plan.shape.nK - m_plan.shape.nQ + 1 - col0);
  if (denominator == 0.0F || cols <= 0) return;
  tile_math::dotRows(buffer(m_linear->phiQ) + i * r, buffer(m_linear->phiK) + col0 * r, r, cols, row.data());
  for (Index c = 0; c < cols; ++c) row[static_cast<std::size_t>(c)] /= denominator;
}

}  // namespace attnscope
