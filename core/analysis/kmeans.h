// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Plain k-means on the rows (n, d), in double: k centroids, row-major. Starts with the row nearest to the
// mean and then always the row farthest from all chosen ones (ties to the smaller index), so that nothing is
// drawn; then `steps` of Lloyd's iteration, fewer where nothing moves. A centroid that no row is nearest to
// stays. With fewer than k distinct rows some centroids are equal. Errors: cancellation.
[[nodiscard]] Result<std::vector<double>> kMeans(std::span<const float> rows, Index n, Index d, Index k,
                                                 Index steps, const JobContext& job);

}  // namespace attnscope
