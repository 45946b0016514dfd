// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// Weights of one output row on the n_k tokens, in double, followed back through the plan's attend and gather
// steps on q and k as they are: the small part of the matrix that a picture of one query needs. For plans
// whose attend steps read the input's own queries and keys without further terms.
[[nodiscard]] Result<std::vector<double>> rowWeights(const InsidesRequest& request, Index query);

}  // namespace attnscope
