// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/plan/plan.h"

namespace attnscope {

// What a plan costs, counted from its steps: no formula per mechanism. All heads together.
struct Cost {
  double pairs = 0.0;        // score cells compared
  double support = 0.0;      // (query, key) pairs whose value reaches the output
  double flops = 0.0;        // a multiply-add is two; exp and division are one each
  double bytesRead = 0.0;    // inputs and buffers, each read or written once a step
  double peakBytes = 0.0;    // buffers, tile maps and packed copies that exist at the same time
  double tiles = 0.0;        // 64 x 64 tiles executed
  double cellDensity = 0.0;  // support / (n_q n_k) for one head, mean over heads
  double tileDensity = 0.0;  // executed tiles / all tiles of the n_q x n_k square
};

[[nodiscard]] Cost planCost(const FrozenPlan& plan);

// The same from a sample of the rows of every pattern, without tile maps: a few milliseconds whatever the
// length. Exact where all rows are alike, else within some percent; small inputs are counted whole.
[[nodiscard]] Cost estimateCost(const FrozenPlan& plan);

}  // namespace attnscope
