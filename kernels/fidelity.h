// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "kernels/explore.h"

namespace attnscope {

// How close a mechanism comes to full attention on the same Q, K and V: what would be lost. Means over all
// rows of all heads. P is the full attention matrix, W the effective attention of the mechanism.
struct Fidelity {
  double capturedMass =
      0.0;              // share of P on keys that the mechanism reads; NaN where it reads slots, not tokens
  double recall = 0.0;  // share of the topK largest of a row of P that are among the topK largest of W
  double totalVariation = 0.0;  // 1/2 sum_j |P_ij - W_ij|: 0 equal, 1 disjoint; can pass 1 where W is signed
  double outputError = 0.0;     // |O - O_full|_F / |O_full|_F
  double effectiveKeys = 0.0;   // 1 / sum_j W_ij^2 of rows scaled to sum 1: keys that really share the weight
  double fullEffectiveKeys = 0.0;  // the same of P
  Index topK = 8;                  // smaller where a row reads fewer keys
};

// `full` is full attention of the same input and with the same causal mask; `other` is compared with it.
// O(n^2 d) time, O(n) memory. Errors: Usage if the two do not belong together.
[[nodiscard]] Result<Fidelity> compareWithFull(const Exploration& full, const Exploration& other,
                                               Index topK = 8, const JobContext& job = {});

// The spec of the full attention that `spec` is compared with: the same mask.
[[nodiscard]] MechanismSpec fullFor(const PlannedCall& call);

}  // namespace attnscope
