// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/block_sorting.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

void normaliseLines(std::vector<double>& logits, Index blocks, bool rows, const JobContext& job) {
  const Index step = rows ? 1 : blocks;  // between the values of one line
  for (Index line = 0; line < blocks && !job.isCancelled(); ++line) {
    double* first = logits.data() + (rows ? line * blocks : line);
    const double total = logSum(first, blocks, step);
    for (Index i = 0; i < blocks; ++i) first[i * step] -= total;
  }
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
                          std::span<float> halves) {
  Balanced balanced;
  balanced.matrix.resize(logits.size());
  for (Index half = 0; half < 2 * iterations; ++half) {
    if (!job.advance(0)) return cancelled();
    normaliseLines(logits, blocks, half % 2 == 0, job);
    std::transform(logits.begin(), logits.end(), balanced.matrix.begin(),
                   [](double l) { return std::exp(l); });
    if (!halves.empty())
      std::transform(balanced.matrix.begin(), balanced.matrix.end(), halves.begin() + half * blocks * blocks,
                     [](double p) { return static_cast<float>(p); });
    double rowError = 0.0;
    std::vector<double> columns(at(blocks), 0.0);
    for (Index u = 0; u < blocks; ++u) {
      double row = 0.0;
      for (Index v = 0; v < blocks; ++v) {
        row += balanced.matrix[at(u * blocks + v)];
        columns[at(v)] += balanced.matrix[at(u * blocks + v)];
      }
      rowError = std::max(rowError, std::abs(row - 1.0));
    }
    double columnError = 0.0;
    for (const double column : columns) columnError = std::max(columnError, std::abs(column - 1.0));
    balanced.rowErrors.push_back(rowError);
    balanced.columnErrors.push_back(columnError);
  }
  return balanced;
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
