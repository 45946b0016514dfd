// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/reordered_matrix.h"

#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

constexpr Index kSlabCells = 1 << 20;

// A query of the text and the row in which it stands.
struct Wanted {
  Index query = 0;
  Index row = 0;
};

}  // namespace

Result<Tensor> reducedInOrder(const MatrixRows& read, const TokenOrder& order, Index row0, Index rows,
                              Index col0, Index cols, Index outRows, Index outCols,
                              EffectiveMatrix::Reduce reduce) {
  const auto width = std::ssize(order.keys);
  Tensor picture = Tensor::zeros(DType::F32, {outRows, outCols});
  auto pixels = picture.mutableValues<float>();
  std::vector<Wanted> wanted;
  for (Index r = 0; r < rows; ++r) wanted.push_back({order.queries[static_cast<std::size_t>(row0 + r)], r});
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) { return a.query < b.query; });
  std::vector<double> sums(reduce == EffectiveMatrix::Reduce::Mean ? pixels.size() : 0, 0.0);
  // Neighbours of the text are read together, with those between them where that is little more.
  std::size_t at = 0;
  while (at < wanted.size()) {
    const Index first = wanted[at].query;
    std::size_t past = at + 1;
    while (past < wanted.size() && wanted[past].query - wanted[past - 1].query <= 8 &&
           (wanted[past].query - first + 1) * width <= kSlabCells)
      ++past;
    const Index count = wanted[past - 1].query - first + 1;
    ATTN_ASSIGN(block, read(first, count));
    for (; at < past; ++at) {
      const auto row = block.slice<float>(wanted[at].query - first);
      // The pixel of row r is the p for which p * rows / outRows <= r < (p + 1) * rows / outRows.
      const Index p = ((wanted[at].row + 1) * outRows - 1) / rows;
      for (Index c = 0; c < cols; ++c) {
        const float value = row[static_cast<std::size_t>(order.keys[static_cast<std::size_t>(col0 + c)])];
        const auto pixel = static_cast<std::size_t>(p * outCols + ((c + 1) * outCols - 1) / cols);
        if (!sums.empty())
          sums[pixel] += value;
        else if (std::abs(value) > std::abs(pixels[pixel]))
          pixels[pixel] = value;
      }
    }
  }
  for (std::size_t pixel = 0; pixel < sums.size(); ++pixel) {
    const auto edge = [](Index p, Index cells, Index out) { return p * cells / out; };
    const Index p = static_cast<Index>(pixel) / outCols;
    const Index c = static_cast<Index>(pixel) % outCols;
    const Index cells = (edge(p + 1, rows, outRows) - edge(p, rows, outRows)) *
                        (edge(c + 1, cols, outCols) - edge(c, cols, outCols));
    pixels[pixel] = static_cast<float>(sums[pixel] / static_cast<double>(cells));
  }
  return picture;
}

}  // namespace attnscope
