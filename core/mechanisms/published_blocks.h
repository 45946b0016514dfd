// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace attnscope {

// Random blocks of Big Bird as its published planner draws them: the same numbers in the same order from
// NumPy's generator, so that a seed (there: the number of the layer) gives the blocks of the published layer.
//
// Sequences of 1,024, 2,048, 3,072 and 4,096 tokens (the last block counted as whole) have the plan of the
// released models, drawn head by head from the first 1,024 tokens. All others are drawn row by row from the
// first 2 r + 5 blocks; up to that many blocks they come in two parts, r/2 from the first r + 5 blocks and
// the rest from those behind. transformers leaves 2,048 out of the first group.
//
// int32 (heads, blocks, random); -1 in the rows of the first and the last block, for which nothing is drawn.
// A block may be one that its row reads anyway, and where a single block is left for a row it fills the whole
// row, as published. Fails (Usage) where the published code does: for rows with too few blocks to draw from.
// `random` >= 1.
[[nodiscard]] Result<Tensor> publishedBlocks(Index heads, Index blocks, Index block, Index random,
                                             std::uint64_t seed);

}  // namespace attnscope
