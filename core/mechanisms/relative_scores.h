// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/mechanisms/relative_positions.h"

namespace attnscope {

// The four terms of one head in double, each sum in the order of the channels: for decisions and for
// pictures.
class RelativeScores {
 public:
  RelativeScores(const AttentionInput& input, const RelativeTerms& terms, Index head, double scale);

  void setQuery(Index i);
  // Terms of the query that was set, times s; 0 where the term is off.
  [[nodiscard]] double contentTerm(Index j) const;  // (a)
  [[nodiscard]] double distanceTerm(Index x);       // (b)
  [[nodiscard]] double keyTerm(Index j) const;      // (c)
  [[nodiscard]] double biasTerm(Index x);           // (d)

  // The same for many keys at once, each sum still in the order of the channels. (a) + (c) for each of the
  // keys set last:
  void setKeys(std::span<const std::int32_t> tokens);
  void addContent(std::span<double> logits) const;
  // (b) + (d) for the distances 0, 1, ..., scores.size() - 1:
  void fillDistances(std::span<double> scores);

 private:
  [[nodiscard]] std::vector<double> projected(const float* row) const;  // row P^T
  [[nodiscard]] const double* sinusoidAt(Index x);

  const AttentionInput& m_input;
  const RelativeTerms& m_terms;
  Index m_head = 0;
  Index m_d = 0;
  double m_scale = 1.0;
  const float* m_query = nullptr;
  const float* m_keys = nullptr;
  bool m_positions = false;
  std::vector<double> m_projectedQuery;
  std::vector<double> m_projectedBias;
  std::vector<double> m_table;     // rows of R, made as far as they are asked for
  std::vector<double> m_block;     // the keys set last, channel by channel: vectors run over keys
  std::vector<double> m_keyTerms;  // (c) of each of them
  std::vector<double> m_waves;     // R channel by channel, of m_waveCount distances
  Index m_waveCount = 0;
};

}  // namespace attnscope
