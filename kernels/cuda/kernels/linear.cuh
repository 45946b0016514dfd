// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/rows.cuh"
#include "kernels/cuda/kernels/tile.cuh"

namespace attnscope::cuda {

// The largest exponent of each feature in each block. Grid: blocks of keys, 256 features, heads.
ATTN_KERNEL runBlockLargest(BlockLargestArgs args) {
  const std::int64_t block = blockIdx.x;
  const std::int64_t feature = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  const int head = static_cast<int>(blockIdx.z);
  if (feature >= args.r) return;
  const float* keys = headOf(args.phiK, head) + feature;
  const std::int64_t end = (block + 1) * args.block < args.nK ? (block + 1) * args.block : args.nK;
  float largest = kNegativeInfinity;
  for (std::int64_t j = block * args.block; j < end; ++j) largest = fmaxf(largest, keys[j * args.r]);
  args.blockLargest[(head * args.blocks + block) * args.r + feature] = largest;
}

// exp(exponent - reference); a reference of -inf means that there is nothing.
__device__ inline float relativeFeature(float exponent, float reference) {
  return reference == kNegativeInfinity ? 0.0F : expf(exponent - reference);
}

struct StateShared {
  alignas(16) float keys[kOperand];    // [key][feature]
  alignas(16) float values[kOperand];  // [key][column]
  float reference[kSide];
};

// What each block of keys adds to the state: phi(K)^T V and the sums of phi(K), relative to the block's own
// largest exponents. Grid: blocks of keys, tiles of features times tiles of columns, heads.
ATTN_KERNEL runBlockStates(BlockStatesArgs args) {
  ATTN_SHARED(StateShared, shared);
  const std::int64_t block = blockIdx.x;
  const int head = static_cast<int>(blockIdx.z);
  const std::int64_t colTiles = (args.dV + kSide - 1) / kSide;
  const std::int64_t feature0 = blockIdx.y / colTiles * kSide;
  const std::int64_t col0 = blockIdx.y % colTiles * kSide;
  const std::int64_t end = (block + 1) * args.block < args.nK ? (block + 1) * args.block : args.nK;
  const float* keys = headOf(args.phiK, head);
  const float* values = headOf(args.v, head);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kSide) {
    const bool used = args.exponents != 0 && feature0 + thread < args.r;
    shared.reference[thread] =
        used ? args.blockLargest[(head * args.blocks + block) * args.r + feature0 + thread] : 0.0F;
  }
  __syncthreads();
  Sums sums;
  clear(sums);
  const Cell share = rowShare();
  double sum = 0.0;
  for (std::int64_t at = block * args.block; at < end; at += kDepth) {
    for (int e = thread; e < kDepth * kSide; e += kThreads) {
      const int t = e / kSide;
      const int f = e % kSide;
      float value = 0.0F;
      if (at + t < end && feature0 + f < args.r) {
        value = keys[(at + t) * args.r + feature0 + f];
        if (args.exponents != 0) value = relativeFeature(value, shared.reference[f]);
      }
      shared.keys[t * kPitch + f] = value;
    }
    loadRows(shared.values, kDepth, col0, args.dV,
             [&](int r) { return at + r < end ? values + (at + r) * args.dV : nullptr; });
    __syncthreads();
    multiplyAdd<kDepth>(shared.keys, shared.values, sums);
    for (int t = share.col; t < kDepth; t += 4)
      sum += static_cast<double>(shared.keys[t * kPitch + share.row]);
    __syncthreads();
  }
  const std::int64_t state = (head * (args.blocks + 1) + block) * args.r;
  sum = rowSum(sum);
  if (col0 == 0 && share.col == 0 && feature0 + share.row < args.r)
    args.sums[state + feature0 + share.row] = static_cast<float>(sum);
  const Cell cell = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const std::int64_t feature = feature0 + cell.row + i;
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t col = col0 + cell.col + j;
      if (feature < args.r && col < args.dV) args.states[(state + feature) * args.dV + col] = sums[i][j];
    }
  }
}

// Every state becomes the sum of those before it; behind the last stands the sum of all. A thread for each
// number of the state: columns 0 .. dV - 1 are S, column dV is Z. Grid: 256 of them, heads.
ATTN_KERNEL runScanStates(ScanStatesArgs args) {
  const std::int64_t i = cellIndex();
  const int head = headIndex();
  if (i >= args.r * (args.dV + 1)) return;
  const std::int64_t feature = i / (args.dV + 1);
  const std::int64_t col = i % (args.dV + 1);
  double total = 0.0;
  float reference = kNegativeInfinity;
  for (std::int64_t block = 0; block <= args.blocks; ++block) {
    const std::int64_t at = (head * (args.blocks + 1) + block) * args.r + feature;
    float* place = col == args.dV ? args.sums + at : args.states + at * args.dV + col;
    const double before = total;
    if (args.exponents != 0 && col == args.dV) args.largest[at] = reference;
    if (block < args.blocks) {
      double old = 1.0;
      double fresh = 1.0;
      if (args.exponents != 0) {
        const float own = args.blockLargest[(head * args.blocks + block) * args.r + feature];
        const float larger = fmaxf(reference, own);
        old = reference == kNegativeInfinity
                  ? 0.0
                  : exp(static_cast<double>(reference) - static_cast<double>(larger));
        fresh = own == kNegativeInfinity ? 0.0 : exp(static_cast<double>(own) - static_cast<double>(larger));
        reference = larger;
      }
      total = old * total + fresh * static_cast<double>(*place);
    }
    *place = static_cast<float>(before);
  }
}

// The largest exponent that each query meets: of its own plus that of the keys up to its own position. Grid:
// blocks of keys, 256 features, heads.
ATTN_KERNEL runCausalShifts(CausalShiftsArgs args) {
  const std::int64_t block = blockIdx.x;
  const std::int64_t feature = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  const int head = static_cast<int>(blockIdx.z);
  const bool real = feature < args.r;  // lanes beyond the features still take part in the warp's maximum
  const float* queries = headOf(args.phiQ, head);
  const float* keys = headOf(args.phiK, head);
  const std::int64_t offset = args.nK - args.nQ;
  const std::int64_t end = (block + 1) * args.block < args.nK ? (block + 1) * args.block : args.nK;
  float largest =
      real ? args.largest[(head * (args.blocks + 1) + block) * args.r + feature] : kNegativeInfinity;
  for (std::int64_t position = block * args.block; position < end; ++position) {
    if (real) largest = fmaxf(largest, keys[position * args.r + feature]);
    const std::int64_t i = position - offset;
    if (i < 0 || i >= args.nQ) continue;
    const float met = warpMaximum(real ? queries[i * args.r + feature] + largest : kNegativeInfinity);
    if (lane() == 0) atomicMax(args.shifts + head * args.nQ + i, orderedBits(met));
  }
}

// The same where every query reads every key. Grid: 8 queries, heads.
ATTN_KERNEL runFullShifts(FullShiftsArgs args) {
  const std::int64_t i = warpRow();
  const int head = headIndex();
  if (i >= args.nQ) return;
  const float* largest = args.largest + (head * (args.blocks + 1) + args.blocks) * args.r;
  const float* query = headOf(args.phiQ, head) + i * args.r;
  float met = kNegativeInfinity;
  for (std::int64_t a = lane(); a < args.r; a += 32) met = fmaxf(met, query[a] + largest[a]);
  met = warpMaximum(met);
  if (lane() == 0) args.shifts[head * args.nQ + i] = orderedBits(met);
}

struct ReadShared {
  alignas(16) float operands[2 * kOperand];
  alignas(16) float weights[kSide * kPitch];  // by key
  float sums[kDepth];
  float reference[kDepth];
  float shift[kSide];
  float factor[kSide];
};

// 64 neighbouring positions of queries; `query` of one is -1 where there is none.
struct QueryTile {
  std::int64_t position;
  std::int64_t offset;
  std::int64_t count;
  __device__ std::int64_t query(int row) const {
    const std::int64_t i = position + row - offset;
    return i >= 0 && i < count ? i : -1;
  }
};

// Queries read the state before their block. Returns the thread's share of its row's denominator.
__device__ inline double readState(const LinearReadArgs& args, int head, const QueryTile& tile,
                                   std::int64_t block, std::int64_t col0, Sums& sums, ReadShared& shared) {
  const float* queries = headOf(args.phiQ, head);
  const std::int64_t state = (head * (args.blocks + 1) + block) * args.r;
  float* left = shared.operands;
  float* right = shared.operands + kOperand;
  const int thread = static_cast<int>(threadIdx.x);
  const Cell share = rowShare();
  double denominator = 0.0;
  for (std::int64_t at = 0; at < args.r; at += kDepth) {
    if (thread < kDepth) {
      const bool real = at + thread < args.r;
      shared.sums[thread] = real ? args.sums[state + at + thread] : 0.0F;
      shared.reference[thread] =
          real && args.exponents != 0 ? args.largest[state + at + thread] : kNegativeInfinity;
    }
    __syncthreads();
    for (int e = thread; e < kSide * kDepth; e += kThreads) {
      const int r = e / kDepth;
      const int c = e % kDepth;
      const std::int64_t i = tile.query(r);
      float value = 0.0F;
      if (i >= 0 && at + c < args.r) {
        value = queries[i * args.r + at + c];
        if (args.exponents != 0)
          value = shared.reference[c] == kNegativeInfinity
                      ? 0.0F
                      : expf(value + (shared.reference[c] - shared.shift[r]));
      }
      left[c * kPitch + r] = value;
    }
    loadRows(right, kDepth, col0, args.dV,
             [&](int r) { return at + r < args.r ? args.states + (state + at + r) * args.dV : nullptr; });
    __syncthreads();
    multiplyAdd<kDepth>(left, right, sums);
    for (int c = share.col; c < kDepth; c += 4)
      denominator += static_cast<double>(left[c * kPitch + share.row]) * static_cast<double>(shared.sums[c]);
    __syncthreads();
  }
  return denominator;
}

// sums += sum over features of exp(left + right): products of features that are held as exponents.
__device__ inline void addExponentials(const float* left, const float* right, Sums& sums) {
  const Cell cell = firstCell();
  for (int c = 0; c < kDepth; ++c) {
    ATTN_UNROLL
    for (int i = 0; i < 4; ++i) {
      ATTN_UNROLL
      for (int j = 0; j < 4; ++j)
        sums[i][j] += expf(left[c * kPitch + cell.row + i] + right[c * kPitch + cell.col + j]);
    }
  }
}

// Weights of the keys [key0, key0 + 64) up to each query's own position, by key in shared memory.
__device__ inline void pairWeights(const LinearReadArgs& args, int head, const QueryTile& tile,
                                   std::int64_t key0, ReadShared& shared) {
  const float* queries = headOf(args.phiQ, head);
  const float* keys = headOf(args.phiK, head);
  float* left = shared.operands;
  float* right = shared.operands + kOperand;
  const float missing = args.exponents != 0 ? kNegativeInfinity : 0.0F;
  Sums products;
  clear(products);
  for (std::int64_t at = 0; at < args.r; at += kDepth) {
    loadTransposed(left, at, args.r, missing, [&](int r) {
      const std::int64_t i = tile.query(r);
      return i >= 0 ? queries + i * args.r : nullptr;
    });
    loadTransposed(right, at, args.r, missing,
                   [&](int r) { return key0 + r < args.nK ? keys + (key0 + r) * args.r : nullptr; });
    __syncthreads();
    if (args.exponents != 0) {
      for (int e = static_cast<int>(threadIdx.x); e < kSide * kDepth; e += kThreads)
        left[e / kSide * kPitch + e % kSide] -= shared.shift[e % kSide];
      __syncthreads();
      addExponentials(left, right, products);
    } else {
      multiplyAdd<kDepth>(left, right, products);
    }
    __syncthreads();
  }
  const Cell cell = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int row = cell.row + i;
      const int col = cell.col + j;
      const bool read = tile.query(row) >= 0 && key0 + col <= tile.position + row && key0 + col < args.nK;
      shared.weights[col * kPitch + row] = read ? products[i][j] : 0.0F;
    }
  }
}

__device__ inline void writeLinearRows(const LinearReadArgs& args, int head, const QueryTile& tile,
                                       std::int64_t col0, double denominator, const Sums& sums,
                                       ReadShared& shared) {
  const Cell share = rowShare();
  denominator = rowSum(denominator);
  const std::int64_t own = tile.query(share.row);
  if (share.col == 0) {
    const double sum = args.exponents != 0 ? denominator : denominator + args.eps;
    shared.factor[share.row] = sum == 0.0 ? 0.0F : static_cast<float>(1.0 / sum);
    if (col0 == 0 && own >= 0)
      args.denominator[head * args.nQ + own] = static_cast<float>(
          args.exponents != 0 ? static_cast<double>(shared.shift[share.row]) + log(sum) : sum);
  }
  __syncthreads();
  const Cell cell = firstCell();
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    const std::int64_t query = tile.query(cell.row + i);
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j) {
      const std::int64_t col = col0 + cell.col + j;
      if (query >= 0 && col < args.dV)
        args.out[(head * args.nQ + query) * args.dV + col] = sums[i][j] * shared.factor[cell.row + i];
    }
  }
}

// Queries read the state before their block and, when causal, the keys of the block up to themselves. Grid:
// tiles of 64 positions, tiles of columns, heads.
ATTN_KERNEL runLinearRead(LinearReadArgs args) {
  ATTN_SHARED(ReadShared, shared);
  const int head = static_cast<int>(blockIdx.z);
  const std::int64_t col0 = static_cast<std::int64_t>(blockIdx.y) * kSide;
  const bool causal = args.causal != 0;
  const QueryTile tile = {(args.firstTile + static_cast<std::int64_t>(blockIdx.x)) * kSide,
                          causal ? args.nK - args.nQ : 0, args.nQ};
  const std::int64_t block = causal ? tile.position / args.block : args.blocks;
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < kSide) {
    const std::int64_t i = tile.query(thread);
    const bool real = i >= 0 && args.exponents != 0;
    shared.shift[thread] = real ? fromOrderedBits(args.shifts[head * args.nQ + i]) : 0.0F;
  }
  Sums sums;
  clear(sums);
  double denominator = readState(args, head, tile, block, col0, sums, shared);
  const float* values = headOf(args.v, head);
  const Cell share = rowShare();
  for (std::int64_t key0 = block * args.block; causal && key0 <= tile.position; key0 += kSide) {
    pairWeights(args, head, tile, key0, shared);
    loadRows(shared.operands, kSide, col0, args.dV,
             [&](int r) { return key0 + r < args.nK ? values + (key0 + r) * args.dV : nullptr; });
    __syncthreads();
    for (int t = share.col; t < kSide; t += 4)
      denominator += static_cast<double>(shared.weights[t * kPitch + share.row]);
    multiplyAdd<kSide>(shared.weights, shared.operands, sums);
    __syncthreads();
  }
  writeLinearRows(args, head, tile, col0, denominator, sums, shared);
}

}  // namespace attnscope::cuda
