// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/simd/row_math.h"

#include <cmath>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/simd/row_math.cpp"
#include <hwy/foreach_target.h>  // compiles this file again for each instruction set
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "core/simd/exp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace attnscope::row_math::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using simd::HWY_NAMESPACE::expVec;
using simd::HWY_NAMESPACE::Tag;
using simd::HWY_NAMESPACE::Vec;

// What is left of a row, n numbers that fill no vector: one vector with zeros costs as much as one number.
HWY_INLINE Vec loadSome(const float* from, Index n) {
  HWY_ALIGN float some[HWY_MAX_BYTES / sizeof(float)] = {};
  for (Index t = 0; t < n; ++t) some[t] = from[t];
  return hn::Load(Tag(), some);
}

HWY_INLINE void storeSome(Vec x, float* to, Index n) {
  HWY_ALIGN float some[HWY_MAX_BYTES / sizeof(float)];
  hn::Store(x, Tag(), some);
  for (Index t = 0; t < n; ++t) to[t] = some[t];
}

// out[i] = function(in[i]); two vectors at once do not wait for each other.
template <class Function>
HWY_INLINE void forEach(const float* in, float* out, Index n, const Function& function) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Index at = 0;
  for (; at + 2 * lanes <= n; at += 2 * lanes) {
    const Vec first = function(hn::LoadU(tag, in + at));
    const Vec second = function(hn::LoadU(tag, in + at + lanes));
    hn::StoreU(first, tag, out + at);
    hn::StoreU(second, tag, out + at + lanes);
  }
  for (; at + lanes <= n; at += lanes) hn::StoreU(function(hn::LoadU(tag, in + at)), tag, out + at);
  if (at < n) storeSome(function(loadSome(in + at, n - at)), out + at, n - at);
}

void Exponential(const float* in, float* out, Index n) {
  forEach(in, out, n, [](Vec x) HWY_ATTR { return expVec(Tag(), x); });
}

void EluPlusOne(const float* in, float* out, Index n) {
  forEach(in, out, n, [](Vec x) HWY_ATTR {
    const Tag tag;
    const Vec zero = hn::Zero(tag);
    return hn::Add(expVec(tag, hn::Min(x, zero)), hn::Max(x, zero));
  });
}

void ExponentialSum(const float* x, const float* y, float shift, float* out, Index n) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec less = hn::Set(tag, shift);
  const auto sum = [&](Vec a, Vec b) HWY_ATTR { return expVec(tag, hn::Add(a, hn::Sub(b, less))); };
  Index at = 0;
  for (; at + 2 * lanes <= n; at += 2 * lanes) {
    const Vec first = sum(hn::LoadU(tag, x + at), hn::LoadU(tag, y + at));
    const Vec second = sum(hn::LoadU(tag, x + at + lanes), hn::LoadU(tag, y + at + lanes));
    hn::StoreU(first, tag, out + at);
    hn::StoreU(second, tag, out + at + lanes);
  }
  for (; at + lanes <= n; at += lanes)
    hn::StoreU(sum(hn::LoadU(tag, x + at), hn::LoadU(tag, y + at)), tag, out + at);
  if (at < n) storeSome(sum(loadSome(x + at, n - at), loadSome(y + at, n - at)), out + at, n - at);
}

float LargestSum(const float* x, const float* y, Index n) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec largest = hn::Set(tag, -__builtin_inff());
  Index at = 0;
  for (; at + lanes <= n; at += lanes)
    largest = hn::Max(largest, hn::Add(hn::LoadU(tag, x + at), hn::LoadU(tag, y + at)));
  for (; at < n; ++at) largest = hn::Max(largest, hn::Set(tag, x[at] + y[at]));
  return hn::GetLane(hn::MaxOfLanes(tag, largest));
}

// held[c] = fold(held[c], rows[t * n + c]) over t.
template <class Fold, class FoldOne>
HWY_INLINE void foldRows(const float* rows, Index count, Index n, float* held, const Fold& fold,
                         const FoldOne& foldOne) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Index c = 0;
  for (; c + 2 * lanes <= n; c += 2 * lanes) {
    Vec first = hn::LoadU(tag, held + c);
    Vec second = hn::LoadU(tag, held + c + lanes);
    for (Index t = 0; t < count; ++t) {
      first = fold(first, hn::LoadU(tag, rows + t * n + c));
      second = fold(second, hn::LoadU(tag, rows + t * n + c + lanes));
    }
    hn::StoreU(first, tag, held + c);
    hn::StoreU(second, tag, held + c + lanes);
  }
  for (; c < n; ++c)
    for (Index t = 0; t < count; ++t) held[c] = foldOne(held[c], rows[t * n + c]);
}

void RaiseMaxima(const float* rows, Index count, Index n, float* maxima) {
  foldRows(
      rows, count, n, maxima, [](Vec a, Vec b) HWY_ATTR { return hn::Max(a, b); },
      [](float a, float b) HWY_ATTR { return a < b ? b : a; });
}

void AddRows(const float* rows, Index count, Index n, float* sums) {
  foldRows(
      rows, count, n, sums, [](Vec a, Vec b) HWY_ATTR { return hn::Add(a, b); },
      [](float a, float b) HWY_ATTR { return a + b; });
}

void ExponentialDouble(const double* in, double* out, Index n) {
  const hn::ScalableTag<double> tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Index at = 0;
  const auto one = [&](hn::Vec<hn::ScalableTag<double>> x) HWY_ATTR {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Set(tag, -700.0)), hn::Exp(tag, x));
  };
  for (; at + lanes <= n; at += lanes) hn::StoreU(one(hn::LoadU(tag, in + at)), tag, out + at);
  for (; at < n; ++at) out[at] = hn::GetLane(one(hn::Set(tag, in[at])));
}

// out[r] = x . rows[r] for a few rows side by side, whose sums do not wait for each other.
template <Index Rows>
HWY_INLINE void dotSome(const float* x, const float* const rows[Rows], Index d, float* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec sums[Rows];
#pragma GCC unroll 4
  for (Index r = 0; r < Rows; ++r) sums[r] = hn::Zero(tag);
  Index c = 0;
  for (; c + lanes <= d; c += lanes) {
    const Vec part = hn::LoadU(tag, x + c);
#pragma GCC unroll 4
    for (Index r = 0; r < Rows; ++r) sums[r] = hn::MulAdd(part, hn::LoadU(tag, rows[r] + c), sums[r]);
  }
  for (Index r = 0; r < Rows; ++r) {
    float total = hn::GetLane(hn::SumOfLanes(tag, sums[r]));
    for (Index rest = c; rest < d; ++rest) total += x[rest] * rows[r][rest];
    out[r] = total;
  }
}

template <class RowAt>
HWY_INLINE void dotAll(const float* x, Index d, Index count, float* out, const RowAt& rowAt) {
  Index j = 0;
  for (; j + 4 <= count; j += 4) {
    const float* const rows[4] = {rowAt(j), rowAt(j + 1), rowAt(j + 2), rowAt(j + 3)};
    dotSome<4>(x, rows, d, out + j);
  }
  for (; j < count; ++j) {
    const float* const rows[1] = {rowAt(j)};
    dotSome<1>(x, rows, d, out + j);
  }
}

void DotRows(const float* x, const float* rows, Index d, Index count, float* out) {
  dotAll(x, d, count, out, [=](Index j) HWY_ATTR { return rows + j * d; });
}

void DotChosen(const float* x, const float* rows, const Index* which, Index d, Index count, float* out) {
  dotAll(x, d, count, out, [=](Index j) HWY_ATTR { return rows + which[j] * d; });
}

template <Index Rows>
HWY_INLINE void addSome(const float* weights, const float* rows, const Index* which, Index n, float* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Vec factors[Rows];
#pragma GCC unroll 4
  for (Index r = 0; r < Rows; ++r) factors[r] = hn::Set(tag, weights[r]);
  Index c = 0;
  for (; c + lanes <= n; c += lanes) {
    Vec sum = hn::LoadU(tag, out + c);
#pragma GCC unroll 4
    for (Index r = 0; r < Rows; ++r)
      sum = hn::MulAdd(factors[r], hn::LoadU(tag, rows + which[r] * n + c), sum);
    hn::StoreU(sum, tag, out + c);
  }
  for (; c < n; ++c)
    for (Index r = 0; r < Rows; ++r) out[c] += weights[r] * rows[which[r] * n + c];
}

void AddWeightedRows(const float* weights, const float* rows, const Index* which, Index count, Index n,
                     float* out) {
  Index t = 0;
  for (; t + 4 <= count; t += 4) addSome<4>(weights + t, rows, which + t, n, out);
  for (; t < count; ++t) addSome<1>(weights + t, rows, which + t, n, out);
}

// Floats as doubles: half as many as a vector of floats has.
using DoubleTag = hn::ScalableTag<double>;
using DoubleVec = hn::Vec<DoubleTag>;
using HalfTag = hn::Rebind<float, DoubleTag>;

HWY_INLINE DoubleVec loadDoubles(const float* from) {
  return hn::PromoteTo(DoubleTag(), hn::LoadU(HalfTag(), from));
}

// Sum of term(x) over a row; `tail` for what is left of a vector.
template <class Term, class Tail>
HWY_INLINE double sumOfRow(const float* row, Index d, const Term& term, const Tail& tail) {
  const DoubleTag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  DoubleVec first = hn::Zero(tag);
  DoubleVec second = hn::Zero(tag);  // does not wait for the first
  Index c = 0;
  for (; c + 2 * lanes <= d; c += 2 * lanes) {
    first = hn::Add(first, term(loadDoubles(row + c)));
    second = hn::Add(second, term(loadDoubles(row + c + lanes)));
  }
  double sum = hn::GetLane(hn::SumOfLanes(tag, hn::Add(first, second)));
  for (; c < d; ++c) sum += tail(static_cast<double>(row[c]));
  return sum;
}

// out = (row - mean) * factor
HWY_INLINE void shiftAndScale(const float* row, Index d, double mean, double factor, float* out) {
  const DoubleTag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const DoubleVec less = hn::Set(tag, mean);
  const DoubleVec times = hn::Set(tag, factor);
  Index c = 0;
  for (; c + lanes <= d; c += lanes)
    hn::StoreU(hn::DemoteTo(HalfTag(), hn::Mul(hn::Sub(loadDoubles(row + c), less), times)), HalfTag(),
               out + c);
  for (; c < d; ++c) out[c] = static_cast<float>((static_cast<double>(row[c]) - mean) * factor);
}

double SquaredNorm(const float* row, Index d) {
  return sumOfRow(
      row, d, [](DoubleVec x) HWY_ATTR { return hn::Mul(x, x); }, [](double x) { return x * x; });
}

// Mean and 1 / sqrt(variance + epsilon) of `Rows` rows side by side, in one sweep: sums are those of x less
// the row's first value, so that no digits are lost where the mean is far larger than the deviations.
template <Index Rows>
HWY_INLINE void standardSome(const float* in, Index d, double epsilon, float* out) {
  const DoubleTag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  DoubleVec sums[Rows];
  DoubleVec squares[Rows];
#pragma GCC unroll 4
  for (Index r = 0; r < Rows; ++r) sums[r] = squares[r] = hn::Zero(tag);
  Index c = 0;
  for (; c + lanes <= d; c += lanes) {
#pragma GCC unroll 4
    for (Index r = 0; r < Rows; ++r) {
      const DoubleVec x = hn::Sub(loadDoubles(in + r * d + c), hn::Set(tag, static_cast<double>(in[r * d])));
      sums[r] = hn::Add(sums[r], x);
      squares[r] = hn::MulAdd(x, x, squares[r]);
    }
  }
  double factors[Rows];
  double means[Rows];
#pragma GCC unroll 4
  for (Index r = 0; r < Rows; ++r) {
    const float* row = in + r * d;
    double sum = hn::GetLane(hn::SumOfLanes(tag, sums[r]));
    double square = hn::GetLane(hn::SumOfLanes(tag, squares[r]));
    for (Index rest = c; rest < d; ++rest) {
      const double x = static_cast<double>(row[rest]) - static_cast<double>(row[0]);
      sum += x;
      square += x * x;
    }
    const double count = static_cast<double>(d);
    const double variance = (square - sum * sum / count) / count;
    means[r] = static_cast<double>(row[0]) + sum / count;
    factors[r] = 1.0 / std::sqrt((variance > 0.0 ? variance : 0.0) + epsilon);
  }
  for (Index r = 0; r < Rows; ++r) shiftAndScale(in + r * d, d, means[r], factors[r], out + r * d);
}

void StandardiseRows(const float* in, Index count, Index d, double epsilon, float* out) {
  Index i = 0;
  for (; i + 4 <= count; i += 4) standardSome<4>(in + i * d, d, epsilon, out + i * d);
  for (; i < count; ++i) standardSome<1>(in + i * d, d, epsilon, out + i * d);
}

void CombineRows(const float* const* rows, const float* weights, Index count, Index n, float* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  Index c = 0;
  for (; c + 2 * lanes <= n; c += 2 * lanes) {
    Vec first = hn::Zero(tag);
    Vec second = hn::Zero(tag);
    for (Index t = 0; t < count; ++t) {
      const Vec weight = hn::Set(tag, weights[t]);
      first = hn::MulAdd(weight, hn::LoadU(tag, rows[t] + c), first);
      second = hn::MulAdd(weight, hn::LoadU(tag, rows[t] + c + lanes), second);
    }
    hn::StoreU(first, tag, out + c);
    hn::StoreU(second, tag, out + c + lanes);
  }
  for (; c < n; ++c) {
    float sum = 0.0F;
    for (Index t = 0; t < count; ++t) sum += weights[t] * rows[t][c];
    out[c] = sum;
  }
}

void MeanOfRows(const float* rows, Index count, Index n, float* out) {
  const DoubleTag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const DoubleVec number = hn::Set(tag, static_cast<double>(count));
  Index c = 0;
  for (; c + 2 * lanes <= n; c += 2 * lanes) {
    DoubleVec first = hn::Zero(tag);
    DoubleVec second = hn::Zero(tag);
    for (Index t = 0; t < count; ++t) {
      first = hn::Add(first, loadDoubles(rows + t * n + c));
      second = hn::Add(second, loadDoubles(rows + t * n + c + lanes));
    }
    hn::StoreU(hn::DemoteTo(HalfTag(), hn::Div(first, number)), HalfTag(), out + c);
    hn::StoreU(hn::DemoteTo(HalfTag(), hn::Div(second, number)), HalfTag(), out + c + lanes);
  }
  for (; c < n; ++c) {
    double sum = 0.0;
    for (Index t = 0; t < count; ++t) sum += rows[t * n + c];
    out[c] = static_cast<float>(sum / static_cast<double>(count));
  }
}

void SubtractFrom(const float* in, float amount, Index n, float* out) {
  const Tag tag;
  const auto lanes = static_cast<Index>(hn::Lanes(tag));
  const Vec less = hn::Set(tag, amount);
  Index at = 0;
  for (; at + lanes <= n; at += lanes) hn::StoreU(hn::Sub(hn::LoadU(tag, in + at), less), tag, out + at);
  for (; at < n; ++at) out[at] = in[at] - amount;
}

void UnitRows(const float* in, Index count, Index d, float* out) {
  for (Index i = 0; i < count; ++i) {
    const double squares = SquaredNorm(in + i * d, d);
    shiftAndScale(in + i * d, d, 0.0, squares > 0.0 ? 1.0 / std::sqrt(squares) : 0.0, out + i * d);
  }
}

}  // namespace attnscope::row_math::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace attnscope::row_math {

HWY_EXPORT(Exponential);
HWY_EXPORT(EluPlusOne);
HWY_EXPORT(ExponentialSum);
HWY_EXPORT(LargestSum);
HWY_EXPORT(RaiseMaxima);
HWY_EXPORT(AddRows);
HWY_EXPORT(ExponentialDouble);
HWY_EXPORT(DotRows);
HWY_EXPORT(DotChosen);
HWY_EXPORT(AddWeightedRows);
HWY_EXPORT(CombineRows);
HWY_EXPORT(MeanOfRows);
HWY_EXPORT(StandardiseRows);
HWY_EXPORT(UnitRows);
HWY_EXPORT(SubtractFrom);
HWY_EXPORT(SquaredNorm);

void exponential(const float* in, float* out, Index n) {
  HWY_DYNAMIC_DISPATCH(Exponential)(in, out, n);
}

void eluPlusOne(const float* in, float* out, Index n) {
  HWY_DYNAMIC_DISPATCH(EluPlusOne)(in, out, n);
}

void exponentialSum(const float* x, const float* y, float shift, float* out, Index n) {
  HWY_DYNAMIC_DISPATCH(ExponentialSum)(x, y, shift, out, n);
}

float largestSum(const float* x, const float* y, Index n) {
  return HWY_DYNAMIC_DISPATCH(LargestSum)(x, y, n);
}

void raiseMaxima(const float* rows, Index count, Index n, float* maxima) {
  HWY_DYNAMIC_DISPATCH(RaiseMaxima)(rows, count, n, maxima);
}

void addRows(const float* rows, Index count, Index n, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddRows)(rows, count, n, sums);
}

void exponential(const double* in, double* out, Index n) {
  HWY_DYNAMIC_DISPATCH(ExponentialDouble)(in, out, n);
}

void dotRows(const float* x, const float* rows, Index d, Index count, float* out) {
  HWY_DYNAMIC_DISPATCH(DotRows)(x, rows, d, count, out);
}

void dotChosen(const float* x, const float* rows, const Index* which, Index d, Index count, float* out) {
  HWY_DYNAMIC_DISPATCH(DotChosen)(x, rows, which, d, count, out);
}

void addWeightedRows(const float* weights, const float* rows, const Index* which, Index count, Index n,
                     float* out) {
  HWY_DYNAMIC_DISPATCH(AddWeightedRows)(weights, rows, which, count, n, out);
}

void combineRows(const float* const* rows, const float* weights, Index count, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(CombineRows)(rows, weights, count, n, out);
}

void meanOfRows(const float* rows, Index count, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(MeanOfRows)(rows, count, n, out);
}

void standardiseRows(const float* in, Index count, Index d, double epsilon, float* out) {
  HWY_DYNAMIC_DISPATCH(StandardiseRows)(in, count, d, epsilon, out);
}

void unitRows(const float* in, Index count, Index d, float* out) {
  HWY_DYNAMIC_DISPATCH(UnitRows)(in, count, d, out);
}

void subtractFrom(const float* in, float amount, Index n, float* out) {
  HWY_DYNAMIC_DISPATCH(SubtractFrom)(in, amount, n, out);
}

double squaredNorm(const float* row, Index d) {
  return HWY_DYNAMIC_DISPATCH(SquaredNorm)(row, d);
}

}  // namespace attnscope::row_math
#endif
