// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/relative_scores.h"

#include <algorithm>

namespace attnscope {

RelativeScores::RelativeScores(const AttentionInput& input, const RelativeTerms& terms, Index head,
                               double scale)
    : m_input(input),
      m_terms(terms),
      m_head(head),
      m_d(input.shape().d),
      m_scale(scale),
      m_keys(input.k.slice<float>(input.kvHead(head)).data()),
      m_positions(terms.usesPositions()) {
  if (m_positions) m_projectedBias = projected(terms.positionBias.slice<float>(head).data());
}

std::vector<double> RelativeScores::projected(const float* row) const {
  return timesTransposed(row, m_terms.projection.slice<float>(m_head), m_d);
}

void RelativeScores::setQuery(Index i) {
  m_query = m_input.q.slice<float>(m_head).data() + i * m_d;
  if (m_positions && m_terms.b) m_projectedQuery = projected(m_query);
}

namespace {

template <class A, class B>
double dot(const A* a, const B* b, Index d) {
  double sum = 0.0;
  for (Index c = 0; c < d; ++c) sum += static_cast<double>(a[c]) * static_cast<double>(b[c]);
  return sum;
}

}  // namespace

const double* RelativeScores::sinusoidAt(Index x) {
  const auto known = static_cast<Index>(m_table.size()) / m_d;
  for (Index row = known; row <= x; ++row) {
    const auto wave = sinusoid(static_cast<double>(row), m_d);
    m_table.insert(m_table.end(), wave.begin(), wave.end());
  }
  return m_table.data() + x * m_d;
}

double RelativeScores::contentTerm(Index j) const {
  return m_terms.a ? m_scale * dot(m_query, m_keys + j * m_d, m_d) : 0.0;
}

double RelativeScores::keyTerm(Index j) const {
  return m_terms.c ? m_scale * dot(m_terms.contentBias.slice<float>(m_head).data(), m_keys + j * m_d, m_d)
                   : 0.0;
}

double RelativeScores::distanceTerm(Index x) {
  return m_positions && m_terms.b ? m_scale * dot(m_projectedQuery.data(), sinusoidAt(x), m_d) : 0.0;
}

double RelativeScores::biasTerm(Index x) {
  return m_positions && m_terms.d ? m_scale * dot(m_projectedBias.data(), sinusoidAt(x), m_d) : 0.0;
}

void RelativeScores::setKeys(std::span<const std::int32_t> tokens) {
  const std::size_t count = tokens.size();
  m_block.resize(count * static_cast<std::size_t>(m_d));
  m_keyTerms.resize(count);
  for (std::size_t p = 0; p < count; ++p) {
    for (Index c = 0; c < m_d; ++c)
      m_block[static_cast<std::size_t>(c) * count + p] = m_keys[tokens[p] * m_d + c];
    m_keyTerms[p] = keyTerm(tokens[p]);
  }
}

void RelativeScores::addContent(std::span<double> logits) const {
  const std::size_t count = m_keyTerms.size();
  const std::size_t wanted = logits.size();
  std::vector<double> sum(wanted, 0.0);
  for (Index c = 0; c < m_d && m_terms.a; ++c) {
    const double q = m_query[c];
    const double* row = m_block.data() + static_cast<std::size_t>(c) * count;
    for (std::size_t p = 0; p < wanted; ++p) sum[p] += q * row[p];
  }
  for (std::size_t p = 0; p < wanted; ++p) logits[p] += m_scale * sum[p] + m_keyTerms[p];
}

void RelativeScores::fillDistances(std::span<double> scores) {
  std::fill(scores.begin(), scores.end(), 0.0);
  const auto wanted = static_cast<Index>(scores.size());
  if (!m_positions || wanted == 0) return;
  if (wanted > m_waveCount) {
    m_waveCount = std::max(wanted, 2 * m_waveCount);
    m_waves.resize(static_cast<std::size_t>(m_waveCount * m_d));
    for (Index x = 0; x < m_waveCount; ++x) {
      const double* row = sinusoidAt(x);
      for (Index c = 0; c < m_d; ++c) m_waves[static_cast<std::size_t>(c * m_waveCount + x)] = row[c];
    }
  }
  for (Index c = 0; c < m_d; ++c) {
    const auto at = static_cast<std::size_t>(c);
    const double weight = (m_terms.b ? m_projectedQuery[at] : 0.0) + (m_terms.d ? m_projectedBias[at] : 0.0);
    const double* row = m_waves.data() + static_cast<std::size_t>(c * m_waveCount);
    for (std::size_t x = 0; x < scores.size(); ++x) scores[x] += weight * row[x];
  }
  for (double& score : scores) score *= m_scale;
}

}  // namespace attnscope
