// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"

namespace attnscope {

// Sorting of blocks by a soft permutation: Tay, Bahri, Yang, Metzler, Juan, arXiv 2002.11296.
// Everything in double, each sum in index order. Matrices are row-major; row u is the destination, column v
// the source.

// Means or sums of the rows (n, d) of each block.
[[nodiscard]] std::vector<double> blockMeans(std::span<const float> rows, Index n, Index d, Index block);
[[nodiscard]] std::vector<double> blockSums(std::span<const float> rows, Index n, Index d, Index block);
// Means of the rows 0 .. u block: what is known when block u begins.
[[nodiscard]] std::vector<double> prefixMeans(std::span<const float> rows, Index n, Index d, Index block);

// R_uv = x_u . y_v / sqrt(d). Of a cancelled job the rest is missing: the caller asks it.
[[nodiscard]] std::vector<double> similarityScores(std::span<const double> x, std::span<const double> y,
                                                   Index d, const JobContext& job);

// R_u = relu(relu(x_u W1 + b1) W2 + b2), its first columns: W1 (d, d), W2 (d, >= blocks) as rows of `width2`.
struct SortNet {
  std::span<const float> w1;
  std::span<const float> b1;
  std::span<const float> w2;
  std::span<const float> b2;
  Index width2 = 0;
};
[[nodiscard]] std::vector<double> netScores(std::span<const double> x, const SortNet& net, Index d,
                                            const JobContext& job);

// A matrix balanced in log space. Errors: the largest distance of a row sum and of a column sum from 1 after
// each half-iteration (rows, columns, rows, ...).
struct Balanced {
  std::vector<double> matrix;
  std::vector<double> logs;  // of the matrix, where it has left double's range as well
  std::vector<double> rowErrors;
  std::vector<double> columnErrors;
};
// exp of scores / temperature with rows and columns scaled to sum 1, `iterations` times in turn. `afterHalf`,
// if any, sees the matrix after each half-iteration.
[[nodiscard]] Result<Balanced> sinkhorn(
    std::vector<double> logits, Index blocks, Index iterations, const JobContext& job,
    const std::function<void(Index half, std::span<const double> matrix)>& afterHalf = {});
// Rows over the earlier blocks v < u only, each scaled to sum 1; row 0 is 0. Columns are left alone: their
// sums run over later rows.
[[nodiscard]] std::vector<double> earlierRows(const std::vector<double>& logits, Index blocks);

// The shares of rows that the last block lacks: those of the others, scaled to keep the sum of the row. From
// logarithms, since all that is left may be out of double's range. The last column is 0.
[[nodiscard]] std::vector<double> withoutLastBlock(const Balanced& balanced, Index blocks);

// One source for each destination: the largest of its row (the first), -1 for a row of 0.
[[nodiscard]] std::vector<std::int32_t> largestOfRows(std::span<const double> matrix, Index blocks);

}  // namespace attnscope
