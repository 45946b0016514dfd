// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/score_terms.h"

namespace attnscope {

namespace {

struct Adder {
  const BoundTerm& bound;
  Index i;
  std::span<const Index> keys;
  float factor;
  float* logits;

  void operator()(const TableTerm& term) const {
    const float* row = bound.a.rows + i * bound.a.cols;
    const float weight = factor * static_cast<float>(term.weight);
    for (std::size_t t = 0; t < keys.size(); ++t) logits[t] += weight * row[keys[t]];
  }
  void operator()(const OuterTerm& term) const {
    const float* a = bound.a.rows + i * bound.a.cols;
    const float* b = bound.b.rows + i * bound.b.cols;
    const float weight = factor * static_cast<float>(term.weight);
    for (std::size_t t = 0; t < keys.size(); ++t)
      logits[t] += weight * a[keys[t] / bound.b.cols] * b[keys[t] % bound.b.cols];
  }
  void operator()(const LabelTerm& term) const {
    const float* scores = bound.a.rows + i * bound.a.cols;
    const float weight = factor * static_cast<float>(term.weight);
    for (std::size_t t = 0; t < keys.size(); ++t) logits[t] += weight * scores[term.label(i, keys[t])];
  }
};

}  // namespace

void BoundTerm::add(Index i, std::span<const Index> keys, float factor, float* logits) const {
  std::visit(Adder{*this, i, keys, factor, logits}, *term);
}

BoundTerm bindTerm(const ScoreTerm& term, Index head, const std::function<TermRows(BufferId)>& rowsOf) {
  BoundTerm bound;
  bound.term = &term;
  if (const auto* table = std::get_if<TableTerm>(&term))
    bound.a = {table->logits.slice<float>(table->logits.dim(0) == 1 ? 0 : head).data(), table->logits.dim(2)};
  if (const auto* outer = std::get_if<OuterTerm>(&term)) {
    bound.a = rowsOf(outer->a);
    bound.b = rowsOf(outer->b);
  }
  if (const auto* label = std::get_if<LabelTerm>(&term)) bound.a = rowsOf(label->scores);
  return bound;
}

}  // namespace attnscope
