// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

// What kernels are called with: plain numbers and device pointers, the same for nvcc and for the emulation.
// Rows are in row-major order, a head after the other.
namespace attnscope::cuda {

inline constexpr int kThreads = 256;  // of every block
inline constexpr int kSide = 64;      // of a tile

struct Blocks {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
};

// A buffer that is read. It may hold fewer heads than the plan has: head h reads head h * held / heads.
struct Rows {
  const float* data = nullptr;
  std::int64_t headSize = 0;  // floats of one held head
  std::int32_t held = 1;
  std::int32_t heads = 1;
  std::int64_t cols = 0;
};

struct FillArgs {
  std::uint32_t* out;
  std::int64_t count;
  std::uint32_t word;
};

// out = max(out, bits of the largest |x|), count values.
struct LargestSizeArgs {
  const float* in;
  std::int64_t count;
  std::int32_t* out;
};

struct Run {
  std::int32_t begin;
  std::int32_t end;
  std::int32_t mask;  // -1: full
};

// A tile map and the orders of one head.
struct HeadTiles {
  std::int64_t rows;
  std::int64_t cols;
  const std::int64_t* rowBegin;  // by row of tiles, into runs
  const Run* runs;
  const std::uint64_t* masks;      // 64 words a mask
  const std::int32_t* planes;      // 2 a mask: first plane, number of planes
  const std::uint64_t* planeBits;  // 64 words a plane
  const std::int32_t* queryOrder;  // or null
  const std::int32_t* keyOrder;
};

struct Term {
  enum Kind : std::int32_t { Table, Outer, Relative, Linked };
  std::int32_t kind;
  std::int32_t clip;
  float weight;  // in units of log2
  Rows a;
  Rows b;
  const std::int32_t* queryLink;
  const std::int32_t* keyLink;
};

struct AttendArgs {
  Rows q;
  Rows k;
  Rows v;
  Rows v2;
  float* out;
  float* out2;
  float* lse;
  std::int64_t outRows;
  const HeadTiles* tiles;
  const Term* terms;
  std::int32_t termCount;
  float scale;        // in units of log2, as is
  float selfPenalty;  // this
  std::int32_t d;     // 0: the terms alone make the logit
  std::int32_t zeroLogits;
  std::int32_t rowsByPosition;
  std::int32_t firstTileRow;  // of this launch
  std::int32_t firstHead;
};

// The same with products on tensor cores, inputs rounded to TF32 or bf16, sums in float32. From sm_80.
struct AttendTf32Args : AttendArgs {};
struct AttendBf16Args : AttendArgs {};

// Where tokens stand in the orders of one head; null: at their own place. A query at one place, or -1; a key
// j at keyPlaces[keyBegin[j]] .. keyPlaces[keyBegin[j + 1] - 1].
struct HeadPositions {
  const std::int32_t* ofQuery;
  const std::int32_t* keyBegin;
  const std::int32_t* keyPlaces;
};
// An attend step as a pass executed it, with what it left.
struct WeightStep {
  AttendArgs attend;
  const HeadPositions* positions;  // by head
  std::int32_t overTokens;         // 0: weighs what is made of no token, and only takes its share of a row
};
// Cells [begin, end) of a number of a picture, or numbers of a group.
struct Cells {
  std::int32_t begin;
  std::int32_t end;
};
// Numbers of a picture (WeightPicture) of one head: the steps' weights, each times its share in the row.
struct WeightsArgs {
  const WeightStep* steps;
  std::int32_t stepCount;
  std::int32_t head;
  std::int64_t row0;
  std::int64_t col0;
  const std::int32_t* queries;  // or null: row0, row0 + 1, ...
  const Cells* rows;
  const Cells* cols;
  const Cells* rowGroups;
  const Cells* colGroups;
  std::int32_t firstRowGroup;  // of this launch
  std::int32_t firstColGroup;
  std::int64_t outCols;
  float* out;
  std::int32_t mean;
};

struct MergeArgs {
  const Rows* outs;
  const Rows* lses;
  std::int32_t parts;
  float* out;
  float* lse;
  std::int64_t rows;
  std::int64_t cols;
};

// out (m, n) = relu?(a (m, depth) b (depth, n) + bias).
struct ProductArgs {
  Rows a;
  Rows b;
  Rows bias;  // no data: none
  float* out;
  std::int64_t m;
  std::int64_t n;
  std::int64_t depth;
  std::int32_t relu;
};

// Without a product: out = relu?(in + bias).
struct BiasArgs {
  Rows in;
  Rows bias;
  float* out;
  std::int64_t rows;
  std::int32_t relu;
};

struct SegmentsArgs {
  enum Kind : std::int32_t { Mean, Max, First };
  Rows in;
  const std::int64_t* bounds;
  float* out;
  std::int64_t segments;
  std::int32_t kind;
};

struct MixArgs {
  Rows in;
  Rows mix;       // (mixed, blocks)
  Rows shortMix;  // the same for rows that the last block lacks; no data: it lacks none
  float* out;
  std::int64_t n;
  std::int64_t mixed;
  std::int64_t block;
};

struct ConvolveArgs {
  Rows in;
  Rows weight;          // (stride, cols, cols)
  Rows bias;            // no data: none
  const double* alone;  // (heads, stride): taps that mix no channels, or null
  float* out;
  std::int64_t n;
  std::int64_t rows;
  std::int64_t stride;
};

struct NormaliseArgs {
  Rows in;
  float* out;
  std::int64_t rows;
  double inverseCols;
  std::int32_t standard;
};

struct FeaturesArgs {
  enum Kind : std::int32_t { Elu1, Exp, Relu, Relu2, Poly2 };
  Rows in;
  float* out;
  std::int64_t rows;
  std::int64_t outCols;
  std::int32_t kind;
};

// half (heads, rows) = |scale * row|^2 / 2, and the largest of each head (bits of a double, from 0).
struct RowNormsArgs {
  Rows in;
  double* half;
  unsigned long long* largest;
  std::int64_t rows;
  double scale;
};

struct RandomFeaturesArgs {
  enum Kind : std::int32_t { Positive, Hyperbolic, Trig, Relu };
  const float* products;  // (heads, rows, m)
  const double* half;
  const unsigned long long* largest;  // null: no damping of keys
  float* out;
  std::int64_t rows;
  std::int64_t m;
  float eps;
  std::int32_t kind;
};

struct GatherEntry {
  std::int32_t input;
  std::int32_t row;
  float weight;
};
struct GatherHead {
  const std::int64_t* begin;
  const GatherEntry* entries;
};
struct GatherArgs {
  const Rows* in;
  const GatherHead* heads;
  float* out;
  std::int64_t rows;
  std::int64_t cols;
};

struct ConcatArgs {
  Rows in;
  float* out;
  std::int64_t rows;
  std::int64_t outCols;
  std::int64_t at;
  float factor;
};

struct RotateArgs {
  Rows in;
  const double* positions;
  const double* frequencies;
  float* out;
  std::int64_t rows;
};

// Linear attention. Keys are cut into blocks; state b is what stands before block b, state `blocks` the sum
// of all. With exponents a state is relative to exp(largest), by feature.
struct LinearArgs {
  Rows phiQ;
  Rows phiK;
  Rows v;
  float* states;         // (heads, blocks + 1, r, dV)
  float* sums;           // (heads, blocks + 1, r)
  float* blockLargest;   // (heads, blocks, r)
  float* largest;        // (heads, blocks + 1, r)
  std::int32_t* shifts;  // (heads, nQ): ordered bits
  float* out;
  float* denominator;
  std::int64_t nQ;
  std::int64_t nK;
  std::int64_t r;
  std::int64_t dV;
  std::int64_t block;
  std::int64_t blocks;
  std::int64_t firstTile;  // of this launch
  double eps;
  std::int32_t causal;
  std::int32_t exponents;
};
struct BlockLargestArgs : LinearArgs {};
struct BlockStatesArgs : LinearArgs {};
struct ScanStatesArgs : LinearArgs {};
struct CausalShiftsArgs : LinearArgs {};
struct FullShiftsArgs : LinearArgs {};
struct LinearReadArgs : LinearArgs {};

}  // namespace attnscope::cuda

// Every kernel NAME is `runNAME(NAMEArgs)`.
#define ATTN_CUDA_KERNELS(X) \
  X(Fill)                    \
  X(LargestSize)             \
  X(Attend)                  \
  X(AttendTf32)              \
  X(AttendBf16)              \
  X(Weights)                 \
  X(Merge)                   \
  X(Product)                 \
  X(Bias)                    \
  X(Segments)                \
  X(Mix)                     \
  X(Convolve)                \
  X(Normalise)               \
  X(Features)                \
  X(RowNorms)                \
  X(RandomFeatures)          \
  X(Gather)                  \
  X(Concat)                  \
  X(Rotate)                  \
  X(BlockLargest)            \
  X(BlockStates)             \
  X(ScanStates)              \
  X(CausalShifts)            \
  X(FullShifts)              \
  X(LinearRead)
