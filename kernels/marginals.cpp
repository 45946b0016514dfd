// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/marginals.h"

#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

constexpr Index kSlabCells = 1 << 20;

}  // namespace

Result<Marginals> marginalsOf(const EffectiveMatrix& matrix, Index head, const JobContext& job) {
  const Index rows = matrix.rows();
  const Index cols = matrix.cols();
  const Index slab = std::clamp<Index>(kSlabCells / std::max<Index>(1, cols), 1, std::max<Index>(1, rows));
  Marginals marginals;
  marginals.spread.reserve(static_cast<std::size_t>(rows));
  std::vector<double> received(static_cast<std::size_t>(cols), 0.0);
  job.beginPhase(static_cast<double>((rows + slab - 1) / slab));
  for (Index begin = 0; begin < rows; begin += slab) {
    const Index count = std::min(slab, rows - begin);
    ATTN_ASSIGN(block, matrix.block(head, begin, count, 0, cols, job.quiet()));
    for (Index r = 0; r < count; ++r) {
      double sum = 0.0;
      double squares = 0.0;
      const auto row = block.slice<float>(r);
      for (std::size_t c = 0; c < row.size(); ++c) {
        const double w = row[c];
        received[c] += w;
        sum += std::abs(w);
        squares += w * w;
      }
      marginals.spread.push_back(squares > 0.0 ? static_cast<float>(sum * sum / squares) : 0.0F);
    }
    if (!job.advance()) return cancelled();
  }
  marginals.received.assign(received.begin(), received.end());
  return marginals;
}

}  // namespace attnscope
