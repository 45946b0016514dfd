// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/tile.cuh"

namespace attnscope::cuda {

struct AttendShared {
  alignas(16) float operands[2 * kOperand];  // queries and keys by depth, then 64 values
  alignas(16) float logits[kSide * kPitch];  // by key; then weights
  float factor[kSide];                       // what the sums of a row are multiplied with
  std::int32_t queryRow[kSide];              // -1: no such row
  std::int32_t keyRow[kSide];
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
                                  Cell cell, float product, const AttendShared& shared) {
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

// Products of the thread's cells become logits by key in shared memory. A loop over what the thread itself
// has just written there: unrolled over registers, the terms of 16 cells do not fit.
__device__ inline void writeLogits(const AttendArgs& args, const HeadTiles& tiles, int head, int mask,
                                   const Sums& products, AttendShared& shared) {
  const Cell first = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j)
      shared.logits[(first.col + j) * kPitch + first.row + i] = products[i][j] * args.scale;
  }
  ATTN_NO_UNROLL
  for (int c = 0; c < 16; ++c) {
    const Cell cell = {first.row + c % 4, first.col + c / 4};
    float& place = shared.logits[cell.col * kPitch + cell.row];
    place = cellLogit(args, tiles, head, mask, cell, place, shared);
  }
}

// What a row has read so far; the four threads of a row hold the same.
struct RowState {
  float maximum;
  float sum;
};

// Logits of a tile become weights; the row's sums have to be multiplied with its factor.
__device__ inline void softmaxTile(AttendShared& shared, RowState& state) {
  const Cell share = rowShare();
  float* logits = shared.logits + share.row;
  float maximum = kNegativeInfinity;
  for (int key = share.col; key < kSide; key += 4) maximum = fmaxf(maximum, logits[key * kPitch]);
  maximum = fmaxf(state.maximum, rowMaximum(maximum));
  float sum = 0.0F;
  for (int key = share.col; key < kSide; key += 4) {
    const float logit = logits[key * kPitch];
    const float weight = logit == kNegativeInfinity ? 0.0F : exp2f(logit - maximum);
    logits[key * kPitch] = weight;
    sum += weight;
  }
  const float factor = maximum == state.maximum ? 1.0F : exp2f(state.maximum - maximum);
  state.sum = state.sum * factor + rowSum(sum);
  state.maximum = maximum;
  if (share.col == 0) shared.factor[share.row] = factor;
}

// Products of 64 queries and 64 keys.
__device__ inline void multiplyTile(const AttendArgs& args, const float* queries, const float* keys,
                                    AttendShared& shared, Sums& products) {
  float* left = shared.operands;
  float* right = shared.operands + kOperand;
  for (int c = 0; c < args.d; c += kDepth) {
    loadTransposed(left, c, args.d, 0.0F, [&](int r) {
      return shared.queryRow[r] < 0 ? nullptr
                                    : queries + static_cast<std::int64_t>(shared.queryRow[r]) * args.d;
    });
    loadTransposed(right, c, args.d, 0.0F, [&](int r) {
      return shared.keyRow[r] < 0 ? nullptr : keys + static_cast<std::int64_t>(shared.keyRow[r]) * args.d;
    });
    __syncthreads();
    multiplyAdd<kDepth>(left, right, products);
    __syncthreads();
  }
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
__device__ inline void writeRows(const AttendArgs& args, const ValueColumns& values, int head,
                                 std::int64_t tileRow, const RowState& state, const Sums& sums,
                                 AttendShared& shared) {
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
  const Cell cell = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int row = cell.row + i;
    if (shared.queryRow[row] < 0) continue;
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t col = values.begin + cell.col + j;
      if (col < values.cols) values.out[outRow(row) * values.cols + col] = sums[i][j] * shared.factor[row];
    }
  }
}

// Streaming softmax of one row of tiles of one head, for up to 64 columns of the values. Grid: rows of tiles,
// chunks of value columns, heads.
ATTN_KERNEL runAttend(AttendArgs args) {
  ATTN_SHARED(AttendShared, shared);
  const int thread = static_cast<int>(threadIdx.x);
  const int head = args.firstHead + static_cast<int>(blockIdx.z);
  const HeadTiles& tiles = args.tiles[head];
  const std::int64_t tileRow = args.firstTileRow + static_cast<std::int64_t>(blockIdx.x);
  if (tileRow * kSide >= tiles.rows) return;  // the whole block: heads may differ in length
  if (thread < kSide) shared.queryRow[thread] = rowAt(tiles.queryOrder, tileRow * kSide + thread, tiles.rows);
  const float* queries = args.d > 0 ? headOf(args.q, head) : nullptr;
  const float* keys = args.d > 0 ? headOf(args.k, head) : nullptr;
  const ValueColumns values = valueColumns(args, head);
  RowState state = {kNegativeInfinity, 0.0F};
  Sums sums;
  clear(sums);
  for (std::int64_t at = tiles.rowBegin[tileRow]; at < tiles.rowBegin[tileRow + 1]; ++at) {
    const Run run = tiles.runs[at];
    for (std::int64_t tile = run.begin; tile < run.end; ++tile) {
      if (thread < kSide) shared.keyRow[thread] = rowAt(tiles.keyOrder, tile * kSide + thread, tiles.cols);
      __syncthreads();  // also: the last tile's values and weights are read
      Sums products;
      clear(products);
      if (args.zeroLogits == 0) multiplyTile(args, queries, keys, shared, products);
      writeLogits(args, tiles, head, run.mask, products, shared);
      loadRows(shared.operands, kSide, values.begin, values.cols, [&](int r) {
        return shared.keyRow[r] < 0 ? nullptr : values.rows + shared.keyRow[r] * values.cols;
      });
      __syncthreads();
      softmaxTile(shared, state);
      __syncthreads();
      const Cell cell = firstCell();
      ATTN_UNROLL
      for (int i = 0; i < 4; ++i) {
        ATTN_UNROLL
        for (int j = 0; j < 4; ++j) sums[i][j] *= shared.factor[cell.row + i];
      }
      multiplyAdd<kSide>(shared.logits, shared.operands, sums);
    }
  }
  writeRows(args, values, head, tileRow, state, sums, shared);
}

}  // namespace attnscope::cuda
