// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// How the directions of random features are drawn.
struct DirectionLaw {
  bool orthogonal = true;   // within blocks of d; else independent
  bool equalNorms = false;  // orthogonal: sqrt(d) for all, else norms of their own, chi(d) distributed
};

// Directions (heads, m, d) of standard normal marginals (equalNorms: of the same mean square). More of them
// leave the first ones as they were. The last ones drawn, 8 MiB of them, are kept and shared; any thread.
[[nodiscard]] Result<Tensor> drawDirections(std::uint64_t seed, Index heads, Index m, Index d,
                                            const DirectionLaw& law, const JobContext& job);

}  // namespace attnscope
