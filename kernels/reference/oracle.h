// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/mechanisms/mechanism.h"

namespace attnscope {

// What the oracle of a mechanism gets: the call and the tensors it owns. Not the plan: the oracle is written
// from the specification, dense, in double, and must be able to disagree.
struct OracleRequest {
  const AttentionInput& input;
  const ParamValues& params;
  const CallOptions& options;                    // causal settled
  const std::map<std::string, Tensor>& tensors;  // "rotations" -> (H, ...)
  Index head = 0;
};

// Dense results for one head, row-major doubles.
struct OracleHead {
  std::vector<double> out;            // (n_q, d_v)
  std::vector<double> lse;            // (n_q); empty where the mechanism has none
  std::vector<double> matrix;         // (n_q, n_k): effective attention on the tokens
  std::vector<std::uint8_t> support;  // (n_q, n_k + slots): 1 where a value reaches the output
  Index slotCount = 0;
};

using OracleFunction = Result<OracleHead> (*)(const OracleRequest& request);

// The oracle of a mechanism: kernels/reference/catalogue/<id>.cpp. Null if there is none.
[[nodiscard]] OracleFunction findOracle(const std::string& mechanism);

struct OracleResult {
  Tensor out;                                      // (H, n_q, d_v) float32
  Tensor lse;                                      // (H, n_q) float32, or empty
  Tensor matrix;                                   // (H, n_q, n_k) float64
  std::vector<std::vector<std::uint8_t>> support;  // by head
  Index supportCols = 0;
};

// Runs the oracle on all heads. Quadratic in memory by nature: asks for it first.
[[nodiscard]] Result<OracleResult> runOracle(const PlannedCall& call, const AttentionInput& input,
                                             const JobContext& job = {});

}  // namespace attnscope
