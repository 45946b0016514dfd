// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"

namespace attnscope {

// The running sums of linear attention, replayed in double from the features of the keys: S = sum_j phi(k_j)
// v_j^T and Z = sum_j phi(k_j) after some of the keys (Katharopoulos et al., arXiv 2006.16236, equations 9 to
// 12).
struct RunningState {
  Tensor s;  // float32 (H, frames, r, d_v)
  Tensor z;  // float32 (H, frames, r)
  Tensor
      log;  // float32 (H, frames, r): S and Z of a feature are to be multiplied by exp of it; empty if by 1
  Tensor tokens;  // int32 (frames): keys that were taken in
};

// One frame after all keys; when causal, one after each chunk of the step, or after several chunks so that
// there are no more than 256. `phiK` is (H, n, r), exponents where the step has them. Asks for memory first.
[[nodiscard]] Result<RunningState> runningState(const LinearAttendStep& step, const Tensor& phiK,
                                                const AttentionInput& input, const JobContext& job = {});

}  // namespace attnscope
