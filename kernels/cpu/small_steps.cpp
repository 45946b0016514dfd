// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/small_steps.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/analysis/channel_mixing.h"
#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"
#include "kernels/cpu/for_rows.h"
#include "kernels/shared/initial_buffers.h"

namespace attnscope {

namespace {

constexpr double kLayerNormEpsilon = 1e-6;
constexpr Index kMixedColumns = 64;  // of a product of blocks, at once
constexpr Index kMixedBlocks = 64;

// Shares exp(lse_p - lse) of the partial results of some rows, and lse itself, part by part.
class MergeShares {
 public:
  MergeShares(std::size_t parts, Index most) : m_shares(parts) {
    for (auto& shares : m_shares) shares.resize(static_cast<std::size_t>(most));
    m_largest.resize(static_cast<std::size_t>(most));
    m_sum.resize(static_cast<std::size_t>(most));
  }

  // Of rows [begin, end).
  void make(const std::vector<const float*>& lses, Index begin, Index end, float* lse) {
    const auto count = static_cast<std::size_t>(end - begin);
    std::fill_n(m_largest.begin(), count, -std::numeric_limits<float>::infinity());
    for (const float* part : lses)
      for (std::size_t i = 0; i < count; ++i)
        m_largest[i] = std::max(m_largest[i], part[begin + static_cast<Index>(i)]);
    std::fill_n(m_sum.begin(), count, 0.0F);
    for (std::size_t p = 0; p < lses.size(); ++p) {
      float* shares = m_shares[p].data();
      for (std::size_t i = 0; i < count; ++i) {
        const float own = lses[p][begin + static_cast<Index>(i)];
        // Nothing read: -inf, and not the difference of two.
        shares[i] = own < std::numeric_limits<float>::lowest() ? own : own - m_largest[i];
      }
      row_math::exponential(shares, shares, static_cast<Index>(count));
      for (std::size_t i = 0; i < count; ++i) m_sum[i] += shares[i];
    }
    for (std::size_t i = 0; i < count; ++i) {
      const float sum = m_sum[i];
      lse[begin + static_cast<Index>(i)] = sum > 0.0F ? m_largest[i] + std::log(sum) : m_largest[i];
      const float factor = sum > 0.0F ? 1.0F / sum : 0.0F;
      for (auto& shares : m_shares) shares[i] *= factor;
    }
  }

  [[nodiscard]] float share(std::size_t part, Index row) const {
    return m_shares[part][static_cast<std::size_t>(row)];
  }

 private:
  std::vector<std::vector<float>> m_shares;
  std::vector<float> m_largest;
  std::vector<float> m_sum;
};

// The parts' rows i with their shares, of those of which something was read.
class SharedRows {
 public:
  explicit SharedRows(const std::vector<const float*>& outs)
      : m_outs(outs), m_rows(outs.size()), m_shares(outs.size()) {}

  void merge(Index i, const MergeShares& shares, Index place, float* row, Index cols) {
    std::size_t read = 0;
    for (std::size_t p = 0; p < m_outs.size(); ++p) {
      const float share = shares.share(p, place);
      if (share == 0.0F) continue;
      m_rows[read] = m_outs[p] + i * cols;
      m_shares[read++] = share;
    }
    row_math::combineRows(m_rows.data(), m_shares.data(), static_cast<Index>(read), cols, row);
  }

 private:
  const std::vector<const float*>& m_outs;
  std::vector<const float*> m_rows;
  std::vector<float> m_shares;
};

void reduceSegment(const SegmentReduce& reduce, Index slot, const float* in, float* out, Index cols) {
  const Index begin = reduce.bounds[static_cast<std::size_t>(slot)];
  const Index end = reduce.bounds[static_cast<std::size_t>(slot) + 1];
  if (begin == end) {
    std::fill_n(out, cols, 0.0F);
    return;
  }
  const float* rows = in + begin * cols;
  if (reduce.kind == SegmentReduce::Kind::Mean) return row_math::meanOfRows(rows, end - begin, cols, out);
  std::copy_n(rows, cols, out);
  if (reduce.kind == SegmentReduce::Kind::Max) row_math::raiseMaxima(rows + cols, end - begin - 1, cols, out);
}

// out = W in for one block of slots, summed over tokens in pieces so that long sums keep their digits. A
// product takes as many tokens as the first cache holds.
void projectDense(const float* weight, Index ldw, const float* in, Index n, float* out, Index slots,
                  Index cols) {
  constexpr Index kPiece = 512;
  constexpr Index kProduct = 64;
  const Index width = (cols + 15) / 16 * 16;
  std::vector<float> rows(width == cols ? 0 : static_cast<std::size_t>(kProduct * width), 0.0F);
  std::vector<float> part(static_cast<std::size_t>(slots * width));
  std::vector<double> total(static_cast<std::size_t>(slots * cols), 0.0);
  for (Index begin = 0; begin < n; begin += kPiece) {
    const Index end = std::min(n, begin + kPiece);
    for (Index at = begin; at < end; at += kProduct) {
      const Index count = std::min(kProduct, end - at);
      const float* right = in + at * cols;
      if (width != cols) {
        for (Index j = 0; j < count; ++j) std::copy_n(right + j * cols, cols, rows.data() + j * width);
        right = rows.data();
      }
      tile_math::gemm(weight + at, ldw, right, width, part.data(), width, slots, width, count, at > begin);
    }
    for (Index a = 0; a < slots; ++a)
      for (Index c = 0; c < cols; ++c)
        total[static_cast<std::size_t>(a * cols + c)] += part[static_cast<std::size_t>(a * width + c)];
  }
  for (std::size_t i = 0; i < total.size(); ++i) out[i] = static_cast<float>(total[i]);
}

// Mixed block u of one head: every row t is a mean of the rows t of the blocks that have one, times rho_u.
void mixBlock(const BlockMix& blocks, const float* shares, const float* in, Index n, float* out, Index cols) {
  const Index count = blocks.mix.dim(2);
  double rho = 0.0;
  for (Index v = 0; v < count; ++v) rho += shares[v];
  std::vector<double> sum(static_cast<std::size_t>(cols));
  for (Index t = 0; t < blocks.block; ++t) {
    std::fill(sum.begin(), sum.end(), 0.0);
    double present = 0.0;
    for (Index v = 0; v < count && v * blocks.block + t < n; ++v) {
      const double share = shares[v];
      if (share == 0.0) continue;
      present += share;
      const float* row = in + (v * blocks.block + t) * cols;
      for (Index c = 0; c < cols; ++c) sum[static_cast<std::size_t>(c)] += share * row[c];
    }
    const double factor = present > 0.0 ? rho / present : 0.0;
    for (Index c = 0; c < cols; ++c)
      out[t * cols + c] = static_cast<float>(factor * sum[static_cast<std::size_t>(c)]);
  }
}

// phi of `count` rows.
void mapFeatures(Feature feature, const float* in, float* out, Index count, Index d) {
  switch (feature) {
    case Feature::Elu1:
      row_math::eluPlusOne(in, out, count * d);
      return;
    case Feature::Exp:
      row_math::exponential(in, out, count * d);
      return;
    case Feature::Relu:
      for (Index c = 0; c < count * d; ++c) out[c] = std::max(in[c], 0.0F);
      return;
    case Feature::Relu2:
      for (Index c = 0; c < count * d; ++c) out[c] = std::max(in[c], 0.0F) * std::max(in[c], 0.0F);
      return;
    case Feature::Poly2:
      for (Index i = 0; i < count; ++i)
        for (Index a = 0; a < d; ++a)
          for (Index c = 0; c < d; ++c) out[(i * d + a) * d + c] = in[i * d + a] * in[i * d + c];
      return;
  }
}

}  // namespace

Status mergeOnCpu(const MergeStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  Tensor& lse = buffers.create(step.lse);
  const Index cols = buffers.cols(step.out);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    std::vector<const float*> outs;
    std::vector<const float*> lses;
    for (std::size_t p = 0; p < step.outs.size(); ++p) {
      outs.push_back(buffers.head(step.outs[p], h));
      lses.push_back(buffers.head(step.lses[p], h));
    }
    float* target = out.mutableSlice<float>(h).data();
    float* targetLse = lse.mutableSlice<float>(h).data();
    MergeShares shares(outs.size(), end - begin);
    shares.make(lses, begin, end, targetLse);
    SharedRows rows(outs);
    for (Index i = begin; i < end; ++i) rows.merge(i, shares, i - begin, target + i * cols, cols);
  });
}

namespace {

Status mixBlocksOnCpu(const ProjectStep& step, BufferTable& buffers, const JobContext& job) {
  const auto& blocks = std::get<BlockMix>(step.weight);
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const Index mixed = blocks.mix.dim(1);
  const Index count = blocks.mix.dim(2);
  const Index width = blocks.block * cols;
  if (buffers.rows(step.in) == count * blocks.block && width % 16 == 0) {
    // Every block has every row: one product of the mix with the blocks as rows, a few columns at a time. The
    // columns are copied first: rows of blocks lie a power of two apart, which is one place in the cache.
    const Index pieces = (width + kMixedColumns - 1) / kMixedColumns;
    tbb::parallel_for(Index{0}, pieces * buffers.plan().shape.heads, [&](Index task) {
      if (job.isCancelled()) return;
      const Index h = task / pieces;
      const Index column = task % pieces * kMixedColumns;
      const Index part = std::min(kMixedColumns, width - column);
      const float* mix = blocks.mix.slice<float>(blocks.mix.dim(0) == 1 ? 0 : h).data();
      const float* in = buffers.head(step.in, h) + column;
      float* target = out.mutableSlice<float>(h).data() + column;
      std::vector<float> rows(static_cast<std::size_t>(kMixedBlocks * part));
      for (Index first = 0; first < count; first += kMixedBlocks) {
        const Index some = std::min(kMixedBlocks, count - first);
        for (Index v = 0; v < some; ++v) std::copy_n(in + (first + v) * width, part, rows.data() + v * part);
        tile_math::gemm(mix + first, count, rows.data(), part, target, width, mixed, part, some, first > 0);
      }
    });
    if (job.isCancelled()) return cancelled();
    return {};
  }
  tbb::parallel_for(Index{0}, mixed * buffers.plan().shape.heads, [&](Index task) {
    if (job.isCancelled()) return;
    const Index h = task / mixed;
    const Index u = task % mixed;
    mixBlock(blocks, blocks.mix.slice<float>(blocks.mix.dim(0) == 1 ? 0 : h).data() + u * count,
             buffers.head(step.in, h), buffers.rows(step.in),
             out.mutableSlice<float>(h).data() + u * blocks.block * cols, cols);
  });
  if (job.isCancelled()) return cancelled();
  return {};
}

}  // namespace

Status projectOnCpu(const ProjectStep& step, BufferTable& buffers, const JobContext& job) {
  if (std::holds_alternative<BlockMix>(step.weight)) return mixBlocksOnCpu(step, buffers, job);
  constexpr Index kSlotsPerTask = 16;
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const Index slots = buffers.rows(step.out);
  const Index n = buffers.rows(step.in);
  const Index blocks = (slots + kSlotsPerTask - 1) / kSlotsPerTask;
  tbb::parallel_for(Index{0}, blocks * buffers.plan().shape.heads, [&](Index t) {
    if (job.isCancelled()) return;
    const Index h = t / blocks;
    const Index begin = t % blocks * kSlotsPerTask;
    const Index count = std::min(kSlotsPerTask, slots - begin);
    const float* in = buffers.head(step.in, h);
    float* target = out.mutableSlice<float>(h).data() + begin * cols;
    if (const auto* weight = std::get_if<Tensor>(&step.weight)) {
      const auto rows = weight->slice<float>(weight->dim(0) == 1 ? 0 : h);
      projectDense(rows.data() + begin * weight->dim(2), weight->dim(2), in, n, target, count, cols);
    } else {
      for (Index a = 0; a < count; ++a)
        reduceSegment(std::get<SegmentReduce>(step.weight), begin + a, in, target + a * cols, cols);
    }
  });
  if (job.isCancelled()) return cancelled();
  return {};
}

Status convolveOnCpu(const ConvolveStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const Index n = buffers.rows(step.in);
  const Index stride = step.weight.dim(1);
  const Index slotCount = (n + stride - 1) / stride;
  const bool identity = buffers.options().identity.has_value() && movesTokenValues(buffers.plan(), step.in);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    const float* in = buffers.head(step.in, h);
    const float* taps = step.weight.slice<float>(h).data();
    std::vector<double> sum(static_cast<std::size_t>(cols));
    for (Index b = begin; b < end; ++b) {
      std::fill(sum.begin(), sum.end(), 0.0);
      if (!identity && !step.bias.empty() && b < slotCount)
        for (Index c = 0; c < cols; ++c)
          sum[static_cast<std::size_t>(c)] = step.bias.slice<float>(h)[static_cast<std::size_t>(c)];
      for (Index t = 0; t < stride && b * stride + t < n; ++t) {
        const float* row = in + (b * stride + t) * cols;
        const float* tap = taps + t * cols * cols;
        const double alone = identity ? meanDiagonal(tap, cols) : 0.0;
        for (Index a = 0; a < cols; ++a)
          if (identity)
            sum[static_cast<std::size_t>(a)] += alone * row[a];
          else
            for (Index c = 0; c < cols; ++c)
              sum[static_cast<std::size_t>(c)] += static_cast<double>(row[a]) * tap[a * cols + c];
      }
      std::copy(sum.begin(), sum.end(), out.mutableSlice<float>(h).data() + b * cols);
    }
  });
}

Status normaliseRowsOnCpu(const NormaliseRowsStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index d = buffers.cols(step.in);
  const bool standard = step.kind == NormaliseRowsStep::Kind::Standard;
  return forRows(buffers, buffers.rows(step.in), job, [&](Index h, Index begin, Index end) {
    const float* in = buffers.head(step.in, h);
    float* target = out.mutableSlice<float>(h).data();
    if (standard)
      row_math::standardiseRows(in + begin * d, end - begin, d, kLayerNormEpsilon, target + begin * d);
    else
      row_math::unitRows(in + begin * d, end - begin, d, target + begin * d);
  });
}

Status featureMapOnCpu(const FeatureMapStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index d = buffers.cols(step.in);
  const Index r = buffers.cols(step.out);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    const float* in = buffers.head(step.in, h);
    float* target = out.mutableSlice<float>(h).data();
    if (buffers.options().zeroLogits) {
      std::fill(target + begin * r, target + end * r, 1.0F);
      return;
    }
    mapFeatures(step.feature, in + begin * d, target + begin * r, end - begin, d);
  });
}

}  // namespace attnscope
