// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/plan.h"

namespace attnscope {

// Longest input whose reach is computed: exact, bit by bit, so memory and time grow with n^2 and more.
inline constexpr Index kMostReachTokens = 4096;

// Which tokens can have an influence on which after several layers of the same pattern: layer l hands on to
// token i what its keys (and, through the residual path, itself) held after layer l - 1. Slots that are made
// anew in each layer (summaries, inducing points) pass on the tokens they are made of within the layer; slots
// that live on from layer to layer (Plan::slotReads) are stations of their own. It says who can, not how
// much.
struct Reach {
  Index n = 0;
  Index layers = 0;
  // (n, n), row-major: layers needed until query i is influenced by token j; 0 for j = i and for pairs that
  // `layers` layers do not connect.
  std::vector<std::uint8_t> hops;
  // After layer l + 1: pairs reached (i itself included) over all pairs that the mask allows (n^2, or
  // n (n + 1) / 2 when causal).
  std::vector<double> share;

  [[nodiscard]] Index hopsOf(Index i, Index j) const { return hops[static_cast<std::size_t>(i * n + j)]; }
};

// `head`: one head in every layer; without, every layer has all heads (a token passes on what any of them
// read). Errors: lengths that differ, n above kMostReachTokens, layers
// outside [1, 255] (Usage), cancellation.
[[nodiscard]] Result<std::shared_ptr<const Reach>> reachOverLayers(const FrozenPlan& plan, Index layers,
                                                                   std::optional<Index> head,
                                                                   const JobContext& job = {});

// The reach as a pattern, so that it can be drawn like one: the pairs of l layers carry label l - 1.
[[nodiscard]] PatternPtr reachPattern(std::shared_ptr<const Reach> reach);

}  // namespace attnscope
