// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/cuda/kernels/attend.cuh"

// Weights of a head for a picture, reduced where they are made. A block makes the numbers of a group of rows
// and a group of columns. A group is one number of any size, or several that stand for at most 64 cells
// together; so along an axis with several numbers there is one tile, and a sum over many tiles belongs to one
// thread, always in the same order.
namespace attnscope::cuda {

struct WeightsShared {
  alignas(16) float weights[kSide * kPitch];   // [row][kPitch]
  alignas(16) float operands[kSide * kPitch];  // slices of queries and keys; then logits; then sums of rows
  float lse[kSide];                            // in units of log2
  float share[kSide];                          // of the step in the output's row
  std::int32_t query[kSide];                   // token, or -1
  std::int32_t queryPosition[kSide];           // in the step's order; -1: reads nothing in this step
  std::int32_t keyFirst[kSide];                // of the key's places, in keyPlaces or as they are
  std::int32_t keyPast[kSide];
  std::int32_t alone[kSide];  // the whole self penalty is in the sum: nobody else is
  std::int32_t reads;         // does any cell of the tile
};
static_assert(2 * kOperand == kSide * kPitch);

// Cells of the picture: `rows` x `cols` <= 64 x 64 from (row, col) on.
struct WeightTile {
  std::int64_t row;
  std::int64_t col;
  int rows;
  int cols;
};

__device__ inline float lseOf(const WeightStep& step, int head, std::int64_t query) {
  return step.attend.lse[head * step.attend.outRows + query];
}

// From the parts alone: near -100,000 the joint lse keeps only 0.008.
__device__ inline float shareOf(const WeightsArgs& args, const WeightStep& step, std::int64_t query) {
  if (args.stepCount == 1) return 1.0F;
  float largest = kNegativeInfinity;
  for (int s = 0; s < args.stepCount; ++s) largest = fmaxf(largest, lseOf(args.steps[s], args.head, query));
  if (largest == kNegativeInfinity) return 0.0F;
  double sum = 0.0;
  for (int s = 0; s < args.stepCount; ++s)
    sum += static_cast<double>(expf(lseOf(args.steps[s], args.head, query) - largest));
  return static_cast<float>(static_cast<double>(expf(lseOf(step, args.head, query) - largest)) / sum);
}

// What a step says of the tile's rows and columns.
__device__ inline void describeTile(const WeightsArgs& args, const WeightStep& step, const HeadTiles& tiles,
                                    const WeightTile& tile, WeightsShared& shared) {
  const int thread = static_cast<int>(threadIdx.x);
  const HeadPositions& positions = step.positions[args.head];
  if (thread == 0) shared.reads = 0;
  if (thread < kSide) {
    std::int32_t query = -1;
    std::int32_t position = -1;
    if (thread < tile.rows) {
      const std::int64_t cell = tile.row + thread;
      query = args.queries != nullptr ? args.queries[cell] : static_cast<std::int32_t>(args.row0 + cell);
      const float lse = lseOf(step, args.head, query);
      if (lse != kNegativeInfinity)
        position = positions.ofQuery != nullptr ? positions.ofQuery[query] : query;
      if (position >= tiles.rows) position = -1;
      shared.lse[thread] = lse * 1.44269504088896340736F;
      shared.share[thread] = shareOf(args, step, query);
      shared.alone[thread] =
          step.attend.selfPenalty > 0.0F && shared.lse[thread] < -0.5F * step.attend.selfPenalty ? 1 : 0;
    }
    shared.query[thread] = query;
    shared.queryPosition[thread] = position;
  } else if (thread < 2 * kSide) {
    const int col = thread - kSide;
    const std::int64_t key = args.col0 + tile.col + col;
    const bool exists = col < tile.cols;
    if (positions.keyBegin != nullptr) {
      shared.keyFirst[col] = exists ? positions.keyBegin[key] : 0;
      shared.keyPast[col] = exists ? positions.keyBegin[key + 1] : 0;
    } else {
      shared.keyFirst[col] = static_cast<std::int32_t>(key);
      shared.keyPast[col] = static_cast<std::int32_t>(exists && key < tiles.cols ? key + 1 : key);
    }
  }
}

// The mask of a tile of positions; -2 where it is not in the map.
__device__ inline std::int32_t maskOf(const HeadTiles& tiles, std::int32_t tileRow, std::int32_t tileCol) {
  const std::int64_t first = tiles.rowBegin[tileRow];
  std::int64_t low = first;
  std::int64_t high = tiles.rowBegin[tileRow + 1];
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (tiles.runs[middle].begin <= tileCol)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == first || tileCol >= tiles.runs[low - 1].end) return -2;
  return tiles.runs[low - 1].mask;
}

// Sum of 1 / multiplicity over the places of the key that the query reads; 0: it does not read it.
__device__ inline float timesRead(const HeadTiles& tiles, const std::int32_t* keyPlaces, const Cell& cell,
                                  const WeightsShared& shared) {
  const std::int32_t row = shared.queryPosition[cell.row];
  if (row < 0) return 0.0F;
  const int r = row % kSide;
  float times = 0.0F;
  ATTN_NO_UNROLL
  for (std::int32_t p = shared.keyFirst[cell.col]; p < shared.keyPast[cell.col]; ++p) {
    const std::int32_t col = keyPlaces != nullptr ? keyPlaces[p] : p;
    const int c = col % kSide;
    const std::int32_t mask = maskOf(tiles, row / kSide, col / kSide);
    if (mask == -1) times += 1.0F;  // a full tile
    if (mask >= 0 && (tiles.masks[static_cast<std::int64_t>(mask) * kSide + r] >> c & 1U) != 0)
      times += 1.0F / static_cast<float>(multiplicity(tiles, mask, r, c));
  }
  return times;
}

__device__ inline float weightOf(const WeightsArgs& args, const WeightStep& step, const HeadTiles& tiles,
                                 const WeightTile& tile, const Cell& cell, float product,
                                 const WeightsShared& shared) {
  const std::int32_t query = shared.query[cell.row];
  const std::int64_t key = args.col0 + tile.col + cell.col;
  if (shared.alone[cell.row] != 0) return query == key ? shared.share[cell.row] : 0.0F;
  float logit = product;
  for (int t = 0; t < step.attend.termCount; ++t)
    logit += termValue(step.attend.terms[t], args.head, query, key);
  if (query == key) logit -= step.attend.selfPenalty;
  return shared.share[cell.row] * exp2f(logit - shared.lse[cell.row]) *
         timesRead(tiles, step.positions[args.head].keyPlaces, cell, shared);
}

// Adds the weights of one step to the thread's 16 cells of the tile.
__device__ inline void addStep(const WeightsArgs& args, const WeightStep& step, const WeightTile& tile,
                               WeightsShared& shared) {
  if (step.overTokens == 0) return;
  const HeadTiles& tiles = step.attend.tiles[args.head];
  const std::int32_t* keyPlaces = step.positions[args.head].keyPlaces;
  __syncthreads();  // what the step or tile before said is read
  describeTile(args, step, tiles, tile, shared);
  __syncthreads();
  const Cell first = firstCell();
  unsigned reads = 0;
  ATTN_NO_UNROLL
  for (int c = 0; c < 16; ++c)
    if (timesRead(tiles, keyPlaces, {first.row + c % 4, first.col + c / 4}, shared) > 0.0F) reads |= 1U << c;
  if (reads != 0) atomicMax(&shared.reads, 1);
  __syncthreads();
  if (shared.reads == 0) return;  // the whole block
  const int d = step.attend.d;
  Sums products;
  clear(products);
  for (int slice = 0; slice < d; slice += kDepth) {
    const float* queries = headOf(step.attend.q, args.head);
    const float* keys = headOf(step.attend.k, args.head) + (args.col0 + tile.col) * d;
    loadTransposed(shared.operands, slice, d, 0.0F, [&](int r) {
      return shared.query[r] < 0 ? nullptr : queries + static_cast<std::int64_t>(shared.query[r]) * d;
    });
    loadTransposed(shared.operands + kOperand, slice, d, 0.0F,
                   [&](int r) { return r < tile.cols ? keys + static_cast<std::int64_t>(r) * d : nullptr; });
    __syncthreads();
    multiplyAdd<kDepth>(shared.operands, shared.operands + kOperand, products);
    __syncthreads();
  }
  ATTN_UNROLL
  for (int i = 0; i < 4; ++i) {
    ATTN_UNROLL
    for (int j = 0; j < 4; ++j)
      shared.operands[(first.row + i) * kPitch + first.col + j] = products[i][j] * step.attend.scale;
  }
  ATTN_NO_UNROLL
  for (int c = 0; c < 16; ++c) {
    if ((reads >> c & 1U) == 0) continue;
    const Cell cell = {first.row + c % 4, first.col + c / 4};
    const int place = cell.row * kPitch + cell.col;
    shared.weights[place] += weightOf(args, step, tiles, tile, cell, shared.operands[place], shared);
  }
}

// Weights are never negative.
template <class T>
__device__ inline T joined(int mean, T a, T b) {
  return mean != 0 ? a + b : (a > b ? a : b);
}

// Numbers of one axis that a block makes.
struct NumberGroup {
  const Cells* cells;  // the first of them
  int count;

  __device__ NumberGroup(const Cells* all, const Cells& group)
      : cells(all + group.begin), count(group.end - group.begin) {}
  [[nodiscard]] __device__ std::int64_t begin() const { return cells[0].begin; }
  [[nodiscard]] __device__ std::int64_t end() const { return cells[count - 1].end; }
  [[nodiscard]] __device__ int size(int number) const { return cells[number].end - cells[number].begin; }
};

// [row][number of the group] of the tile, into the operands' place.
__device__ inline void foldCols(int mean, const WeightTile& tile, const NumberGroup& cols,
                                WeightsShared& shared) {
  const Cell share = rowShare();
  const float* weights = shared.weights + share.row * kPitch;
  float* folded = shared.operands + share.row * kPitch;
  if (cols.count == 1) {
    float value = 0.0F;
    for (int c = share.col; c < tile.cols; c += 4) value = joined(mean, value, weights[c]);
    value = mean != 0 ? rowSum(value) : rowMaximum(value);
    if (share.col == 0) folded[0] = value;
    return;
  }
  for (int p = share.col; p < cols.count; p += 4) {
    float value = 0.0F;
    for (int c = static_cast<int>(cols.cells[p].begin - tile.col); c < cols.cells[p].end - tile.col; ++c)
      value = joined(mean, value, weights[c]);
    folded[p] = value;
  }
}

__device__ inline void writeNumber(const WeightsArgs& args, const NumberGroup& rows, const NumberGroup& cols,
                                   int r, int c, double value) {
  if (args.mean != 0) value /= static_cast<double>(rows.size(r)) * static_cast<double>(cols.size(c));
  args.out[(rows.cells - args.rows + r) * args.outCols + (cols.cells - args.cols + c)] =
      static_cast<float>(value);
}

// The folded rows of the tile into the thread's number, or, where both axes have several, to the output.
__device__ inline void foldRows(const WeightsArgs& args, const WeightTile& tile, const NumberGroup& rows,
                                const NumberGroup& cols, const WeightsShared& shared, double& number) {
  const int thread = static_cast<int>(threadIdx.x);
  if (rows.count == 1) {
    const Cell share = rowShare();  // four threads for a number of the columns
    double value = 0.0;
    if (share.row < cols.count)
      for (int r = share.col; r < tile.rows; r += 4)
        value = joined(args.mean, value, static_cast<double>(shared.operands[r * kPitch + share.row]));
    if (args.mean != 0)
      value = rowSum(value);
    else
      value = static_cast<double>(rowMaximum(static_cast<float>(value)));
    number = joined(args.mean, number, value);
    return;
  }
  for (int item = thread; item < rows.count * cols.count; item += kThreads) {
    const int r = item / cols.count;
    const int c = item % cols.count;
    double value = 0.0;
    for (int cell = static_cast<int>(rows.cells[r].begin - tile.row); cell < rows.cells[r].end - tile.row;
         ++cell)
      value = joined(args.mean, value, static_cast<double>(shared.operands[cell * kPitch + c]));
    if (cols.count == 1)
      number = joined(args.mean, number, value);
    else
      writeNumber(args, rows, cols, r, c, value);
  }
}

// Grid: groups of columns, groups of rows.
ATTN_KERNEL runWeights(WeightsArgs args) {
  ATTN_SHARED(WeightsShared, shared);
  const int thread = static_cast<int>(threadIdx.x);
  const NumberGroup rows(args.rows, args.rowGroups[args.firstRowGroup + static_cast<int>(blockIdx.y)]);
  const NumberGroup cols(args.cols, args.colGroups[args.firstColGroup + static_cast<int>(blockIdx.x)]);
  const Cell first = firstCell();
  double number = 0.0;
  for (std::int64_t row = rows.begin(); row < rows.end(); row += kSide)
    for (std::int64_t col = cols.begin(); col < cols.end(); col += kSide) {
      const std::int64_t moreRows = rows.end() - row;
      const std::int64_t moreCols = cols.end() - col;
      const WeightTile tile = {row, col, static_cast<int>(moreRows < kSide ? moreRows : kSide),
                               static_cast<int>(moreCols < kSide ? moreCols : kSide)};
      ATTN_UNROLL
      for (int i = 0; i < 4; ++i) {
        ATTN_UNROLL
        for (int j = 0; j < 4; ++j) shared.weights[(first.row + i) * kPitch + first.col + j] = 0.0F;
      }
      for (int s = 0; s < args.stepCount; ++s) addStep(args, args.steps[s], tile, shared);
      __syncthreads();
      foldCols(args.mean, tile, cols, shared);
      __syncthreads();
      foldRows(args, tile, rows, cols, shared, number);
    }
  if (rows.count == 1 && thread % 4 == 0 && thread / 4 < cols.count)
    writeNumber(args, rows, cols, 0, thread / 4, number);
  if (rows.count > 1 && cols.count == 1 && thread < rows.count)
    writeNumber(args, rows, cols, thread, 0, number);
}

}  // namespace attnscope::cuda
