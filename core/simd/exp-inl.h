// SPDX-License-Identifier: GPL-3.0-or-later
// Exponentials on vectors. Included once for each instruction set, after Highway's foreach_target.h.
#if defined(ATTNSCOPE_EXP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ATTNSCOPE_EXP_INL_H
#undef ATTNSCOPE_EXP_INL_H
#else
#define ATTNSCOPE_EXP_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace attnscope::simd::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::ScalableTag<float>;
using Vec = hn::Vec<Tag>;

// x as a whole number and, in the low bits of `shifted`, as an integer: beside 1.5 * 2^23 no fraction has
// room. For |x| <= 2^21; ties to even, like hn::Round, but in two additions and without a conversion.
struct Whole {
  Vec shifted;
  Vec value;
};
HWY_INLINE Whole toWhole(Tag tag, Vec x) {
  const Vec large = hn::Set(tag, 12582912.0F);
  const Vec shifted = hn::Add(x, large);
  return {shifted, hn::Sub(shifted, large)};
}

// 2^(whole + f): a polynomial for f in [-1/2, 1/2] times a power of two put together from its exponent, which
// is 0 at whole = -127. Not below.
HWY_INLINE Vec exp2Parts(Tag tag, const Whole& whole, Vec f) {
  const hn::RebindToSigned<Tag> tagInt;
  Vec p = hn::Set(tag, 1.54035304e-4F);
  p = hn::MulAdd(p, f, hn::Set(tag, 1.33335581e-3F));
  p = hn::MulAdd(p, f, hn::Set(tag, 9.61812911e-3F));
  p = hn::MulAdd(p, f, hn::Set(tag, 5.55041087e-2F));
  p = hn::MulAdd(p, f, hn::Set(tag, 2.40226507e-1F));
  p = hn::MulAdd(p, f, hn::Set(tag, 6.93147181e-1F));
  p = hn::MulAdd(p, f, hn::Set(tag, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(hn::BitCast(tagInt, whole.shifted), hn::Set(tagInt, 127)));
  return hn::Mul(p, hn::BitCast(tag, exponent));
}

// 2^x for x <= 127; 0 where x < -126.5, which makes a masked logit weigh exactly nothing.
HWY_INLINE Vec exp2Vec(Tag tag, Vec x) {
  const Vec clamped = hn::Max(x, hn::Set(tag, -127.0F));
  const Whole whole = toWhole(tag, clamped);
  return exp2Parts(tag, whole, hn::Sub(clamped, whole.value));
}

// e^x for x <= 88, 0 below -87.7: x log2(e) in two parts, since the rounding of one product alone would cost
// digits for large |x|. With fused multiply-adds the fraction of the first part is exact.
HWY_INLINE Vec expVec(Tag tag, Vec x) {
  const Vec high = hn::Set(tag, 1.44269502F);
  const Vec low = hn::Set(tag, 1.92596299e-8F);
  const Vec clamped = hn::Max(hn::Min(x, hn::Set(tag, 88.0F)), hn::Set(tag, -88.0F));
  const Vec large = hn::Set(tag, 12582912.0F);  // as in toWhole()
  const Vec shifted = hn::MulAdd(clamped, high, large);
  const Whole whole{shifted, hn::Sub(shifted, large)};
  return exp2Parts(tag, whole, hn::MulAdd(clamped, low, hn::MulSub(clamped, high, whole.value)));
}

}  // namespace attnscope::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
