// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace attnscope {

namespace {

constexpr Index kSlabCells = 1 << 20;  // of each matrix at a time: 4 MB

void subtract(std::span<float> from, std::span<const float> what) {
  for (std::size_t i = 0; i < from.size(); ++i) from[i] -= what[i];
}

// One row of pixels: of the cells that a pixel stands for, in rows [begin, end), the one of largest size.
void takeLargest(const Tensor& cells, Index begin, Index end, std::span<float> pixels) {
  const Index cols = cells.dim(1);
  const auto outCols = static_cast<Index>(pixels.size());
  std::fill(pixels.begin(), pixels.end(), 0.0F);
  for (Index r = begin; r < end; ++r) {
    const auto row = cells.slice<float>(r);
    for (Index c = 0; c < outCols; ++c) {
      float& pixel = pixels[static_cast<std::size_t>(c)];
      for (Index j = c * cols / outCols; j < (c + 1) * cols / outCols; ++j) {
        const float value = row[static_cast<std::size_t>(j)];
        if (std::abs(value) > std::abs(pixel)) pixel = value;
      }
    }
  }
}

}  // namespace

Result<Tensor> reducedDifference(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline, Index head,
                                 Index row0, Index rows, Index col0, Index cols, Index outRows, Index outCols,
                                 EffectiveMatrix::Reduce reduce, const JobContext& job) {
  if (matrix.rows() != baseline.rows() || matrix.cols() != baseline.cols() ||
      matrix.heads() != baseline.heads())
    return fail(ErrorKind::Usage,
                fmt::format("The map is {} x {}, the baseline {} x {}: they belong to different inputs.",
                            matrix.rows(), matrix.cols(), baseline.rows(), baseline.cols()));
  const bool cells = outRows == rows && outCols == cols;
  if (cells || reduce == EffectiveMatrix::Reduce::Mean) {
    // Means are linear, and single cells need no reduction.
    ATTN_ASSIGN(one, matrix.reduced(head, row0, rows, col0, cols, outRows, outCols, reduce, job));
    ATTN_ASSIGN(other, baseline.reduced(head, row0, rows, col0, cols, outRows, outCols, reduce, job));
    subtract(one.mutableValues<float>(), other.values<float>());
    return one;
  }
  Tensor picture(DType::F32, {outRows, outCols});
  auto pixels = picture.mutableValues<float>();
  Index r = 0;
  while (r < outRows) {
    // As many rows of pixels as fit into a slab, one at least.
    const Index begin = r * rows / outRows;
    Index end = r + 1;
    while (end < outRows && ((end + 1) * rows / outRows - begin) * cols <= kSlabCells) ++end;
    const Index height = end * rows / outRows - begin;
    ATTN_ASSIGN(one, matrix.block(head, row0 + begin, height, col0, cols, job));
    ATTN_ASSIGN(other, baseline.block(head, row0 + begin, height, col0, cols, job));
    subtract(one.mutableValues<float>(), other.values<float>());
    for (; r < end; ++r) {
      takeLargest(one, r * rows / outRows - begin, (r + 1) * rows / outRows - begin,
                  pixels.subspan(static_cast<std::size_t>(r * outCols), static_cast<std::size_t>(outCols)));
    }
  }
  return picture;
}

}  // namespace attnscope
