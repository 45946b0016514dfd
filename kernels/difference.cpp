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

Status requireSameSize(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline) {
  if (matrix.rows() == baseline.rows() && matrix.cols() == baseline.cols() &&
      matrix.heads() == baseline.heads())
    return {};
  return fail(ErrorKind::Usage,
              fmt::format("The map is {} x {}, the baseline {} x {}: they belong to different inputs.",
                          matrix.rows(), matrix.cols(), baseline.rows(), baseline.cols()));
}

// Differences of single cells.
Result<Tensor> differenceBlock(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline, Index head,
                               Index row0, Index rows, Index col0, Index cols, const JobContext& job) {
  ATTN_ASSIGN(one, matrix.block(head, row0, rows, col0, cols, job));
  ATTN_ASSIGN(other, baseline.block(head, row0, rows, col0, cols, job));
  subtract(one.mutableValues<float>(), other.values<float>());
  return one;
}

// Takes cells that begin at (row, col) of a tile into its numbers, of which each keeps the largest.
void keepLargest(const Tensor& cells, Index row, int down, Index col, int across, Tensor& numbers) {
  for (Index r = 0; r < cells.dim(0); ++r) {
    const auto from = cells.slice<float>(r);
    const auto to = numbers.mutableSlice<float>((row + r) >> down);
    for (Index c = 0; c < cells.dim(1); ++c) {
      float& number = to[static_cast<std::size_t>((col + c) >> across)];
      const float value = from[static_cast<std::size_t>(c)];
      if (std::abs(value) > std::abs(number)) number = value;
    }
  }
}

}  // namespace

Result<Tensor> differenceTile(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline, Index head,
                              Index row0, Index rows, int down, Index col0, Index cols, int across,
                              EffectiveMatrix::Reduce reduce, const JobContext& job) {
  ATTN_TRY(requireSameSize(matrix, baseline));
  if (reduce == EffectiveMatrix::Reduce::Mean || (down == 0 && across == 0)) {
    ATTN_ASSIGN(one, matrix.tile(head, row0, rows, down, col0, cols, across, reduce, job));
    ATTN_ASSIGN(other, baseline.tile(head, row0, rows, down, col0, cols, across, reduce, job));
    subtract(one.mutableValues<float>(), other.values<float>());
    return one;
  }
  const auto numbersOf = [](Index cells, int level) { return ((cells - 1) >> level) + 1; };
  Tensor numbers = Tensor::zeros(DType::F32, {numbersOf(rows, down), numbersOf(cols, across)});
  const Index width = std::min(cols, kSlabCells);
  const Index height = std::max<Index>(1, kSlabCells / width);
  for (Index col = 0; col < cols; col += width)
    for (Index row = 0; row < rows; row += height) {
      ATTN_ASSIGN(cells, differenceBlock(matrix, baseline, head, row0 + row, std::min(height, rows - row),
                                         col0 + col, std::min(width, cols - col), job));
      keepLargest(cells, row, down, col, across, numbers);
    }
  return numbers;
}

Result<Tensor> sampledDifference(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline, Index head,
                                 std::span<const Index> rows, Index col0, Index cols, Index outCols,
                                 EffectiveMatrix::Reduce reduce, const JobContext& job) {
  ATTN_TRY(requireSameSize(matrix, baseline));
  const bool mean = reduce == EffectiveMatrix::Reduce::Mean;
  const Index width = mean ? outCols : cols;  // means are linear; the largest is one of single cells
  const auto count = static_cast<Index>(rows.size());
  const Index height = std::max<Index>(1, kSlabCells / cols);
  Tensor picture(DType::F32, {count, outCols});
  for (Index first = 0; first < count; first += height) {
    const Index past = std::min(first + height, count);
    const auto some = rows.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(past - first));
    ATTN_ASSIGN(one, matrix.sampledRows(head, some, col0, cols, width, reduce, job));
    ATTN_ASSIGN(other, baseline.sampledRows(head, some, col0, cols, width, reduce, job));
    subtract(one.mutableValues<float>(), other.values<float>());
    for (Index r = first; r < past; ++r) {
      const auto pixels = picture.mutableSlice<float>(r);
      if (mean)
        std::copy_n(one.slice<float>(r - first).begin(), pixels.size(), pixels.begin());
      else
        takeLargest(one, r - first, r - first + 1, pixels);
    }
  }
  return picture;
}

Result<Tensor> reducedDifference(const EffectiveMatrix& matrix, const EffectiveMatrix& baseline, Index head,
                                 Index row0, Index rows, Index col0, Index cols, Index outRows, Index outCols,
                                 EffectiveMatrix::Reduce reduce, const JobContext& job) {
  ATTN_TRY(requireSameSize(matrix, baseline));
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
    ATTN_ASSIGN(one, differenceBlock(matrix, baseline, head, row0 + begin, height, col0, cols, job));
    for (; r < end; ++r) {
      takeLargest(one, r * rows / outRows - begin, (r + 1) * rows / outRows - begin,
                  pixels.subspan(static_cast<std::size_t>(r * outCols), static_cast<std::size_t>(outCols)));
    }
  }
  return picture;
}

}  // namespace attnscope
