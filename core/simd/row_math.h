// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace attnscope {

// Vectorised loops over rows of numbers, for the same reasons as tile_math.h with raw pointers.
namespace row_math {

using Index = std::int64_t;

// out[i] = exp(in[i]), n values; relative error below 3e-7, exp(-inf) = 0.
void exponential(const float* in, float* out, Index n);
// The same in double for in[i] <= 700, relative error below 1e-15, 0 where in[i] < -700.
void exponential(const double* in, double* out, Index n);

// out[i] = exp(in[i]) for in[i] <= 0, 1 + in[i] above; n values.
void eluPlusOne(const float* in, float* out, Index n);

// out[i] = exp(x[i] + (y[i] - shift)), n values.
void exponentialSum(const float* x, const float* y, float shift, float* out, Index n);

// The largest x[i] + y[i] of n >= 1.
float largestSum(const float* x, const float* y, Index n);

// maxima[c] = the largest of maxima[c] and rows[t * n + c]; sums[c] += the sum over t < count of rows[t * n +
// c].
void raiseMaxima(const float* rows, Index count, Index n, float* maxima);
void addRows(const float* rows, Index count, Index n, float* sums);

// out[j] = x . rows[j], count rows of d values each.
void dotRows(const float* x, const float* rows, Index d, Index count, float* out);
// out[j] = x . rows[which[j]].
void dotChosen(const float* x, const float* rows, const Index* which, Index d, Index count, float* out);

// out[c] += sum over t < count of weights[t] * rows[which[t] * n + c], c < n.
void addWeightedRows(const float* weights, const float* rows, const Index* which, Index count, Index n,
                     float* out);

// out[c] = sum over t < count of weights[t] * rows[t][c], c < n.
void combineRows(const float* const* rows, const float* weights, Index count, Index n, float* out);
// out[c] = the mean over t < count of rows[t * n + c], sums in double and in order; count >= 1.
void meanOfRows(const float* rows, Index count, Index n, float* out);

// Rows less their mean, divided by sqrt(variance + epsilon), or rows of length 1 (a row of zeros stays 0);
// count rows of d values, sums and factors in double.
void standardiseRows(const float* in, Index count, Index d, double epsilon, float* out);
void unitRows(const float* in, Index count, Index d, float* out);
// out[i] = in[i] - amount, n values.
void subtractFrom(const float* in, float amount, Index n, float* out);
// The sum of the squares of d values, in double.
double squaredNorm(const float* row, Index d);

}  // namespace row_math
}  // namespace attnscope
