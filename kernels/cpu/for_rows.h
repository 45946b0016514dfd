// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "kernels/cpu/buffer_table.h"

namespace attnscope {

// Calls body(head, firstRow, endRow) in parallel for blocks of rows of all heads. The blocks' borders depend
// on the number of rows alone. The only error is cancellation.
[[nodiscard]] Status forRows(const BufferTable& buffers, Index rows, const JobContext& job,
                             const std::function<void(Index, Index, Index)>& body);

}  // namespace attnscope
