// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/effective_rows.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/analysis/channel_mixing.h"
#include "core/simd/row_math.h"

namespace attnscope {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr Index kMostStageCells = Index{1} << 24;
constexpr Index kExponentBlock = 64;
constexpr Index kRowsAskedOf =
    256;  // rows of a stage, for each row that is wanted, that are worth a question

std::size_t at(BufferId id) {
  return static_cast<std::size_t>(id);
}

// The buffers that a step writes values into.
std::vector<BufferId> writtenBy(const Step& step) {
  if (const auto* attend = std::get_if<AttendStep>(&step)) {
    if (attend->out2 == kNoBuffer) return {attend->out};
    return {attend->out, attend->out2};
  }
  return {std::visit([](const auto& s) { return s.out; }, step)};
}

}  // namespace

EffectiveRows::EffectiveRows(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run,
                             Index head, Index col0, Index cols, Index rowsWanted)
    : m_plan(plan.plan()),
      m_input(input),
      m_run(run),
      m_head(head),
      m_col0(col0),
      m_cols(cols),
      m_writer(m_plan.buffers.size(), nullptr),
      m_attends(m_plan.steps.size()),
      m_taps(m_plan.steps.size()),
      m_stage(m_plan.buffers.size()),
      m_reaching(m_plan.buffers.size()) {
  for (std::size_t s = 0; s < m_plan.steps.size(); ++s) {
    for (const BufferId id : writtenBy(m_plan.steps[s])) m_writer[at(id)] = &m_plan.steps[s];
    if (std::holds_alternative<AttendStep>(m_plan.steps[s])) bindAttend(s);
    if (std::holds_alternative<ConvolveStep>(m_plan.steps[s])) bindConvolve(s);
    const auto* linear = std::get_if<LinearAttendStep>(&m_plan.steps[s]);
    if (linear != nullptr && linear->exponents) prepareExponents(*linear);
  }
  prepareStages(rowsWanted);
}

void EffectiveRows::bindAttend(std::size_t s) {
  Attend& attend = m_attends[s];
  attend.step = &std::get<AttendStep>(m_plan.steps[s]);
  attend.head = &attend.step->heads[static_cast<std::size_t>(m_head)];
  attend.lse = buffer(attend.step->lse);
  if (attend.step->q != kNoBuffer) {
    attend.q = buffer(attend.step->q);
    attend.k = buffer(attend.step->k);
    attend.d = m_plan.buffers[at(attend.step->q)].cols;
  }
  for (const ScoreTerm& term : attend.step->terms)
    attend.terms.push_back(bindTerm(term, m_head, [&](BufferId id) {
      return TermRows{buffer(id), m_plan.buffers[at(id)].cols};
    }));
  if (!attend.head->queryOrder || attend.step->rowsByPosition) return;
  attend.positionOfQuery.assign(static_cast<std::size_t>(m_plan.buffers[at(attend.step->out)].rows), -1);
  for (std::size_t p = 0; p < attend.head->queryOrder->size(); ++p)
    attend.positionOfQuery[static_cast<std::size_t>((*attend.head->queryOrder)[p])] =
        static_cast<std::int32_t>(p);
}

void EffectiveRows::bindConvolve(std::size_t s) {
  const Tensor& weight = std::get<ConvolveStep>(m_plan.steps[s]).weight;
  const Index cols = weight.dim(2);
  const float* taps = weight.slice<float>(m_head).data();
  for (Index t = 0; t < weight.dim(1); ++t)
    m_taps[s].push_back(static_cast<float>(meanDiagonal(taps + t * cols * cols, cols)));
}

EffectiveRows::TokenRange EffectiveRows::tokensOf(BufferId values, Index row) const {
  const TokenRange all{0, m_plan.shape.nK};
  const Step* writer = m_writer[at(values)];
  if (writer == nullptr) return all;
  if (const auto* convolve = std::get_if<ConvolveStep>(writer); convolve && isTokenValues(convolve->in)) {
    const Index stride = convolve->weight.dim(1);
    return {row * stride, (row + 1) * stride};
  }
  const auto* project = std::get_if<ProjectStep>(writer);
  if (project == nullptr || !isTokenValues(project->in)) return all;
  const auto* reduce = std::get_if<SegmentReduce>(&project->weight);
  if (reduce == nullptr) return all;
  return {reduce->bounds[static_cast<std::size_t>(row)], reduce->bounds[static_cast<std::size_t>(row) + 1]};
}

// Values that are not the tokens' own (slots, the output of an earlier stage) are needed by many rows: where
// they are few or many rows will be asked for, they are written out once on the columns that are looked at.
// Of more it is found out at least which of them the columns reach.
void EffectiveRows::prepareStages(Index rowsWanted) {
  for (std::size_t s = 0; s < m_plan.steps.size(); ++s) {
    if (std::holds_alternative<MergeStep>(m_plan.steps[s])) continue;
    for (const BufferId id : writtenBy(m_plan.steps[s])) {
      const bool readAsValues = std::any_of(m_attends.begin(), m_attends.end(), [id](const Attend& attend) {
        return attend.step != nullptr && (attend.step->v == id || attend.step->v2 == id);
      });
      const Index rows = m_plan.buffers[at(id)].rows;
      if (!readAsValues) continue;
      if (rows <= 4 * rowsWanted && rows * m_cols <= kMostStageCells)
        writeStage(id);
      else if (rows <= kRowsAskedOf * rowsWanted)
        findReaching(id);
    }
  }
}

void EffectiveRows::writeStage(BufferId id) {
  const Index rows = m_plan.buffers[at(id)].rows;
  std::vector<float> stage(static_cast<std::size_t>(rows * m_cols), 0.0F);
  tbb::parallel_for(Index{0}, rows, [&](Index r) {
    Scratch scratch;
    addStep(id, {r, 1.0F, 0}, {stage.data() + r * m_cols, static_cast<std::size_t>(m_cols)}, scratch);
  });
  m_stage[at(id)] = std::move(stage);
}

void EffectiveRows::findReaching(BufferId id) {
  const Step& step = *m_writer[at(id)];
  if (!std::holds_alternative<AttendStep>(step)) return;  // the others say it row by row: tokensOf()
  const Attend& attend = m_attends[static_cast<std::size_t>(&step - m_plan.steps.data())];
  if (!isTokenValues(attend.step->out == id ? attend.step->v : attend.step->v2)) return;
  if (attend.step->selfPenalty > 0.0) return;
  const auto rows = static_cast<std::size_t>(m_plan.buffers[at(id)].rows);
  std::vector<std::uint8_t> reaching(rows, 0);
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, rows, 256),
                    [&](const tbb::blocked_range<std::size_t>& range) {
                      RunList runs;
                      for (std::size_t r = range.begin(); r < range.end(); ++r)
                        reaching[r] = readsColumns(attend, static_cast<Index>(r), runs) ? 1 : 0;
                    });
  m_reaching[at(id)] = std::move(reaching);
}

bool EffectiveRows::mayReach(BufferId id, Index row) const {
  if (const auto& reaching = m_reaching[at(id)]; !reaching.empty())
    return reaching[static_cast<std::size_t>(row)] != 0;
  const TokenRange range = tokensOf(id, row);
  return range.begin < m_col0 + m_cols && range.end > m_col0;
}

// Does a row of an attend step, whose values are the tokens', read a column that is looked at?
bool EffectiveRows::readsColumns(const Attend& attend, Index row, RunList& runs) const {
  const Index position = positionOf(attend, row);
  if (position < 0) return false;
  attend.head->pattern->row(position, runs);
  return std::any_of(runs.begin(), runs.end(), [&](const Run& run) {
    if (!attend.head->keyOrder && run.stride == 1) return run.begin < m_col0 + m_cols && run.end > m_col0;
    for (Index p = run.begin; p < run.end; p += run.stride)
      if (looksAt(attend.head->keyOrder ? (*attend.head->keyOrder)[static_cast<std::size_t>(p)] : p))
        return true;
    return false;
  });
}

const float* EffectiveRows::buffer(BufferId id) const {
  if (id == kQuery) return m_input.q.slice<float>(m_head).data();
  if (id == kKey) return m_input.k.slice<float>(m_input.kvHead(m_head)).data();
  if (id == kValue) return m_input.v.slice<float>(m_input.kvHead(m_head)).data();
  for (const auto& [constant, tensor] : m_plan.constants)
    if (constant == id) return tensor.slice<float>(tensor.dim(0) == 1 ? 0 : m_head).data();
  return m_run.buffers.at(m_plan.buffers[at(id)].name).slice<float>(m_head).data();
}

bool EffectiveRows::isTokenValues(BufferId id) const {
  return id == kValue || m_plan.standsForValues(id);
}

void EffectiveRows::fill(Index i, std::span<float> row, Scratch& scratch) const {
  std::fill(row.begin(), row.end(), 0.0F);
  add(m_plan.out, {i, 1.0F, 0}, row, scratch);
}

void EffectiveRows::add(BufferId id, const Asked& asked, std::span<float> row, Scratch& scratch) const {
  const std::vector<float>& stage = m_stage[at(id)];
  if (!stage.empty()) {
    const float* from = stage.data() + asked.row * m_cols;
    for (Index c = 0; c < m_cols; ++c) row[static_cast<std::size_t>(c)] += asked.weight * from[c];
    return;
  }
  if (m_writer[at(id)] != nullptr) {
    addStep(id, asked, row, scratch);
    return;
  }
  if (!isTokenValues(id)) return;  // constant values of slots: made of no token
  if (asked.row >= m_col0 && asked.row < m_col0 + m_cols)
    row[static_cast<std::size_t>(asked.row - m_col0)] += asked.weight;
}

void EffectiveRows::addStep(BufferId id, const Asked& asked, std::span<float> row, Scratch& scratch) const {
  while (scratch.size() <= asked.depth) scratch.emplace_back();
  const Step& step = *m_writer[at(id)];
  if (std::holds_alternative<AttendStep>(step)) {
    const Attend& attend = m_attends[static_cast<std::size_t>(&step - m_plan.steps.data())];
    addAttend(attend, attend.step->out == id ? attend.step->v : attend.step->v2, asked, row, scratch);
  } else if (const auto* merge = std::get_if<MergeStep>(&step)) {
    addMerge(*merge, asked, row, scratch);
  } else if (const auto* project = std::get_if<ProjectStep>(&step)) {
    addProject(*project, asked, row, scratch);
  } else if (const auto* convolve = std::get_if<ConvolveStep>(&step)) {
    addConvolve(*convolve, asked, row, scratch);
  } else if (const auto* gather = std::get_if<GatherStep>(&step)) {
    addGather(*gather, asked, row, scratch);
  } else if (const auto* linear = std::get_if<LinearAttendStep>(&step)) {
    addLinear(*linear, asked, row, scratch);
  }
}

void EffectiveRows::addMerge(const MergeStep& merge, const Asked& asked, std::span<float> row,
                             Scratch& scratch) const {
  // From the parts alone: near -100,000 the joint lse keeps only 0.008.
  float largest = kMinusInfinity;
  for (const BufferId lse : merge.lses) largest = std::max(largest, buffer(lse)[asked.row]);
  if (largest == kMinusInfinity) return;
  double sum = 0.0;
  for (const BufferId lse : merge.lses)
    sum += std::exp(static_cast<double>(buffer(lse)[asked.row]) - largest);
  for (std::size_t p = 0; p < merge.outs.size(); ++p) {
    const double share = std::exp(static_cast<double>(buffer(merge.lses[p])[asked.row]) - largest) / sum;
    if (share > 0.0)
      add(merge.outs[p], {asked.row, static_cast<float>(asked.weight * share), asked.depth + 1}, row,
          scratch);
  }
}

// Where a row of an attend step's output stands in its order, or -1.
Index EffectiveRows::positionOf(const Attend& attend, Index row) const {
  const Index position =
      attend.positionOfQuery.empty() ? row : attend.positionOfQuery[static_cast<std::size_t>(row)];
  return position < attend.head->pattern->rows() ? position : -1;
}

void EffectiveRows::addAttend(const Attend& attend, BufferId values, const Asked& asked, std::span<float> row,
                              Scratch& scratch) const {
  const Index position = positionOf(attend, asked.row);
  const float lse = attend.lse[asked.row];
  if (position < 0 || lse == kMinusInfinity) return;
  const Index query = attend.step->rowsByPosition && attend.head->queryOrder
                          ? (*attend.head->queryOrder)[static_cast<std::size_t>(position)]
                          : asked.row;
  // A sum that carries the whole self penalty has nobody else: its weight is exactly 1. Computed from an lse
  // near -100,000, of which float32 keeps 0.008, it would not be.
  if (attend.step->selfPenalty > 0.0 && lse < -0.5 * attend.step->selfPenalty) {
    add(values, {query, asked.weight, asked.depth + 1}, row, scratch);
    return;
  }
  Stage& stage = scratch[asked.depth];
  attend.head->pattern->row(position, stage.runs);
  // addRun uses the stage's other members only, so walking over its runs is safe.
  for (const Run& run : stage.runs) addRun(attend, values, run, asked, query, lse, row, scratch);
}

void EffectiveRows::addRun(const Attend& attend, BufferId values, const Run& run, const Asked& asked,
                           Index query, float lse, std::span<float> row, Scratch& scratch) const {
  Stage& stage = scratch[asked.depth];
  const bool tokens = m_stage[at(values)].empty() && m_writer[at(values)] == nullptr && isTokenValues(values);
  const Index end = m_col0 + m_cols;
  stage.keys.clear();
  if (!attend.head->keyOrder && run.stride == 1 && tokens) {
    const Run clipped = clipRun(run, m_col0, end);
    for (Index j = clipped.begin; j < clipped.end; ++j) stage.keys.push_back(j);
  } else {
    for (Index p = run.begin; p < run.end; p += run.stride) {
      const Index j = attend.head->keyOrder ? (*attend.head->keyOrder)[static_cast<std::size_t>(p)] : p;
      if (tokens ? looksAt(j) : mayReach(values, j)) stage.keys.push_back(j);
    }
  }
  if (stage.keys.empty()) return;
  weigh(attend, query, lse + std::log(static_cast<float>(run.multiplicity)), stage);
  if (!tokens) {
    spread(values, asked, row, scratch);
    return;
  }
  for (std::size_t t = 0; t < stage.keys.size(); ++t)
    row[static_cast<std::size_t>(stage.keys[t] - m_col0)] += asked.weight * stage.logits[t];
}

// stage.logits = weights of stage.keys under the query: exp(logit - shift).
void EffectiveRows::weigh(const Attend& attend, Index query, float shift, Stage& stage) const {
  const auto count = static_cast<Index>(stage.keys.size());
  const auto scale = static_cast<float>(attend.step->scale);
  stage.logits.assign(static_cast<std::size_t>(count), 0.0F);
  if (attend.q != nullptr) {
    const float* q = attend.q + query * attend.d;
    row_math::dotChosen(q, attend.k, stage.keys.data(), attend.d, count, stage.logits.data());
    for (float& logit : stage.logits) logit *= scale;
  }
  for (const BoundTerm& term : attend.terms) term.add(query, stage.keys, 1.0F, stage.logits.data());
  if (attend.step->selfPenalty > 0.0)
    for (std::size_t t = 0; t < stage.keys.size(); ++t)
      if (stage.keys[t] == query) stage.logits[t] -= static_cast<float>(attend.step->selfPenalty);
  for (float& logit : stage.logits) logit -= shift;
  row_math::exponential(stage.logits.data(), stage.logits.data(), count);
}

// Hands the weights of a stage's keys on to the values that they weigh.
void EffectiveRows::spread(BufferId values, const Asked& asked, std::span<float> row,
                           Scratch& scratch) const {
  Stage& stage = scratch[asked.depth];
  if (const std::vector<float>& written = m_stage[at(values)]; !written.empty()) {
    for (float& weight : stage.logits) weight *= asked.weight;
    row_math::addWeightedRows(stage.logits.data(), written.data(), stage.keys.data(),
                              static_cast<Index>(stage.keys.size()), m_cols, row.data());
    return;
  }
  for (std::size_t t = 0; t < stage.keys.size(); ++t)
    if (stage.logits[t] != 0.0F)
      add(values, {stage.keys[t], asked.weight * stage.logits[t], asked.depth + 1}, row, scratch);
}

void EffectiveRows::addProject(const ProjectStep& project, const Asked& asked, std::span<float> row,
                               Scratch& scratch) const {
  if (const auto* weight = std::get_if<Tensor>(&project.weight)) {
    const float* shares =
        weight->slice<float>(weight->dim(0) == 1 ? 0 : m_head).data() + asked.row * weight->dim(2);
    if (isTokenValues(project.in)) {
      for (Index c = 0; c < m_cols; ++c)
        row[static_cast<std::size_t>(c)] += asked.weight * shares[m_col0 + c];
      return;
    }
    for (Index j = 0; j < m_plan.buffers[at(project.in)].rows; ++j)
      add(project.in, {j, asked.weight * shares[j], asked.depth + 1}, row, scratch);
    return;
  }
  if (const auto* blocks = std::get_if<BlockMix>(&project.weight)) {
    const Index u = asked.row / blocks->block;
    const Index slot = asked.row % blocks->block;
    const auto shares = blocks->shares(m_head, u, slot, m_plan.buffers[at(project.in)].rows);
    Index first = 0;
    Index end = blocks->mix.dim(2);
    if (isTokenValues(project.in)) {  // only blocks whose row is looked at
      first = std::max(first, (m_col0 - slot + blocks->block - 1) / blocks->block);
      end = std::min(end, (m_col0 + m_cols - 1 - slot + blocks->block) / blocks->block);
    }
    for (Index v = first; v < end; ++v)
      if (const float share = shares[static_cast<std::size_t>(v)]; share != 0.0F)
        add(project.in, {v * blocks->block + slot, asked.weight * share, asked.depth + 1}, row, scratch);
    return;
  }
  const auto& reduce = std::get<SegmentReduce>(project.weight);
  const Index begin = reduce.bounds[static_cast<std::size_t>(asked.row)];
  const Index past = reduce.bounds[static_cast<std::size_t>(asked.row) + 1];
  if (begin == past) return;
  const Index end = reduce.kind == SegmentReduce::Kind::First ? begin + 1 : past;
  const float share = asked.weight / static_cast<float>(end - begin);
  const bool tokens = isTokenValues(project.in);
  const Index from = tokens ? std::max(begin, m_col0) : begin;
  const Index to = tokens ? std::min(end, m_col0 + m_cols) : end;
  for (Index j = from; j < to; ++j) add(project.in, {j, share, asked.depth + 1}, row, scratch);
}

// The part of a convolution that acts on the tokens' own channels.
void EffectiveRows::addConvolve(const ConvolveStep& convolve, const Asked& asked, std::span<float> row,
                                Scratch& scratch) const {
  const Index stride = convolve.weight.dim(1);
  const Index n = m_plan.buffers[at(convolve.in)].rows;
  const Step& step = *m_writer[at(convolve.out)];
  const std::vector<float>& taps = m_taps[static_cast<std::size_t>(&step - m_plan.steps.data())];
  for (Index t = 0; t < stride && asked.row * stride + t < n; ++t)
    add(convolve.in,
        {asked.row * stride + t, asked.weight * taps[static_cast<std::size_t>(t)], asked.depth + 1}, row,
        scratch);
}

void EffectiveRows::addGather(const GatherStep& gather, const Asked& asked, std::span<float> row,
                              Scratch& scratch) const {
  const SparseRows& rows = *gather.heads[static_cast<std::size_t>(m_head)];
  for (auto e = rows.begin[static_cast<std::size_t>(asked.row)];
       e < rows.begin[static_cast<std::size_t>(asked.row) + 1]; ++e) {
    const SparseRows::Entry& entry = rows.entries[static_cast<std::size_t>(e)];
    add(gather.in[static_cast<std::size_t>(entry.input)],
        {entry.row, asked.weight * entry.weight, asked.depth + 1}, row, scratch);
  }
}

// weight_ij = sum_a exp(a_ia + b_ja - log denominator_i). Keys are made features once, a block of columns at
// a time and relative to the block's largest exponents; a row then needs an exponential for each feature and
// block instead of one for each pair. A block that the row reads only a part of is computed pair by pair:
// there a later key may have raised an exponent beyond what the row's own factor can take back.
void EffectiveRows::addExponents(const LinearAttendStep& linear, const Asked& asked, std::span<float> row,
                                 Stage& stage) const {
  const Index r = m_plan.buffers[at(linear.phiK)].cols;
  const float* query = buffer(linear.phiQ) + asked.row * r;
  const float* keys = buffer(linear.phiK) + m_col0 * r;
  const float shift = buffer(linear.denominator)[asked.row];
  const auto cols = static_cast<Index>(row.size());
  stage.logits.resize(static_cast<std::size_t>(r));
  for (Index begin = 0; begin < cols; begin += kExponentBlock) {
    const Index end = std::min(m_cols, begin + kExponentBlock);
    if (end <= cols) {
      const float* largest = m_largest.data() + begin / kExponentBlock * r;
      for (Index a = 0; a < r; ++a)
        stage.logits[static_cast<std::size_t>(a)] = query[a] + (largest[a] - shift);
      row_math::exponential(stage.logits.data(), stage.logits.data(), r);
      std::array<float, kExponentBlock> weights{};
      row_math::dotRows(stage.logits.data(), m_features.data() + begin * r, r, end - begin, weights.data());
      for (Index c = begin; c < end; ++c)
        row[static_cast<std::size_t>(c)] += asked.weight * weights[static_cast<std::size_t>(c - begin)];
      continue;
    }
    for (Index c = begin; c < cols; ++c) {
      for (Index a = 0; a < r; ++a)
        stage.logits[static_cast<std::size_t>(a)] = query[a] + (keys[c * r + a] - shift);
      row_math::exponential(stage.logits.data(), stage.logits.data(), r);
      double sum = 0.0;
      for (const float term : stage.logits) sum += term;
      row[static_cast<std::size_t>(c)] += static_cast<float>(asked.weight * sum);
    }
  }
}

// Features of the keys for addExponents.
void EffectiveRows::prepareExponents(const LinearAttendStep& linear) {
  const Index r = m_plan.buffers[at(linear.phiK)].cols;
  const float* keys = buffer(linear.phiK) + m_col0 * r;
  m_features.assign(keys, keys + m_cols * r);
  m_largest.assign(static_cast<std::size_t>((m_cols + kExponentBlock - 1) / kExponentBlock * r),
                   kMinusInfinity);
  for (Index c = 0; c < m_cols; ++c) {
    float* largest = m_largest.data() + c / kExponentBlock * r;
    for (Index a = 0; a < r; ++a) largest[a] = std::max(largest[a], keys[c * r + a]);
  }
  for (Index c = 0; c < m_cols; ++c)
    for (Index a = 0; a < r; ++a)
      m_features[static_cast<std::size_t>(c * r + a)] -=
          m_largest[static_cast<std::size_t>(c / kExponentBlock * r + a)];
  row_math::exponential(m_features.data(), m_features.data(), m_cols * r);
}

void EffectiveRows::addLinear(const LinearAttendStep& linear, const Asked& asked, std::span<float> row,
                              Scratch& scratch) const {
  const Index i = asked.row;
  const Index r = m_plan.buffers[at(linear.phiK)].cols;
  const float denominator = buffer(linear.denominator)[i];
  Index cols = m_cols;
  if (linear.causal) cols = std::min(cols, i + m_plan.shape.nK - m_plan.shape.nQ + 1 - m_col0);
  if ((!linear.exponents && denominator == 0.0F) || cols <= 0) return;
  Stage& stage = scratch[asked.depth];
  if (linear.exponents) {
    addExponents(linear, asked, row.first(static_cast<std::size_t>(cols)), stage);
    return;
  }
  stage.logits.resize(static_cast<std::size_t>(cols));
  row_math::dotRows(buffer(linear.phiQ) + i * r, buffer(linear.phiK) + m_col0 * r, r, cols,
                    stage.logits.data());
  for (Index c = 0; c < cols; ++c)
    row[static_cast<std::size_t>(c)] +=
        asked.weight * stage.logits[static_cast<std::size_t>(c)] / denominator;
}

}  // namespace attnscope
