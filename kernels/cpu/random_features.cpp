// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/random_features.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/simd/tile_math.h"
#include "kernels/cpu/for_rows.h"

namespace attnscope {

namespace {

using Kind = RandomFeatureStep::Kind;

constexpr Index kRows = 32;  // rows that one product takes

double squaredNorm(const float* row, Index d) {
  double sum = 0.0;
  for (Index c = 0; c < d; ++c) sum += static_cast<double>(row[c]) * row[c];
  return sum;
}

// One head's directions as the right side of a product, times the scale of the input: (d, width).
struct Directions {
  Index m = 0;
  Index width = 0;
  std::vector<float> columns;
  double largest = 0.0;  // |y|_max^2 / 2, for the keys of Trig
};

Directions prepare(const RandomFeatureStep& step, const BufferTable& buffers, Index head) {
  const Index d = buffers.cols(step.in);
  Directions made;
  made.m = step.omega.dim(1);
  made.width = (made.m + 15) / 16 * 16;
  made.columns.assign(static_cast<std::size_t>(d * made.width), 0.0F);
  const auto omega = step.omega.slice<float>(head);
  for (Index a = 0; a < made.m; ++a)
    for (Index c = 0; c < d; ++c)
      made.columns[static_cast<std::size_t>(c * made.width + a)] =
          static_cast<float>(step.inputScale * omega[static_cast<std::size_t>(a * d + c)]);
  if (step.kind == Kind::Trig && step.side == RandomFeatureStep::Side::Key)
    for (Index j = 0; j < buffers.rows(step.in); ++j)
      made.largest = std::max(made.largest, 0.5 * step.inputScale * step.inputScale *
                                                squaredNorm(buffers.head(step.in, head) + j * d, d));
  return made;
}

// The features of one row from its products with the directions; half = |x|^2 / 2.
void mapRow(const RandomFeatureStep& step, const Directions& directions, const float* products, double half,
            float* out) {
  const Index m = directions.m;
  const auto damping = static_cast<float>(half);
  switch (step.kind) {
    case Kind::Positive:
      for (Index a = 0; a < m; ++a) out[a] = products[a] - damping;
      return;
    case Kind::Hyperbolic:
      for (Index a = 0; a < m; ++a) {
        out[a] = products[a] - damping;
        out[m + a] = -products[a] - damping;
      }
      return;
    case Kind::Trig: {
      const bool key = step.side == RandomFeatureStep::Side::Key;
      const double factor = key ? std::exp(half - directions.largest) : 1.0;
      for (Index a = 0; a < m; ++a) {
        out[a] = static_cast<float>(factor * std::sin(static_cast<double>(products[a])));
        out[m + a] = static_cast<float>(factor * std::cos(static_cast<double>(products[a])));
      }
      return;
    }
    case Kind::Relu:
      for (Index a = 0; a < m; ++a) out[a] = std::max(products[a], 0.0F) + static_cast<float>(step.eps);
      return;
  }
}

}  // namespace

Status randomFeaturesOnCpu(const RandomFeatureStep& step, BufferTable& buffers, const JobContext& job) {
  Tensor& out = buffers.create(step.out);
  const Index d = buffers.cols(step.in);
  const Index r = buffers.cols(step.out);
  const bool probe = buffers.options().zeroLogits;
  std::vector<Directions> heads;
  for (Index h = 0; h < buffers.plan().shape.heads && !probe; ++h) {
    if (job.isCancelled()) return cancelled();
    heads.push_back(prepare(step, buffers, h));
  }
  return forRows(buffers, buffers.rows(step.out), job, [&](Index h, Index begin, Index end) {
    float* target = out.mutableSlice<float>(h).data();
    if (probe) {
      std::fill(target + begin * r, target + end * r, holdsExponents(step.kind) ? 0.0F : 1.0F);
      return;
    }
    const Directions& directions = heads[static_cast<std::size_t>(h)];
    const float* in = buffers.head(step.in, h);
    std::vector<float> products(static_cast<std::size_t>(kRows * directions.width));
    for (Index at = begin; at < end; at += kRows) {
      const Index rows = std::min(kRows, end - at);
      tile_math::gemm(in + at * d, d, directions.columns.data(), directions.width, products.data(),
                      directions.width, rows, directions.width, d, false);
      for (Index i = 0; i < rows; ++i) {
        const double half = 0.5 * step.inputScale * step.inputScale * squaredNorm(in + (at + i) * d, d);
        mapRow(step, directions, products.data() + i * directions.width, half, target + (at + i) * r);
      }
    }
  });
}

}  // namespace attnscope
