// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// The permutation of largest total gain of a square (n, n) matrix, row -> column: the Hungarian method by
// shortest augmenting paths, O(n^3). Of several (up to rounding) the one that is first by row.
[[nodiscard]] Result<std::vector<std::int32_t>> bestPermutation(std::span<const double> gains, Index n,
                                                                const JobContext& job = {});

}  // namespace attnscope
