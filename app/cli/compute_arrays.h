// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "core/mechanisms/mechanism.h"
#include "kernels/backend.h"
#include "kernels/reference/oracle.h"

namespace attnscope {

// The arrays that `compute` writes, in the order in which they stand in the file.
using ArrayList = std::vector<NamedTensor>;

// param/<name>: the tensors that the mechanism owns, as used.
void addParams(const FrozenPlan& plan, ArrayList& arrays);

// pattern/<h>/indptr (int64), indices (int32) and labels (uint8): compressed rows of each head's support on
// the key axis [tokens | slots], columns rising. pattern/label_names: UTF-8 bytes, one name a line, in the
// order of the labels.
// Error (Compute) if there is no memory for what addPattern() makes, to be asked before a pass.
[[nodiscard]] Status requirePatternMemory(const FrozenPlan& plan);
[[nodiscard]] Status addPattern(const FrozenPlan& plan, ArrayList& arrays, const JobContext& job);
[[nodiscard]] Status addOraclePattern(const OracleResult& result, Index rows, ArrayList& arrays);

// trace/<name>: decisions of the plan, buffers of the run, and trace/slots. `run` may have no buffers (the
// oracle executes no plan).
[[nodiscard]] Status addTrace(const FrozenPlan& plan, const RunResult& run, ArrayList& arrays);

// trace/S, trace/Z and trace/state_tokens of linear attention (core/analysis/running_state.h): the sums after
// so many keys; trace/log_scale where they are kept relative to their largest exponent.
[[nodiscard]] Status addStates(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run,
                               ArrayList& arrays, const JobContext& job);

// The same numbers as float32.
[[nodiscard]] Tensor toFloat32(const Tensor& tensor);

}  // namespace attnscope
