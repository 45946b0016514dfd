// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/simd/tile_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/simd/tile_math.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set
// After foreach_target.
#include <hwy/highway.h>

#include "core/simd/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attnscope::tile_math::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::Tag;
using simd::HWY_NAMESPACE::Vec;

// Registers hold kRows x kVectors sums: 4 x 4 of the 32 of AVX-512, 6 x 2 of the 16 of the others, of which
// 4 x 2 would be as many as must be under way for two multiply-adds in each cycle, and none to spare.
constexpr bool kManyRegisters = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL;
constexpr Index kRows = kManyRegisters ? 4 : 6;
constexpr Index kFewRows = 4;
constexpr Index kVectors = kManyRegisters ? 4 : 2;

// With Transposed, A is (k x m).
template <bool Transposed, Index Rows, Index Vectors>
HWY_INLINE void gemmBlock(const float* HWY_RESTRICT a, Index lda, const float* HWY_RESTRICT b, Index ldb,
                          float* HWY_RESTRICT c, Index ldc, Index k, bool accumulate) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec sums[Rows][Vectors];
#pragma GCC unroll 6
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 6
    for (Index v = 0; v < Vectors; ++v)
      sums[r][v] = accumulate ? hn::LoadU(tag, c + r * ldc + v * lanes) : hn::Zero(tag);
  for (Index t = 0; t < k; ++t) {
    Vec right[Vectors];
#pragma GCC unroll 6
    for (Index v = 0; v < Vectors; ++v) right[v] = hn::LoadU(tag, b + t * ldb + v * lanes);
#pragma GCC unroll 6
    for (Index r = 0; r < Rows; ++r) {
      const Vec left = hn::Set(tag, Transposed ? a[t * lda + r] : a[r * lda + t]);
#pragma GCC unroll 6
      for (Index v = 0; v < Vectors; ++v) sums[r][v] = hn::MulAdd(left, right[v], sums[r][v]);
    }
  }
#pragma GCC unroll 6
  for (Index r = 0; r < Rows; ++r)
#pragma GCC unroll 6
    for (Index v = 0; v < Vectors; ++v) hn::StoreU(sums[r][v], tag, c + r * ldc + v * lanes);
}

constexpr std::int32_t kLinesAtOnce = 12;  // fewer than may be under way

HWY_INLINE void fetchSome(Upcoming* upcoming) {
  if (upcoming == nullptr) return;
  for (std::int32_t t = 0; t < kLinesAtOnce && upcoming->next != upcoming->end; ++t) {
    constexpr Index kLine = 16;  // floats
    __builtin_prefetch(upcoming->next->at + upcoming->line * kLine);
    if (++upcoming->line < upcoming->next->lines) continue;
    ++upcoming->next;
    upcoming->line = 0;
  }
}

template <bool Transposed, Index Rows>
HWY_INLINE void gemmRows(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc,
                         Index width, Index k, bool accumulate, Upcoming* upcoming) {
  const auto lanes = static_cast<Index>(hn::Lanes(Tag()));
  Index at = 0;
  for (; at + kVectors * lanes <= width; at += kVectors * lanes) {
    gemmBlock<Transposed, Rows, kVectors>(a, lda, b + at, ldb, c + at, ldc, k, accumulate);
    fetchSome(upcoming);
  }
  for (; at < width; at += lanes)
    gemmBlock<Transposed, Rows, 1>(a, lda, b + at, ldb, c + at, ldc, k, accumulate);
}

// Not inlined into several callers: g++ then makes worse loops of it.
template <bool Transposed>
HWY_NOINLINE void gemmCached(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc,
                             Index m, Index width, Index k, bool accumulate, Upcoming* upcoming) {
  const Index step = Transposed ? 1 : lda;  // between rows of C in A
  Index row = 0;
  // Eight rows are twice four: six would leave two, too few sums to keep the multipliers busy.
  for (; row + kRows <= m && m - row != 2 * kFewRows; row += kRows)
    gemmRows<Transposed, kRows>(a + row * step, lda, b, ldb, c + row * ldc, ldc, width, k, accumulate,
                                upcoming);
  for (; row + kFewRows <= m; row += kFewRows)
    gemmRows<Transposed, kFewRows>(a + row * step, lda, b, ldb, c + row * ldc, ldc, width, k, accumulate,
                                   upcoming);
  for (; row + 2 <= m; row += 2)
    gemmRows<Transposed, 2>(a + row * step, lda, b, ldb, c + row * ldc, ldc, width, k, accumulate, upcoming);
  for (; row < m; ++row)
    gemmRows<Transposed, 1>(a + row * step, lda, b, ldb, c + row * ldc, ldc, width, k, accumulate, upcoming);
}

// Where B is larger than the first cache, a part of it serves all rows before the next: some of its columns
// and, where it is long, some of its rows. Sums are made in the same order as without parts.
template <bool Transposed>
HWY_INLINE void gemmAny(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m,
                        Index width, Index k, bool accumulate, Upcoming* upcoming) {
  constexpr Index kCached = 6144;
  constexpr Index kLong = 96;
  if (k * width <= kCached)
    return gemmCached<Transposed>(a, lda, b, ldb, c, ldc, m, width, k, accumulate, upcoming);
  const Index length = k < kLong ? k : kLong;
  const Index columns = kVectors * static_cast<Index>(hn::Lanes(Tag()));
  const Index strip = kCached / length / columns * columns;
  for (Index begin = 0; begin < width; begin += strip)
    for (Index first = 0; first < k; first += length)
      gemmCached<Transposed>(a + first * (Transposed ? lda : 1), lda, b + first * ldb + begin, ldb, c + begin,
                             ldc, m, strip < width - begin ? strip : width - begin,
                             length < k - first ? length : k - first, accumulate || first > 0, upcoming);
}

void Gemm(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m, Index width,
          Index k, bool accumulate, Upcoming* upcoming) {
  gemmAny<false>(a, lda, b, ldb, c, ldc, m, width, k, accumulate, upcoming);
}

void GemmTransposed(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m,
                    Index width, Index k, bool accumulate, Upcoming* upcoming) {
  gemmAny<true>(a, lda, b, ldb, c, ldc, m, width, k, accumulate, upcoming);
}

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
// Four columns from c on of 4 or 8 rows, as four rows.
template <Index Rows>
HWY_INLINE void transposeFour(const float* HWY_RESTRICT const from[Rows], Index c, float* HWY_RESTRICT to,
                              Index ldOut) {
  const hn::FixedTag<float, 4> half;
  const hn::FixedTag<float, Rows> all;
  const hn::FixedTag<double, Rows / 2> pairs;
  // Rows r and r + 4 in the halves of one vector.
  const auto load = [&](Index r) HWY_ATTR {
    if constexpr (Rows == 4)
      return hn::LoadU(half, from[r] + c);
    else
      return hn::Combine(all, hn::LoadU(half, from[r + 4] + c), hn::LoadU(half, from[r] + c));
  };
  const auto row0 = load(0);
  const auto row1 = load(1);
  const auto row2 = load(2);
  const auto row3 = load(3);
  const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(all, row0, row1));
  const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(all, row2, row3));
  const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(all, row0, row1));
  const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(all, row2, row3));
  hn::StoreU(hn::BitCast(all, hn::InterleaveLower(pairs, low01, low23)), all, to);
  hn::StoreU(hn::BitCast(all, hn::InterleaveUpper(pairs, low01, low23)), all, to + ldOut);
  hn::StoreU(hn::BitCast(all, hn::InterleaveLower(pairs, high01, high23)), all, to + 2 * ldOut);
  hn::StoreU(hn::BitCast(all, hn::InterleaveUpper(pairs, high01, high23)), all, to + 3 * ldOut);
}

template <Index Rows, class RowAt>
HWY_INLINE void transposeSome(const RowAt& rowAt, Index r, Index cols, float* HWY_RESTRICT out, Index ldOut) {
  const float* from[Rows];
  for (Index t = 0; t < Rows; ++t) from[t] = rowAt(r + t);
  Index c = 0;
  for (; c + 4 <= cols; c += 4) transposeFour<Rows>(from, c, out + c * ldOut + r, ldOut);
  for (; c < cols; ++c)
    for (Index t = 0; t < Rows; ++t) out[c * ldOut + r + t] = from[t][c];
}
#endif

// out[c * ldOut + r] = row r [c], row r being rowAt(r).
template <class RowAt>
HWY_INLINE void transposeRows(const RowAt& rowAt, Index rows, Index cols, float* HWY_RESTRICT out,
                              Index ldOut) {
  Index r = 0;
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
#if HWY_MAX_BYTES >= 32
  for (; r + 8 <= rows; r += 8) transposeSome<8>(rowAt, r, cols, out, ldOut);
#endif
  for (; r + 4 <= rows; r += 4) transposeSome<4>(rowAt, r, cols, out, ldOut);
#endif
  for (; r < rows; ++r)
    for (Index c = 0; c < cols; ++c) out[c * ldOut + r] = rowAt(r)[c];
}

void Transpose(const float* in, Index ldIn, Index rows, Index cols, float* out, Index ldOut) {
  transposeRows([=](Index r) HWY_ATTR { return in + r * ldIn; }, rows, cols, out, ldOut);
}

// The largest size of what was added. Sizes are ordered like their bits without the sign, NaN above all.
class Sizes {
 public:
  HWY_INLINE Sizes() : m_bits(hn::Zero(hn::RebindToSigned<Tag>())) {}
  HWY_INLINE void add(Vec x) {
    const hn::RebindToSigned<Tag> bits;
    m_bits = hn::Max(m_bits, hn::And(hn::BitCast(bits, x), hn::Set(bits, 0x7fffffff)));
  }
  HWY_INLINE void join(const Sizes& other) { m_bits = hn::Max(m_bits, other.m_bits); }
  HWY_INLINE float largest() const {
    const hn::RebindToSigned<Tag> bits;
    return hn::GetLane(hn::BitCast(Tag(), hn::MaxOfLanes(bits, m_bits)));
  }

 private:
  hn::Vec<hn::RebindToSigned<Tag>> m_bits;
};

float PackColumns(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols,
                  float* panel) {
  if (order == nullptr)
    transposeRows([=](Index r) HWY_ATTR { return rows + r * ld; }, count, cols, panel, 64);
  else
    transposeRows([=](Index r) HWY_ATTR { return rows + order[r] * ld; }, count, cols, panel, 64);
  for (Index c = 0; c < cols && count < 64; ++c)
    for (Index t = count; t < 64; ++t) panel[c * 64 + t] = 0.0F;
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Sizes sizes;
  for (Index at = 0; at < cols * 64; at += lanes) sizes.add(hn::LoadU(tag, panel + at));
  return sizes.largest();
}

float ScaleRows(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols, float scale,
                float* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec factor = hn::Set(tag, scale);
  Sizes sizes;
  for (Index r = 0; r < count; ++r) {
    const float* from = rows + (order == nullptr ? r : Index{order[r]}) * ld;
    float* to = out + r * cols;
    Index c = 0;
    for (; c + lanes <= cols; c += lanes) {
      const Vec x = hn::LoadU(tag, from + c);
      sizes.add(x);
      hn::StoreU(hn::Mul(x, factor), tag, to + c);
    }
    for (; c < cols; ++c) {
      sizes.add(hn::Set(tag, from[c]));
      to[c] = from[c] * scale;
    }
  }
  return sizes.largest();
}

void WriteRows(const float* rows, Index ld, const float* factors, Index count, Index cols,
               float* const* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  for (Index r = 0; r < count; ++r) {
    const float* from = rows + r * ld;
    float* to = out[r];
    const Vec factor = hn::Set(tag, factors[r]);
    Index c = 0;
    for (; c + lanes <= cols; c += lanes) hn::StoreU(hn::Mul(hn::LoadU(tag, from + c), factor), tag, to + c);
    for (; c < cols; ++c) to[c] = from[c] * factors[r];
  }
}

float LargestSize(const float* values, Index n) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Sizes first;
  Sizes second;  // does not wait for the first
  Index at = 0;
  for (; at + 2 * lanes <= n; at += 2 * lanes) {
    first.add(hn::LoadU(tag, values + at));
    second.add(hn::LoadU(tag, values + at + lanes));
  }
  for (; at < n; ++at) first.add(hn::Set(tag, values[at]));
  first.join(second);
  return first.largest();
}

const char* TargetName() {
  switch (HWY_TARGET) {
    case HWY_AVX3:
    case HWY_AVX3_DL:
      return "AVX-512";
    case HWY_AVX2:
      return "AVX2";
    case HWY_SSE4:
      return "SSE4";
    case HWY_SSSE3:
      return "SSSE3";
    default:
      return "scalar";
  }
}

}  // namespace attnscope::tile_math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attnscope::tile_math {

HWY_EXPORT(Gemm);
HWY_EXPORT(GemmTransposed);
HWY_EXPORT(Transpose);
HWY_EXPORT(PackColumns);
HWY_EXPORT(ScaleRows);
HWY_EXPORT(WriteRows);
HWY_EXPORT(LargestSize);
HWY_EXPORT(TargetName);

void gemm(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m, Index width,
          Index k, bool accumulate, Upcoming* upcoming) {
  HWY_DYNAMIC_DISPATCH(Gemm)(a, lda, b, ldb, c, ldc, m, width, k, accumulate, upcoming);
}

void gemmTransposed(const float* a, Index lda, const float* b, Index ldb, float* c, Index ldc, Index m,
                    Index width, Index k, bool accumulate, Upcoming* upcoming) {
  HWY_DYNAMIC_DISPATCH(GemmTransposed)(a, lda, b, ldb, c, ldc, m, width, k, accumulate, upcoming);
}

void transpose(const float* in, Index ldIn, Index rows, Index cols, float* out, Index ldOut) {
  HWY_DYNAMIC_DISPATCH(Transpose)(in, ldIn, rows, cols, out, ldOut);
}

float packColumns(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols,
                  float* panel) {
  return HWY_DYNAMIC_DISPATCH(PackColumns)(rows, ld, order, count, cols, panel);
}

float scaleRows(const float* rows, Index ld, const std::int32_t* order, Index count, Index cols, float scale,
                float* out) {
  return HWY_DYNAMIC_DISPATCH(ScaleRows)(rows, ld, order, count, cols, scale, out);
}

void writeRows(const float* rows, Index ld, const float* factors, Index count, Index cols,
               float* const* out) {
  HWY_DYNAMIC_DISPATCH(WriteRows)(rows, ld, factors, count, cols, out);
}

float largestSize(const float* values, Index n) {
  return HWY_DYNAMIC_DISPATCH(LargestSize)(values, n);
}

const char* targetName() {
  return HWY_DYNAMIC_DISPATCH(TargetName)();
}

}  // namespace attnscope::tile_math
#endif
