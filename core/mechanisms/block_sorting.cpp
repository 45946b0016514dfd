// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/block_sorting.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/simd/row_math.h"

namespace attnscope {

namespace {

std::size_t at(Index i) {
  return static_cast<std::size_t>(i);
}

std::vector<double> reduceBlocks(std::span<const float> rows, Index n, Index d, Index block, bool mean) {
  const Index count = (n + block - 1) / block;
  std::vector<double> reduced(at(count * d), 0.0);
  for (Index u = 0; u < count; ++u) {
    const Index end = std::min(n, (u + 1) * block);
    for (Index j = u * block; j < end; ++j)
      for (Index c = 0; c < d; ++c) reduced[at(u * d + c)] += rows[at(j * d + c)];
    for (Index c = 0; c < d && mean; ++c) reduced[at(u * d + c)] /= static_cast<double>(end - u * block);
  }
  return reduced;
}

// log sum exp of `count` values, `stride` apart.
double logSum(const double* values, Index count, Index stride) {
  double largest = -std::numeric_limits<double>::infinity();
  for (Index i = 0; i < count; ++i) largest = std::max(largest, values[i * stride]);
  double sum = 0.0;
  for (Index i = 0; i < count; ++i) sum += std::exp(values[i * stride] - largest);
  return largest + std::log(sum);
}

// Takes from each line what makes its exponentials sum to 1. `sums` are the lines' sums of exponentials,
// where they are known; one so small that terms may have been lost is found anew, relative to its largest.
void normaliseLines(std::vector<double>& logits, Index blocks, bool rows, const std::vector<double>& sums,
                    const JobContext& job) {
  constexpr double kSmall = 1e-200;
  const Index step = rows ? 1 : blocks;  // between the values of one line
  std::vector<double> totals(at(blocks));
  for (Index line = 0; line < blocks && !job.isCancelled(); ++line) {
    const bool known = !sums.empty() && sums[at(line)] > kSmall;
    totals[at(line)] = known ? std::log(sums[at(line)])
                             : logSum(logits.data() + (rows ? line * blocks : line), blocks, step);
  }
  for (Index u = 0; u < blocks; ++u)
    for (Index v = 0; v < blocks; ++v) logits[at(u * blocks + v)] -= totals[at(rows ? u : v)];
}

// One relu layer on one row.
std::vector<double> layer(const double* x, Index d, std::span<const float> weight, Index width,
                          std::span<const float> bias, Index cols) {
  std::vector<double> y(at(cols), 0.0);
  for (Index a = 0; a < d; ++a)
    for (Index c = 0; c < cols; ++c) y[at(c)] += x[a] * static_cast<double>(weight[at(a * width + c)]);
  for (Index c = 0; c < cols; ++c) y[at(c)] = std::max(0.0, y[at(c)] + static_cast<double>(bias[at(c)]));
  return y;
}

}  // namespace

std::vector<double> blockMeans(std::span<const float> rows, Index n, Index d, Index block) {
  return reduceBlocks(rows, n, d, block, true);
}

std::vector<double> blockSums(std::span<const float> rows, Index n, Index d, Index block) {
  return reduceBlocks(rows, n, d, block, false);
}

std::vector<double> prefixMeans(std::span<const float> rows, Index n, Index d, Index block) {
  std::vector<double> means;
  std::vector<double> sum(at(d), 0.0);
  for (Index i = 0; i < n; ++i) {
    for (Index c = 0; c < d; ++c) sum[at(c)] += rows[at(i * d + c)];
    if (i % block != 0) continue;
    for (const double x : sum) means.push_back(x / static_cast<double>(i + 1));
  }
  return means;
}

std::vector<double> similarityScores(std::span<const double> x, std::span<const double> y, Index d,
                                     const JobContext& job) {
  const Index rows = static_cast<Index>(x.size()) / d;
  const Index cols = static_cast<Index>(y.size()) / d;
  std::vector<double> scores(at(rows * cols));
  for (Index u = 0; u < rows && !job.isCancelled(); ++u)
    for (Index v = 0; v < cols; ++v) {
      double sum = 0.0;
      for (Index c = 0; c < d; ++c) sum += x[at(u * d + c)] * y[at(v * d + c)];
      scores[at(u * cols + v)] = sum / std::sqrt(static_cast<double>(d));
    }
  return scores;
}

std::vector<double> netScores(std::span<const double> x, const SortNet& net, Index d, const JobContext& job) {
  const Index blocks = static_cast<Index>(x.size()) / d;
  std::vector<double> scores;
  for (Index u = 0; u < blocks && !job.isCancelled(); ++u) {
    const auto hidden = layer(x.data() + u * d, d, net.w1, d, net.b1, d);
    const auto row = layer(hidden.data(), d, net.w2, net.width2, net.b2, blocks);
    scores.insert(scores.end(), row.begin(), row.end());
  }
  scores.resize(static_cast<std::size_t>(blocks * blocks));
  return scores;
}

Result<Balanced> sinkhorn(std::vector<double> logits, Index blocks, Index iterations, const JobContext& job,
                          const std::function<void(Index half, std::span<const double> matrix)>& afterHalf) {
  Balanced balanced;
  balanced.matrix.resize(logits.size());
  std::vector<double> columns;  // sums of the matrix
  std::vector<double> rows;
  for (Index half = 0; half < 2 * iterations; ++half) {
    if (!job.advance(0)) return cancelled();
    normaliseLines(logits, blocks, half % 2 == 0, half % 2 == 0 ? rows : columns, job);
    row_math::exponential(logits.data(), balanced.matrix.data(), static_cast<Index>(logits.size()));
    if (afterHalf) afterHalf(half, balanced.matrix);
    columns.assign(at(blocks), 0.0);
    rows.assign(at(blocks), 0.0);
    for (Index u = 0; u < blocks; ++u)
      for (Index v = 0; v < blocks; ++v) {
        const double share = balanced.matrix[at(u * blocks + v)];
        rows[at(u)] += share;
        columns[at(v)] += share;
      }
    const auto worst = [](const std::vector<double>& sums) {
      double error = 0.0;
      for (const double sum : sums) error = std::max(error, std::abs(sum - 1.0));
      return error;
    };
    balanced.rowErrors.push_back(worst(rows));
    balanced.columnErrors.push_back(worst(columns));
  }
  balanced.logs = std::move(logits);
  return balanced;
}

std::vector<double> withoutLastBlock(const Balanced& balanced, Index blocks) {
  std::vector<double> shares(balanced.matrix.size(), 0.0);
  for (Index u = 0; u < blocks && blocks > 1; ++u) {
    const double* row = balanced.matrix.data() + u * blocks;
    const double* logs = balanced.logs.data() + u * blocks;
    const double kept = std::accumulate(row, row + blocks, 0.0);
    const double total = logSum(logs, blocks - 1, 1);
    for (Index v = 0; v + 1 < blocks; ++v) shares[at(u * blocks + v)] = kept * std::exp(logs[v] - total);
  }
  return shares;
}

std::vector<double> earlierRows(const std::vector<double>& logits, Index blocks) {
  std::vector<double> matrix(logits.size(), 0.0);
  for (Index u = 1; u < blocks; ++u) {
    const double total = logSum(logits.data() + u * blocks, u, 1);
    for (Index v = 0; v < u; ++v) matrix[at(u * blocks + v)] = std::exp(logits[at(u * blocks + v)] - total);
  }
  return matrix;
}

std::vector<std::int32_t> largestOfRows(std::span<const double> matrix, Index blocks) {
  std::vector<std::int32_t> sources;
  for (Index u = 0; u < blocks; ++u) {
    const double* row = matrix.data() + u * blocks;
    const auto best = static_cast<std::int32_t>(std::max_element(row, row + blocks) - row);
    sources.push_back(row[best] > 0.0 ? best : -1);
  }
  return sources;
}

}  // namespace attnscope
