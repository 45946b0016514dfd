// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/attend_math.cuh"

namespace attnscope::cuda {

// What every way of multiplying shares.
struct AttendState {
  alignas(16) float logits[kSide * kPitch];  // at Math::place; then weights
  float factor[kSide];                       // what the sums of a row are multiplied with
  std::int32_t queryRow[kSide];              // -1: no such row
  std::int32_t keyRow[kSide];
};

// A slice of queries and keys, or half of the values of a tile: one is computed with while the next arrives.
template <class Math>
struct AttendShared : AttendState {
  static constexpr int kOperands = 2 * Math::kOperandFloats;
  static constexpr int kValues = kHalf * Math::kValuePitch;
  alignas(16) float stages[2][kOperands > kValues ? kOperands : kValues];
};

__device__ inline float termValue(const Term& term, int head, std::int64_t i, std::int64_t j) {
  const float* a = headOf(term.a, head) + i * term.a.cols;
  switch (term.kind) {
    case Term::Table:
      return term.weight * a[j];
    case Term::Outer: {
      const float* b = headOf(term.b, head) + i * term.b.cols;
      const auto key = static_cast<unsigned>(j);
      const auto cols = static_cast<unsigned>(term.b.cols);
      return term.weight * a[key / cols] * b[key % cols];
    }
    case Term::Relative: {
      const std::int64_t x = j - i;
      const std::int64_t size = x >= 0 ? x : -x;
      const std::int64_t clipped = size < term.clip ? size : term.clip;
      return term.weight * a[x >= 0 ? clipped : term.clip + clipped];
    }
    default: {
      const std::int64_t x = term.queryLink != nullptr ? term.queryLink[i] : i;
      const std::int64_t y = term.keyLink != nullptr ? term.keyLink[j] : j;
      return term.weight * a[2 * term.clip + (x == y ? 2 : 1)];
    }
  }
}

// How often a permitted cell of a masked tile counts.
__device__ inline int multiplicity(const HeadTiles& tiles, int mask, int row, int col) {
  const int first = tiles.planes[2 * mask];
  const int count = tiles.planes[2 * mask + 1];
  int more = 0;
  for (int p = 0; p < count; ++p)
    more |= static_cast<int>(tiles.planeBits[(first + p) * kSide + row] >> col & 1U) << p;
  return more + 1;
}

// The logit of one cell, -inf where the pair is not read.
__device__ inline float cellLogit(const AttendArgs& args, const HeadTiles& tiles, int head, int mask,
                                  Cell cell, float product, const AttendState& shared) {
  const std::int32_t query = shared.queryRow[cell.row];
  const std::int32_t key = shared.keyRow[cell.col];
  if (query < 0 || key < 0) return kNegativeInfinity;
  if (mask >= 0 && (tiles.masks[static_cast<std::int64_t>(mask) * kSide + cell.row] >> cell.col & 1U) == 0)
    return kNegativeInfinity;
  float logit = 0.0F;
  if (args.zeroLogits == 0) {
    logit = product;
    for (int t = 0; t < args.termCount; ++t) logit += termValue(args.terms[t], head, query, key);
    if (query == key) logit -= args.selfPenalty;
  }
  if (mask >= 0 && tiles.planes[2 * mask + 1] > 0)
    logit -= log2f(static_cast<float>(multiplicity(tiles, mask, cell.row, cell.col)));
  return logit;
}

// Products of the thread's cells become logits in shared memory. A loop over what the thread itself has just
// written there: unrolled over registers, the terms of 16 cells do not fit.
template <class Math>
__device__ inline void writeLogits(const AttendArgs& args, const HeadTiles& tiles, int head, int mask,
                                   const Sums& products, AttendState& shared) {
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Cell cell = Math::cell(i, j);
      shared.logits[Math::place(cell.row, cell.col)] = products[i][j] * args.scale;
    }
  }
  ATTN_NO_UNROLL
  for (int c = 0; c < 16; ++c) {
    const Cell cell = Math::cell(c % 4, c / 4);
    float& place = shared.logits[Math::place(cell.row, cell.col)];
    place = cellLogit(args, tiles, head, mask, cell, place, shared);
  }
}

// What a row has read so far; the four threads of a row hold the same.
struct RowState {
  float maximum;
  float sum;
};

// Logits of a tile become weights; the row's sums have to be multiplied with its factor.
template <class Math>
__device__ inline void softmaxTile(AttendState& shared, RowState& state) {
  const Cell share = rowShare();
  float maximum = kNegativeInfinity;
  for (int key = share.col; key < kSide; key += 4)
    maximum = fmaxf(maximum, shared.logits[Math::place(share.row, key)]);
  maximum = fmaxf(state.maximum, rowMaximum(maximum));
  float sum = 0.0F;
  for (int key = share.col; key < kSide; key += 4) {
    float& place = shared.logits[Math::place(share.row, key)];
    const float weight = place == kNegativeInfinity ? 0.0F : exp2f(place - maximum);
    place = weight;
    sum += weight;
  }
  const float factor = maximum == state.maximum ? 1.0F : exp2f(state.maximum - maximum);
  state.sum = state.sum * factor + rowSum(sum);
  state.maximum = maximum;
  if (share.col == 0) shared.factor[share.row] = factor;
}

__device__ inline std::int32_t rowAt(const std::int32_t* order, std::int64_t position, std::int64_t count) {
  if (position >= count) return -1;
  return order != nullptr ? order[position] : static_cast<std::int32_t>(position);
}

// The columns of v or v2 that one block makes.
struct ValueColumns {
  const float* rows;
  float* out;
  std::int64_t begin;
  std::int64_t cols;
};
__device__ inline ValueColumns valueColumns(const AttendArgs& args, int head) {
  const std::int64_t first = (args.v.cols + kSide - 1) / kSide;
  const std::int64_t chunk = blockIdx.y;
  const std::int64_t headRows = head * args.outRows;
  if (chunk < first)
    return {headOf(args.v, head), args.out + headRows * args.v.cols, chunk * kSide, args.v.cols};
  return {headOf(args.v2, head), args.out2 + headRows * args.v2.cols, (chunk - first) * kSide, args.v2.cols};
}

// Rows of the thread's sums to the output; log-sum-exp by the first of a row's threads.
template <class Math>
__device__ inline void writeRows(const AttendArgs& args, const ValueColumns& values, int head,
                                 std::int64_t tileRow, const RowState& state, const Sums& sums,
                                 AttendState& shared) {
  const auto outRow = [&](int row) -> std::int64_t {
    return args.rowsByPosition != 0 ? tileRow * kSide + row : shared.queryRow[row];
  };
  const Cell share = rowShare();
  __syncthreads();
  if (share.col == 0) {
    shared.factor[share.row] = state.sum > 0.0F ? 1.0F / state.sum : 0.0F;
    if (blockIdx.y == 0 && shared.queryRow[share.row] >= 0) {
      const double log2Sum = static_cast<double>(state.maximum) + static_cast<double>(log2f(state.sum));
      args.lse[head * args.outRows + outRow(share.row)] =
          state.sum > 0.0F ? static_cast<float>(log2Sum * 0.69314718055994530942) : kNegativeInfinity;
    }
  }
  __syncthreads();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const Cell cell = Math::cell(i, j);
      const std::int64_t col = values.begin + cell.col;
      if (shared.queryRow[cell.row] >= 0 && col < values.cols)
        values.out[outRow(cell.row) * values.cols + col] = sums[i][j] * shared.factor[cell.row];
    }
  }
}

// The tiles of one row, one after the other.
struct TileWalk {
  const Run* runs;
  std::int64_t at;
  std::int64_t end;
  std::int32_t tile;

  __device__ TileWalk(const HeadTiles& tiles, std::int64_t tileRow)
      : runs(tiles.runs), at(tiles.rowBegin[tileRow]), end(tiles.rowBegin[tileRow + 1]), tile(0) {
    if (at < end) tile = runs[at].begin;
  }
  [[nodiscard]] __device__ bool hasTile() const { return at < end; }
  [[nodiscard]] __device__ int mask() const { return runs[at].mask; }
  __device__ void advance() {
    if (++tile < runs[at].end) return;
    if (++at < end) tile = runs[at].begin;
  }
};

// What a block reads, in the order in which it needs it: for each tile the slices of queries and keys, then
// two halves of the values. While one stage is computed with, the next is on its way.
template <class Math>
struct AttendLoads {
  const HeadTiles& tiles;
  const float* queries;
  const float* keys;
  ValueColumns values;
  int d;
  int slices;
  int wanted;  // the buffer of the stage that is needed next

  // Part `part` of a tile; the rows of keys are looked up again, since shared.keyRow is the present tile's.
  __device__ void start(int part, std::int32_t tile, AttendShared<Math>& shared) const {
    float* to = shared.stages[wanted];
    const std::int64_t first = static_cast<std::int64_t>(tile) * kSide;
    if (part < slices) {
      Math::loadOperand(to, part * kSlice, d, [&](int r) {
        return shared.queryRow[r] < 0 ? nullptr : queries + static_cast<std::int64_t>(shared.queryRow[r]) * d;
      });
      Math::loadOperand(to + Math::kOperandFloats, part * kSlice, d, [&](int r) {
        const std::int32_t key = rowAt(tiles.keyOrder, first + r, tiles.cols);
        return key < 0 ? nullptr : keys + static_cast<std::int64_t>(key) * d;
      });
      return;
    }
    const std::int64_t half = first + (part - slices) * kHalf;
    copyRows<kHalf, kSide, Math::kValuePitch>(to, values.begin, values.cols, [&](int r) {
      const std::int32_t key = rowAt(tiles.keyOrder, half + r, tiles.cols);
      return key < 0 ? nullptr : values.rows + key * values.cols;
    });
  }

  // The stage that is wanted now; starts the one after it, part `after` of a tile (-1: none). The barrier
  // also says that nobody reads the stage before any more, into whose place the new one goes.
  __device__ const float* turn(int after, std::int32_t tile, AttendShared<Math>& shared) {
    waitForCopies();
    __syncthreads();
    const float* present = shared.stages[wanted];
    wanted ^= 1;
    if (after >= 0) start(after, tile, shared);
    return present;
  }
};

// Streaming softmax of one row of tiles of one head, for up to 64 columns of the values. Grid: rows of tiles,
// chunks of value columns, heads.
template <class Math>
__device__ inline void attend(const AttendArgs& args, AttendShared<Math>& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  const int head = args.firstHead + static_cast<int>(blockIdx.z);
  const HeadTiles& tiles = args.tiles[head];
  const std::int64_t tileRow = args.firstTileRow + static_cast<std::int64_t>(blockIdx.x);
  if (tileRow * kSide >= tiles.rows) return;  // the whole block: heads may differ in length
  if (thread < kSide) shared.queryRow[thread] = rowAt(tiles.queryOrder, tileRow * kSide + thread, tiles.rows);
  __syncthreads();
  AttendLoads<Math> loads = {tiles,
                             args.d > 0 ? headOf(args.q, head) : nullptr,
                             args.d > 0 ? headOf(args.k, head) : nullptr,
                             valueColumns(args, head),
                             args.d,
                             args.zeroLogits == 0 ? (args.d + kSlice - 1) / kSlice : 0,
                             0};
  RowState state = {kNegativeInfinity, 0.0F};
  Sums sums;
  clear(sums);
  TileWalk walk(tiles, tileRow);
  if (walk.hasTile()) loads.start(0, walk.tile, shared);
  while (walk.hasTile()) {
    if (thread < kSide)
      shared.keyRow[thread] =
          rowAt(tiles.keyOrder, static_cast<std::int64_t>(walk.tile) * kSide + thread, tiles.cols);
    Sums products;
    clear(products);
    for (int part = 0; part < loads.slices; ++part) {
      const float* operands = loads.turn(part + 1, walk.tile, shared);
      Math::multiplyOperands(operands, operands + Math::kOperandFloats, products);
    }
    if (loads.slices == 0) __syncthreads();  // the keys' rows are written, the last tile's weights are read
    writeLogits<Math>(args, tiles, head, walk.mask(), products, shared);
    __syncthreads();
    softmaxTile<Math>(shared, state);
    const float* values = loads.turn(loads.slices + 1, walk.tile, shared);
    ATTN_UNROLL
    for (int i = 0; i < 4; ++i) {
      ATTN_UNROLL
      for (int j = 0; j < 4; ++j) sums[i][j] *= shared.factor[Math::cell(i, j).row];
    }
    Math::multiplyValues(shared.logits, 0, values, sums);
    walk.advance();
    values = loads.turn(walk.hasTile() ? 0 : -1, walk.tile, shared);
    Math::multiplyValues(shared.logits, kHalf, values, sums);
  }
  writeRows<Math>(args, loads.values, head, tileRow, state, sums, shared);
}

ATTN_KERNEL runAttend(AttendArgs args) {
  ATTN_SHARED(AttendShared<Float32Math>, shared);
  attend<Float32Math>(args, shared);
}

// Before sm_80 there are no such instructions: a build for older GPUs is not offered these (DeviceInfo::
// precisions), and stops the launch if it is asked for them.
ATTN_KERNEL runAttendTf32(AttendTf32Args args) {
#if ATTN_AMPERE
  ATTN_SHARED(AttendShared<TensorMath<Tf32>>, shared);
  attend<TensorMath<Tf32>>(args, shared);
#else
  __trap();
#endif
}
ATTN_KERNEL runAttendBf16(AttendBf16Args args) {
#if ATTN_AMPERE
  ATTN_SHARED(AttendShared<TensorMath<Bf16>>, shared);
  attend<TensorMath<Bf16>>(args, shared);
#else
  __trap();
#endif
}

}  // namespace attnscope::cuda
