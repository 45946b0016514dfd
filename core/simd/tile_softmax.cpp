// SPDX-License-Identifier: GPL-3.0-or-later
// The parts of tile_math.h that the streaming softmax is made of.
#include "core/simd/tile_math.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/simd/tile_softmax.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "core/simd/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attnscope::tile_math::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::exp2Vec;
using simd::HWY_NAMESPACE::Tag;
using simd::HWY_NAMESPACE::Vec;

#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
// The same four lanes of every block of four, joined.
template <class Op, class D, class V>
HWY_INLINE auto joinBlocks(const Op& op, D tag, V x) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    return x;
  } else {
    const hn::Half<D> half;
    return joinBlocks(op, half, op(hn::LowerHalf(half, x), hn::UpperHalf(half, x)));
  }
}
#endif

// out[r] = the lanes of rows[r] joined by op, for four vectors.
template <class Op>
HWY_INLINE void reduceFour(const Vec rows[kRowGroup], const Op& op, float* HWY_RESTRICT out) {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  const Tag tag;
  const hn::RepartitionToWide<hn::RebindToUnsigned<Tag>> pairs;
  const Vec low = op(hn::InterleaveLower(tag, rows[0], rows[1]), hn::InterleaveUpper(tag, rows[0], rows[1]));
  const Vec high = op(hn::InterleaveLower(tag, rows[2], rows[3]), hn::InterleaveUpper(tag, rows[2], rows[3]));
  const auto first = hn::InterleaveLower(pairs, hn::BitCast(pairs, low), hn::BitCast(pairs, high));
  const auto second = hn::InterleaveUpper(pairs, hn::BitCast(pairs, low), hn::BitCast(pairs, high));
  const Vec blocks = op(hn::BitCast(tag, first), hn::BitCast(tag, second));  // one of each row in every four
  hn::StoreU(joinBlocks(op, tag, blocks), hn::FixedTag<float, kRowGroup>(), out);
#else
  (void)op;
  for (Index r = 0; r < kRowGroup; ++r) out[r] = hn::GetLane(rows[r]);
#endif
}

// The largest of each row's logits in its columns; -inf where it has none. Whole groups of rows.
HWY_INLINE void groupMaxima(const float* logits, Columns own, float* largest) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec most[kRowGroup];
  for (Index r = 0; r < kRowGroup; ++r) most[r] = hn::Set(tag, -__builtin_inff());
  for (Index at = own.begin; at < own.end; at += lanes)
#pragma GCC unroll 4
    for (Index r = 0; r < kRowGroup; ++r) most[r] = hn::Max(most[r], hn::LoadU(tag, logits + r * 64 + at));
  reduceFour(
      most, [](auto x, auto y) HWY_ATTR { return hn::Max(x, y); }, largest);
}

// Raises the maxima of 64 rows to those of the tile, sums by the factors that this takes; returns whether a
// row that had read something rose, so that what it accumulated must be multiplied with its factor as well.
HWY_INLINE bool raiseMaximum(const float* largest, float* maximum, float* sum, float* factors) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec lowest = hn::Set(tag, -hwy::HighestValue<float>());
  const Vec one = hn::Set(tag, 1.0F);
  bool any = false;
  for (Index at = 0; at < 64; at += lanes) {
    const Vec old = hn::LoadU(tag, maximum + at);
    const Vec fresh = hn::Max(old, hn::LoadU(tag, largest + at));
    const auto risen = hn::And(hn::Gt(fresh, old), hn::Ge(old, lowest));
    hn::StoreU(fresh, tag, maximum + at);
    if (hn::AllFalse(tag, risen)) {
      hn::StoreU(one, tag, factors + at);
      continue;
    }
    any = true;
    const Vec factor = hn::IfThenElse(risen, exp2Vec(tag, hn::Sub(old, fresh)), one);
    hn::StoreU(factor, tag, factors + at);
    hn::StoreU(hn::Mul(hn::LoadU(tag, sum + at), factor), tag, sum + at);
  }
  return any;
}

// Logits of four rows become their weights; sums[r] = what they add up to.
HWY_INLINE void groupWeights(float* HWY_RESTRICT logits, Columns own, const float* maximum, float* sums) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec shift[kRowGroup];
  Vec total[kRowGroup];
  for (Index r = 0; r < kRowGroup; ++r) {
    // A row without any key so far: subtract 0 instead of -inf, so that -inf stays -inf and weighs 0.
    shift[r] = hn::Set(tag, maximum[r] >= -hwy::HighestValue<float>() ? maximum[r] : 0.0F);
    total[r] = hn::Zero(tag);
  }
  for (Index at = own.begin; at < own.end; at += lanes) {
#pragma GCC unroll 4
    for (Index r = 0; r < kRowGroup; ++r) {
      float* HWY_RESTRICT place = logits + r * 64 + at;
      const Vec weight = exp2Vec(tag, hn::Sub(hn::LoadU(tag, place), shift[r]));
      total[r] = hn::Add(total[r], weight);
      hn::StoreU(weight, tag, place);
    }
  }
  reduceFour(
      total, [](auto x, auto y) HWY_ATTR { return hn::Add(x, y); }, sums);
}

// Maxima first, for all rows, then weights: a row that needed its own maximum before its exponentials would
// wait for it, and the next row with it. The last group may have rows that nobody asked for.
void SoftmaxStep(float* logits, Index rows, const Columns* columns, float* maximum, float* sum,
                 float* accumulated, Index width) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const auto columnsOf = [&](Index r) { return columns == nullptr ? Columns{} : columns[r / kRowGroup]; };
  HWY_ALIGN float largest[64];
  HWY_ALIGN float factors[64];
  for (Index r = 0; r < rows; r += kRowGroup) groupMaxima(logits + r * 64, columnsOf(r), largest + r);
  for (Index r = rows; r < 64; ++r) largest[r] = -__builtin_inff();
  if (raiseMaximum(largest, maximum, sum, factors))
    for (Index r = 0; r < rows; ++r) {
      if (factors[r] == 1.0F) continue;
      const Vec scale = hn::Set(tag, factors[r]);
      float* row = accumulated + r * width;
      for (Index at = 0; at < width; at += lanes)
        hn::StoreU(hn::Mul(hn::LoadU(tag, row + at), scale), tag, row + at);
    }
  for (Index r = 0; r < rows; r += kRowGroup) {
    float sums[kRowGroup];
    groupWeights(logits + r * 64, columnsOf(r), maximum + r, sums);
    for (Index t = r; t < rows && t < r + kRowGroup; ++t) sum[t] += sums[t - r];
  }
}

void ApplyMask(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec hidden = hn::Set(tag, -__builtin_inff());
  for (Index r = 0; r < rows; ++r) {
    const std::uint64_t row = bits[r];
    if (row == ~std::uint64_t{0}) continue;
    float* values = logits + r * 64;
    const Columns own = columns[r / kRowGroup];
    for (Index at = own.begin; at < own.end; at += lanes) {
      const std::uint64_t part = row >> at;
      const auto mask = hn::LoadMaskBits(tag, reinterpret_cast<const std::uint8_t*>(&part));
      hn::StoreU(hn::IfThenElse(mask, hn::LoadU(tag, values + at), hidden), tag, values + at);
    }
  }
}

void SubtractWhere(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns,
                   float amount) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec less = hn::Set(tag, amount);
  for (Index r = 0; r < rows; ++r) {
    if (bits[r] == 0) continue;
    float* values = logits + r * 64;
    const Columns own = columns[r / kRowGroup];
    for (Index at = own.begin; at < own.end; at += lanes) {
      const std::uint64_t part = bits[r] >> at;
      const auto mask = hn::LoadMaskBits(tag, reinterpret_cast<const std::uint8_t*>(&part));
      const Vec old = hn::LoadU(tag, values + at);
      hn::StoreU(hn::IfThenElse(mask, hn::Sub(old, less), old), tag, values + at);
    }
  }
}

void LogSums(const float* maximum, const float* sum, Index n, float* lse) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec ln2 = hn::Set(tag, 0.693147181F);
  const Vec minusInfinity = hn::Set(tag, -__builtin_inff());
  for (Index at = 0; at < n; at += lanes) {
    const Vec total = hn::LoadU(tag, sum + at);
    const auto read = hn::Gt(total, hn::Zero(tag));
    const Vec log = hn::Log(tag, hn::IfThenElse(read, total, hn::Set(tag, 1.0F)));
    const Vec value = hn::MulAdd(hn::LoadU(tag, maximum + at), ln2, log);
    hn::StoreU(hn::IfThenElse(read, value, minusInfinity), tag, lse + at);
  }
}

}  // namespace attnscope::tile_math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attnscope::tile_math {

HWY_EXPORT(SoftmaxStep);
HWY_EXPORT(ApplyMask);
HWY_EXPORT(SubtractWhere);
HWY_EXPORT(LogSums);

void softmaxStep(float* logits, Index rows, const Columns* columns, float* maximum, float* sum,
                 float* accumulated, Index width) {
  HWY_DYNAMIC_DISPATCH(SoftmaxStep)(logits, rows, columns, maximum, sum, accumulated, width);
}

void applyMask(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns) {
  HWY_DYNAMIC_DISPATCH(ApplyMask)(logits, rows, bits, columns);
}

void subtractWhere(float* logits, Index rows, const std::uint64_t* bits, const Columns* columns,
                   float amount) {
  HWY_DYNAMIC_DISPATCH(SubtractWhere)(logits, rows, bits, columns, amount);
}

void logSums(const float* maximum, const float* sum, Index n, float* lse) {
  HWY_DYNAMIC_DISPATCH(LogSums)(maximum, sum, n, lse);
}

}  // namespace attnscope::tile_math
#endif
