// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/mechanisms/catalogue_support.h"
#include "tests/support/call_table.h"

// Patterns as pictures, counts and sets of what reaches what.
namespace attnscope::testing {

inline std::string sourceOf(Index n, Index heads = 1) {
  return "gaussian:d=1,heads=" + std::to_string(heads) + ",n=" + std::to_string(n);
}

inline PlannedCall planned(const std::string& spec, const AttentionInput& input,
                           const WeightSet& weights = {}) {
  auto call = planCall(*parseMechanismSpec(spec), input, weights);
  if (!call) qFatal("%s: %s", spec.c_str(), call.error().message.c_str());
  return std::move(*call);
}

inline PlannedCall planned(const std::string& spec, const std::string& source) {
  return planned(spec, inputOf(source));
}

inline std::string picture(const std::string& spec, const std::string& source, Index head = 0) {
  return asciiPattern(*planned(spec, source).plan->support(head));
}

inline Index pairs(const std::string& spec, const std::string& source, Index head = 0) {
  const PlannedCall call = planned(spec, source);
  const Pattern& support = *call.plan->support(head);
  const Index drawn = countPairs(support, 0, support.rows(), 0, support.cols());
  return drawn == call.plan->pairs(head) ? drawn : -1;  // what is drawn and what is executed have one count
}

inline std::string messageOf(const std::string& spec, const AttentionInput& input,
                             const WeightSet& weights = {}) {
  const auto call = planCall(*parseMechanismSpec(spec), input, weights);
  return call ? "accepted" : call.error().message;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Which keys reach which queries, as sets.
using Reach = std::vector<std::set<Index>>;

inline Reach reachOf(const Pattern& pattern, bool residual = false) {
  Reach reach(static_cast<std::size_t>(pattern.rows()));
  RunList runs;
  for (Index i = 0; i < pattern.rows(); ++i) {
    pattern.row(i, runs);
    for (const Run& run : runs)
      for (Index j = run.begin; j < run.end; j += run.stride) reach[static_cast<std::size_t>(i)].insert(j);
    if (residual) reach[static_cast<std::size_t>(i)].insert(i);
  }
  return reach;
}

// First one layer, then the other.
inline Reach after(const Reach& first, const Reach& second) {
  Reach reach(second.size());
  for (std::size_t i = 0; i < second.size(); ++i)
    for (const Index j : second[i])
      reach[i].insert(first[static_cast<std::size_t>(j)].begin(), first[static_cast<std::size_t>(j)].end());
  return reach;
}

inline Reach triangle(Index n) {
  return reachOf(*densePattern(n, n, true));
}
inline Reach square(Index n) {
  return reachOf(*densePattern(n, n, false));
}
inline Reach reach(const std::string& spec, const std::string& source, Index head = 0,
                   bool residual = false) {
  return reachOf(*planned(spec, source).plan->support(head), residual);
}

}  // namespace attnscope::testing
