// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/random_features.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"
#include "kernels/cpu/for_rows.h"

namespace attnscope {

namespace {

using Kind = RandomFeatureStep::Kind;

constexpr Index kRows = 64;   // rows that one product takes
constexpr Index kPanel = 64;  // directions that one product takes

// One head's directions as the right side of products, times the scale of the input: panels of (d, 64).
struct Directions {
  Index m = 0;
  Index width = 0;  // of all panels
  std::vector<float> panels;
  double largest = 0.0;  // |y|_max^2 / 2, for the keys of Trig

  // out (rows, stride) = in (rows, d) times the directions; columns beyond m up to `width` may be written.
  void multiply(const float* in, Index d, Index rows, float* out, Index stride) const {
    for (Index first = 0; first < width; first += kPanel)
      tile_math::gemm(in, d, panels.data() + first * d, kPanel, out + first, stride, rows,
                      std::min(kPanel, width - first), d, false);
  }
};

Directions prepare(const RandomFeatureStep& step, const BufferTable& buffers, Index head) {
  const Index d = buffers.cols(step.in);
  Directions made;
  made.m = step.omega.dim(1);
  made.width = (made.m + 15) / 16 * 16;
  made.panels.assign(static_cast<std::size_t>((made.m + kPanel - 1) / kPanel * kPanel * d), 0.0F);
  const auto omega = step.omega.slice<float>(head);
  for (Index a = 0; a < made.m; ++a)
    for (Index c = 0; c < d; ++c)
      made.panels[static_cast<std::size_t>((a / kPanel * d + c) * kPanel + a % kPanel)] =
          static_cast<float>(step.inputScale * omega[static_cast<std::size_t>(a * d + c)]);
  if (step.kind == Kind::Trig && step.side == RandomFeatureStep::Side::Key)
    for (Index j = 0; j < buffers.rows(step.in); ++j)
      made.largest =
          std::max(made.largest, 0.5 * step.inputScale * step.inputScale *
                                     row_math::squaredNorm(buffers.head(step.in, head) + j * d, d));
  return made;
}

// The features of one row from its products with the directions, which may stand where the features will;
// half = |x|^2 / 2.
void mapRow(const RandomFeatureStep& step, const Directions& directions, const float* products, double half,
            float* out) {
  const Index m = directions.m;
  const auto damping = static_cast<float>(half);
  switch (step.kind) {
    case Kind::Positive:
      row_math::subtractFrom(products, damping, m, out);
      return;
    case Kind::Hyperbolic:
      for (Index a = 0; a < m; ++a) {
        const float product = products[a];
        out[a] = product - damping;
        out[m + a] = -product - damping;
      }
      return;
    case Kind::Trig: {
      const bool key = step.side == RandomFeatureStep::Side::Key;
      const double factor = key ? std::exp(half - directions.largest) : 1.0;
      for (Index a = 0; a < m; ++a) {
        const double product = products[a];
        out[a] = static_cast<float>(factor * std::sin(product));
        out[m + a] = static_cast<float>(factor * std::cos(product));
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
    // Where whole vectors fit between the features of two rows, products are made in their place.
    const bool inPlace = directions.width == directions.m;
    std::vector<float> beside(inPlace ? 0 : static_cast<std::size_t>(kRows * directions.width));
    for (Index at = begin; at < end; at += kRows) {
      const Index rows = std::min(kRows, end - at);
      float* products = inPlace ? target + at * r : beside.data();
      const Index stride = inPlace ? r : directions.width;
      directions.multiply(in + at * d, d, rows, products, stride);
      for (Index i = 0; i < rows; ++i) {
        const double half =
            0.5 * step.inputScale * step.inputScale * row_math::squaredNorm(in + (at + i) * d, d);
        mapRow(step, directions, products + i * stride, half, target + (at + i) * r);
      }
    }
  });
}

}  // namespace attnscope
