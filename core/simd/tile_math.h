// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace attnscope {

// The vectorised inner loops of the CPU backend and of planning, compiled for several instruction sets and
// chosen at run time. Raw pointers, because the units behind them may not share inline code with the rest of
// the program. All row strides are in floats. Row widths named `width` are multiples of 16, and arrays may be
// read up to a multiple of 16 floats.
namespace tile_math {

using Index = std::int64_t;

// Memory that will be needed soon, in the order of need. Products bring it into the cache a few lines after
// each of their blocks: they need little memory themselves, and a burst of requests waits for its own lines.
struct Upcoming {
  struct Piece {
    const float* at;
    std::int32_t lines;  // of 64 bytes
  };
  const Piece* next = nullptr;
  const Piece* end = nullptr;
  std::int32_t line = 0;  // of the next piece
};

// C (m x width) = or += A (m x k) B (k x width).
void gemm(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m, Index width,
          Index k, bool accumulate, Upcoming* upcoming = nullptr);

// C (m x width) = or += A^T B with A (k x m).
void gemmTransposed(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m,
                    Index width, Index k, bool accumulate, Upcoming* upcoming = nullptr);

// Columns [begin, end) of 64 logits a row, multiples of 16, that kRowGroup neighbouring rows need; none:
// begin = end. Others are neither read nor written.
struct Columns {
  std::int32_t begin = 0;
  std::int32_t end = 64;
};
inline constexpr Index kRowGroup = 4;

// One step of the streaming softmax over 64 logits a row, in units of log2: raises the running maximum,
// rescales what was accumulated where it rose, replaces the logits by their weights exp2(logit - maximum) and
// adds them to the sum. `maximum` starts at -inf; a logit of -inf weighs exactly 0. `columns`: by group of
// rows, or null for all. Arrays of 64 rows: what stands beyond `rows` in the last group becomes anything.
void softmaxStep(float* logits, Index rows, const Columns* columns, float* maximum, float* sum,
                 float* accumulated, Index width);

// Logits of cells whose bit is not set become -inf. 64 a row.
void applyMask(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns);

// Logits of cells whose bit is set less an amount. 64 a row.
void subtractWhere(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns,
                   float amount);

// out[c * ldOut + r] = in[r * ldIn + c].
void transpose(const float* in, Index ldIn, Index rows, Index cols, float* out, Index ldOut);

// panel[c * 64 + t] = rows[order[t] * ld + c] for t < count <= 64 and c < cols, 0 for t >= count. A null
// order is the identity. Returns the largest size of an entry, NaN if there is one.
float packColumns(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols,
                  float* panel);

// out[r * cols + c] = scale * rows[order[r] * ld + c]; otherwise as packColumns().
float scaleRows(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols, float scale,
                float* out);

// out[r][c] = factors[r] * rows[r * ld + c], c < cols.
void writeRows(const float* rows, Index ld, const float* factors, Index count, Index cols, float* const* out);

// The largest size of n values, NaN if there is one.
float largestSize(const float* values, Index n);

// lse[i] = ln 2 * maximum[i] + ln sum[i], -inf where sum[i] = 0; n <= 64, arrays of 64.
void logSums(const float* maximum, const float* sum, Index n, float* lse);

// "AVX-512", "AVX2", "SSE4", ...: what this machine runs.
const char* targetName();

}  // namespace tile_math
}  // namespace attnscope
