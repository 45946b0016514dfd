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

// Some columns of all mixed blocks of one head: the product of their shares with the blocks as rows.
class BlockColumns {
 public:
  BlockColumns(const float* shares, Index ld, Index mixed, Index width)
      : m_shares(shares), m_ld(ld), m_mixed(mixed), m_width(width) {}

  // Columns of the first `sources` blocks; `in` and `out` point at the first of them.
  void mix(const float* in, Index sources, Index columns, float* out) {
    const Index padded = (columns + 15) / 16 * 16;
    const bool direct = padded == columns && sources > 0;
    m_rows.assign(static_cast<std::size_t>(kMixedBlocks * padded), 0.0F);
    if (!direct) m_mixes.assign(static_cast<std::size_t>(m_mixed * padded), 0.0F);
    float* target = direct ? out : m_mixes.data();
    // The columns are copied first: rows of blocks lie a power of two apart, which is one place in the cache.
    for (Index first = 0; first < sources; first += kMixedBlocks) {
      const Index some = std::min(kMixedBlocks, sources - first);
      for (Index v = 0; v < some; ++v)
        std::copy_n(in + (first + v) * m_width, columns, m_rows.data() + v * padded);
      tile_math::gemm(m_shares + first, m_ld, m_rows.data(), padded, target, direct ? m_width : padded,
                      m_mixed, padded, some, first > 0);
    }
    for (Index u = 0; u < m_mixed && !direct; ++u)
      std::copy_n(m_mixes.data() + u * padded, columns, out + u * m_width);
  }

 private:
  const float* m_shares;
  Index m_ld;
  Index m_mixed;
  Index m_width;  // of a block as one row
  std::vector<float> m_rows;
  std::vector<float> m_mixes;
};

Status mixBlocksOnCpu(const ProjectStep& step, BufferTable& buffers, const JobContext& job) {
  const auto& blocks = std::get<BlockMix>(step.weight);
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const Index count = blocks.mix.dim(2);
  const Index n = buffers.rows(step.in);
  const Index width = blocks.block * cols;
  const Index whole = blocks.whole(n) * cols;  // columns that every block has
  const Index wholePieces = (whole + kMixedColumns - 1) / kMixedColumns;
  const Index pieces = wholePieces + (width - whole + kMixedColumns - 1) / kMixedColumns;
  tbb::parallel_for(Index{0}, pieces * buffers.plan().shape.heads, [&](Index task) {
    if (job.isCancelled()) return;
    const Index h = task / pieces;
    const Index piece = task % pieces;
    const bool inAll = piece < wholePieces;
    const Index column = inAll ? piece * kMixedColumns : whole + (piece - wholePieces) * kMixedColumns;
    BlockColumns columns(blocks.shares(h, 0, column / cols, n).data(), count, blocks.mix.dim(1), width);
    columns.mix(buffers.head(step.in, h) + column, inAll ? count : count - 1,
                std::min(kMixedColumns, (inAll ? whole : width) - column),
                out.mutableSlice<float>(h).data() + column);
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

namespace {

// The slots of one head. The `stride` rows of a slot lie behind each other, so slots are one product with the
// taps: (slots, stride cols) x (stride cols, cols).
class Convolution {
 public:
  Convolution(const ConvolveStep& step, Index head, const float* in, Index n, Index cols)
      : m_in(in), m_n(n), m_cols(cols), m_stride(step.weight.dim(1)) {
    m_taps = step.weight.slice<float>(head).data();
    if (!step.bias.empty()) m_bias = step.bias.slice<float>(head).data();
  }

  [[nodiscard]] Index slots() const { return (m_n + m_stride - 1) / m_stride; }
  [[nodiscard]] Index wholeSlots() const { return m_n / m_stride; }

  // Slots [first, first + count), which are whole or the last one.
  void write(Index first, Index count, float* out) {
    if (count == 0) return;
    const Index padded = (m_cols + 15) / 16 * 16;
    const float* taps = padded == m_cols ? m_taps : widened(padded);
    std::vector<float> made(static_cast<std::size_t>(count * padded), 0.0F);
    for (Index b = 0; b < count && m_bias != nullptr; ++b)
      std::copy_n(m_bias, m_cols, made.data() + b * padded);
    const Index width = m_stride * m_cols;
    tile_math::gemm(m_in + first * width, width, taps, padded, made.data(), padded, count, padded,
                    std::min(width, m_n * m_cols - first * width), true);
    for (Index b = 0; b < count; ++b)
      std::copy_n(made.data() + b * padded, m_cols, out + (first + b) * m_cols);
  }

  // The same for the identity, whose channels are keys and may not be mixed: of a tap its mean diagonal.
  void writeAlone(Index first, Index count, float* out) const {
    std::fill_n(out + first * m_cols, count * m_cols, 0.0F);
    for (Index t = 0; t < m_stride; ++t) {
      const auto share = static_cast<float>(meanDiagonal(m_taps + t * m_cols * m_cols, m_cols));
      for (Index b = first; b < first + count && b * m_stride + t < m_n; ++b)
        for (Index c = 0; c < m_cols; ++c)
          out[b * m_cols + c] += share * m_in[(b * m_stride + t) * m_cols + c];
    }
  }

 private:
  // The taps with rows as a product takes them.
  const float* widened(Index padded) {
    const Index rows = m_stride * m_cols;
    if (m_wide.empty()) m_wide.assign(static_cast<std::size_t>(rows * padded), 0.0F);
    for (Index r = 0; r < rows; ++r) std::copy_n(m_taps + r * m_cols, m_cols, m_wide.data() + r * padded);
    return m_wide.data();
  }

  const float* m_in;
  Index m_n;
  Index m_cols;
  Index m_stride;
  const float* m_taps = nullptr;
  const float* m_bias = nullptr;
  std::vector<float> m_wide;
};

}  // namespace

Status convolveOnCpu(const ConvolveStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index cols = buffers.cols(step.in);
  const bool identity = buffers.options().identity.has_value() && movesTokenValues(buffers.plan(), step.in);
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    Convolution slots(step, h, buffers.head(step.in, h), buffers.rows(step.in), cols);
    float* target = out.mutableSlice<float>(h).data();
    const Index made = std::clamp(slots.slots(), begin, end);
    std::fill(target + made * cols, target + end * cols, 0.0F);  // slots of no rows
    if (identity) {
      slots.writeAlone(begin, made - begin, target);
      return;
    }
    const Index whole = std::clamp(slots.wholeSlots(), begin, made);
    slots.write(begin, whole - begin, target);
    slots.write(whole, made - whole, target);
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
