// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/random_directions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

#include "core/base/byte_cache.h"
#include "core/base/rng.h"

namespace attnscope {

namespace {

using Row = std::vector<double>;

Row drawRow(const RandomStream& stream, Index head, Index a, std::uint32_t purpose, Index d) {
  Row row(static_cast<std::size_t>(d));
  stream.fillNormals({static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(a), purpose},
                     std::span<double>(row));
  return row;
}

double dotOf(const Row& a, const Row& b) {
  std::array<double, 4> lanes{};  // sums that do not wait for each other
  std::size_t c = 0;
  for (; c + 4 <= a.size(); c += 4)
    for (std::size_t t = 0; t < 4; ++t) lanes[t] += a[c + t] * b[c + t];
  for (; c < a.size(); ++c) lanes[0] += a[c] * b[c];
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

void scaleTo(Row& row, double norm) {
  const double factor = norm / std::sqrt(dotOf(row, row));
  for (double& x : row) x *= factor;
}

// Takes the part along the rows before out of a row, twice: the second pass removes what rounding left. This
// is the QR decomposition of the block in which R has a positive diagonal. A library's R has any sign there,
// and its Q is then not uniformly distributed: positive features would be biased.
void orthogonalise(Row& row, const std::vector<Row>& before) {
  for (int pass = 0; pass < 2; ++pass)
    for (const Row& other : before) {
      const double share = dotOf(row, other);
      for (std::size_t c = 0; c < row.size(); ++c) row[c] -= share * other[c];
    }
  scaleTo(row, 1.0);
}

Result<Tensor> draw(std::uint64_t seed, Index heads, Index m, Index d, const DirectionLaw& law,
                    const JobContext& job) {
  enum : std::uint32_t { kDirection = 0, kNorm = 1 };
  const RandomStream stream(seed, "performer", "omega");
  Tensor omega(DType::F32, {heads, m, d});
  for (Index h = 0; h < heads; ++h) {
    float* target = omega.mutableSlice<float>(h).data();
    std::vector<Row> block;
    for (Index a = 0; a < m; ++a) {
      if (!job.advance(0)) return cancelled();
      Row row = drawRow(stream, h, a, kDirection, d);
      if (law.orthogonal) {
        if (a % d == 0) block.clear();
        orthogonalise(row, block);
        block.push_back(row);
        const Row other = law.equalNorms ? Row() : drawRow(stream, h, a, kNorm, d);
        scaleTo(row, law.equalNorms ? std::sqrt(static_cast<double>(d)) : std::sqrt(dotOf(other, other)));
      }
      std::transform(row.begin(), row.end(), target + a * d, [](double x) { return static_cast<float>(x); });
    }
  }
  return omega;
}

// What is drawn again whenever something else of a call changes: a slider of the window's moves, or a next
// measurement.
constexpr std::size_t kKeptBytes = std::size_t{8} << 20;
using Drawn = std::tuple<std::uint64_t, Index, Index, Index, bool, bool>;

}  // namespace

Result<Tensor> drawDirections(std::uint64_t seed, Index heads, Index m, Index d, const DirectionLaw& law,
                              const JobContext& job) {
  static ByteCache<Drawn, Tensor> kept(kKeptBytes);
  const Drawn key{seed, heads, m, d, law.orthogonal, law.equalNorms};
  if (const auto known = kept.find(key)) return *known;
  ATTN_ASSIGN(omega, draw(seed, heads, m, d, law, job));
  kept.insert(key, std::make_shared<const Tensor>(omega),
              static_cast<std::size_t>(heads * m * d) * sizeof(float));
  return omega;
}

}  // namespace attnscope
