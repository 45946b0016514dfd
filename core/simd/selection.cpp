// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/simd/selection.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/simd/selection.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set
// After foreach_target.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attnscope::selection::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;

template <bool Sizes>
HWY_INLINE Vec measured(Vec x) {
  return Sizes ? hn::Abs(x) : x;
}

template <bool Sizes>
HWY_INLINE float measuredOne(float x) {
  return Sizes && x < 0.0F ? -x : x;
}

// The first of n numbers whose size, or itself, is `most`, or -1.
template <bool Sizes>
HWY_INLINE Index firstEqual(const float* HWY_RESTRICT values, Index n, float most) {
  for (Index at = 0; at < n; ++at)
    if (measuredOne<Sizes>(values[at]) == most) return at;
  return -1;
}

template <bool Sizes>
HWY_INLINE Lead leadOf(const float* HWY_RESTRICT values, Index n, float slack) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Index at = 0;
  float most = -__builtin_inff();
  if (n >= lanes) {
    Vec largest = hn::Set(tag, most);
    for (; at + lanes <= n; at += lanes)
      largest = hn::Max(largest, measured<Sizes>(hn::LoadU(tag, values + at)));
    most = hn::GetLane(hn::MaxOfLanes(tag, largest));
  }
  for (; at < n; ++at) {
    const float x = measuredOne<Sizes>(values[at]);
    most = most < x ? x : most;
  }
  // Marks of those within the slack, 64 at a time: nearly always one, which is the leader.
  Index within = 0;
  Index last = -1;
  const float limit = most - slack;
  const Vec limits = hn::Set(tag, limit);
  const auto note = [&](std::uint64_t marks, Index first) {
    if (marks == 0) return;
    within += __builtin_popcountll(marks);
    last = first + 63 - __builtin_clzll(marks);
  };
  for (at = 0; at + 64 <= n; at += 64) {
    std::uint64_t marks = 0;
    for (Index part = 0; part < 64; part += lanes) {
      std::uint64_t some = 0;
      const Vec x = measured<Sizes>(hn::LoadU(tag, values + at + part));
      hn::StoreMaskBits(tag, hn::Ge(x, limits), reinterpret_cast<std::uint8_t*>(&some));
      marks |= some << part;
    }
    note(marks, at);
  }
  for (; at < n; ++at)
    if (measuredOne<Sizes>(values[at]) >= limit) note(1, at);
  const Index place = within == 1 ? last : firstEqual<Sizes>(values, n, most);
  if (place < 0) return {0, most, false};  // NaN
  return {place, values[place], within == 1};
}

Lead Leader(const float* values, Index n, bool sizes, float slack) {
  return sizes ? leadOf<true>(values, n, slack) : leadOf<false>(values, n, slack);
}

Index CountAtLeast(const float* values, Index n, float threshold) {
  const Tag tag;
  const hn::RebindToSigned<Tag> bits;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec limit = hn::Set(tag, threshold);
  auto counts0 = hn::Zero(bits);
  auto counts1 = hn::Zero(bits);
  Index at = 0;
  for (; at + 2 * lanes <= n; at += 2 * lanes) {  // a true lane is -1
    counts0 = hn::Sub(
        counts0, hn::VecFromMask(bits, hn::RebindMask(bits, hn::Ge(hn::LoadU(tag, values + at), limit))));
    counts1 = hn::Sub(
        counts1,
        hn::VecFromMask(bits, hn::RebindMask(bits, hn::Ge(hn::LoadU(tag, values + at + lanes), limit))));
  }
  Index count = hn::GetLane(hn::SumOfLanes(bits, hn::Add(counts0, counts1)));
  for (; at < n; ++at) count += values[at] >= threshold ? 1 : 0;
  return count;
}

void MarkAtLeast(const float* values, Index n, float threshold, std::uint64_t* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec limit = hn::Set(tag, threshold);
  for (Index word = 0; word * 64 < n; ++word) {
    std::uint64_t marks = 0;
    for (Index at = 0; at < 64; at += lanes) {
      std::uint64_t part = 0;
      hn::StoreMaskBits(tag, hn::Ge(hn::LoadU(tag, values + word * 64 + at), limit),
                        reinterpret_cast<std::uint8_t*>(&part));
      marks |= part << at;
    }
    out[word] = marks;
  }
}

void MarkWithin(const std::int32_t* values, const std::int32_t* first, const std::int32_t* length, Index rows,
                std::uint64_t* bits) {
  const hn::ScalableTag<std::int32_t> tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  for (Index r = 0; r < rows; ++r) {
    const auto begin = hn::Set(tag, first[r]);
    const auto end = hn::Set(tag, first[r] + length[r]);
    std::uint64_t marks = 0;
    for (Index at = 0; at < 64; at += lanes) {
      const auto x = hn::LoadU(tag, values + at);
      std::uint64_t part = 0;
      hn::StoreMaskBits(tag, hn::AndNot(hn::Lt(x, begin), hn::Lt(x, end)),
                        reinterpret_cast<std::uint8_t*>(&part));
      marks |= part << at;
    }
    bits[r] = marks;
  }
}

}  // namespace attnscope::selection::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attnscope::selection {

HWY_EXPORT(Leader);
HWY_EXPORT(CountAtLeast);
HWY_EXPORT(MarkAtLeast);
HWY_EXPORT(MarkWithin);

Lead leader(const float* values, Index n, bool sizes, float slack) {
  return HWY_DYNAMIC_DISPATCH(Leader)(values, n, sizes, slack);
}

Index countAtLeast(const float* values, Index n, float threshold) {
  return HWY_DYNAMIC_DISPATCH(CountAtLeast)(values, n, threshold);
}

void markAtLeast(const float* values, Index n, float threshold, std::uint64_t* bits) {
  HWY_DYNAMIC_DISPATCH(MarkAtLeast)(values, n, threshold, bits);
}

void markWithin(const std::int32_t* values, const std::int32_t* first, const std::int32_t* length, Index rows,
                std::uint64_t* bits) {
  HWY_DYNAMIC_DISPATCH(MarkWithin)(values, first, length, rows, bits);
}

}  // namespace attnscope::selection
#endif
