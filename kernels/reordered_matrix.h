// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "core/plan/token_order.h"
#include "kernels/effective.h"

namespace attnscope {

// Cells of a matrix: rows [row0, row0 + rows), whole rows of order.keys.size() columns, float32.
using MatrixRows = std::function<Result<Tensor>(Index row0, Index rows)>;

// EffectiveMatrix::reduced() of a matrix whose rows and columns stand in another order: row p is query
// order.queries[p], column c key order.keys[c]. float32 (outRows, outCols), outRows <= rows and outCols <=
// cols. Costs as much as whole rows: for squares up to a few thousand. Any thread; errors as of `read`.
[[nodiscard]] Result<Tensor> reducedInOrder(const MatrixRows& read, const TokenOrder& order, Index row0,
                                            Index rows, Index col0, Index cols, Index outRows, Index outCols,
                                            EffectiveMatrix::Reduce reduce);

}  // namespace attnscope
