// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

#include "kernels/effective.h"

namespace attnscope {

// `matrix` minus `baseline` in the rectangle [row0, row0 + rows) x [col0, col0 + cols) of a head, reduced to
// (outRows, outCols) as EffectiveMatrix::reduced() does: of cells that share a pixel the largest difference,
// with its sign, or the mean difference. Cells are subtracted before they are reduced. float32, outRows <=
// rows and outCols <= cols. Any thread. Error (Usage) if the two have different sizes.
[[nodiscard]] Result<Tensor> reducedDifference(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline,
                                               Index head, Index row0, Index rows, Index col0, Index cols,
                                               Index outRows, Index outCols, EffectiveMatrix::Reduce reduce,
                                               const JobContext& job = {});

// The same as EffectiveMatrix::tile() gives it: a number stands for 2^down rows and 2^across columns. Memory
// does not grow with the levels.
[[nodiscard]] Result<Tensor> differenceTile(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline,
                                            Index head, Index row0, Index rows, int down, Index col0,
                                            Index cols, int across, EffectiveMatrix::Reduce reduce,
                                            const JobContext& job = {});

// A first look, as EffectiveMatrix::sampledRows(): of each of the given rows `outCols` numbers.
[[nodiscard]] Result<Tensor> sampledDifference(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline,
                                               Index head, std::span<const Index> rows, Index col0,
                                               Index cols, Index outCols, EffectiveMatrix::Reduce reduce,
                                               const JobContext& job = {});

}  // namespace attnscope
