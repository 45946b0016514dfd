// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/tile_numbers.h"

#include <algorithm>
#include <cmath>

#include "kernels/difference.h"

namespace attnscope {

namespace {

constexpr std::size_t kCacheBytes = std::size_t{64} << 20U;

// Cells of numbers [begin, end) along an axis of `total` cells.
double cellsOf(Index begin, Index end, int level, Index total) {
  return static_cast<double>(std::min(end << level, total) - std::min(begin << level, total));
}

}  // namespace

NumberTileCache& numberTiles() {
  static NumberTileCache cache(kCacheBytes);
  return cache;
}

TiledWindow::TiledWindow(const NumberSource& source, const CellWindow& window, bool overSlots,
                         EffectiveMatrix::Reduce reduce)
    : m_source(source), m_window(window), m_reduce(reduce) {
  if (!source.support && !source.matrix) m_window = {};  // nothing that could be kept
  if (m_window.isEmpty()) return;
  m_area = {source.support, overSlots ? source.tokens : 0, overSlots ? source.slotCount : source.tokens};
  m_rows = source.support ? source.support->rows() : source.matrix->rows();
  m_level = {levelFor(window.rows, window.outRows), levelFor(window.cols, window.outCols)};
  m_down = pixelBorders(window.row0, window.rows, window.outRows, m_level.down, m_rows);
  m_across = pixelBorders(window.col0, window.cols, window.outCols, m_level.across, m_area.cols);
}

TileKey TiledWindow::key(Index row, Index col) const {
  TileKey key{m_source.id, m_source.head, TileKey::What::Counts, m_area.col0, m_level, row, col};
  if (!countsPairs())
    key.what =
        m_reduce == EffectiveMatrix::Reduce::Max ? TileKey::What::MaxWeight : TileKey::What::MeanWeight;
  return key;
}

QRectF TiledWindow::cells(const TileKey& key) const {
  const auto from = [](Index tile, int level) { return static_cast<double>((tile * kTileNumbers) << level); };
  const auto size = [](Index tile, int level, Index total) {
    return cellsOf(tile * kTileNumbers, (tile + 1) * kTileNumbers, level, total);
  };
  return {from(key.col, key.level.across), from(key.row, key.level.down),
          size(key.col, key.level.across, m_area.cols), size(key.row, key.level.down, m_rows)};
}

bool TiledWindow::isRowCached(Index row) const {
  for (Index col = firstCol(); col < pastCol(); ++col)
    if (!numberTiles().find(key(row, col))) return false;
  return true;
}

Index TiledWindow::cachedTiles() const {
  Index count = 0;
  for (Index row = firstRow(); row < pastRow(); ++row)
    for (Index col = firstCol(); col < pastCol(); ++col) count += numberTiles().find(key(row, col)) ? 1 : 0;
  return count;
}

Status TiledWindow::makeRow(Index row, const JobContext& job) const {
  Index col0 = firstCol();
  Index col1 = pastCol();
  while (col0 < col1 && numberTiles().find(key(row, col0))) ++col0;
  while (col0 < col1 && numberTiles().find(key(row, col1 - 1))) --col1;
  if (col0 == col1) return {};
  return countsPairs() ? countRow(row, col0, col1, job) : weighRow(row, col0, col1, job);
}

Status TiledWindow::countRow(Index row, Index col0, Index col1, const JobContext& job) const {
  ATTN_ASSIGN(tiles, countTiles(m_area, m_level, row, col0, col1, job));
  for (Index col = col0; col < col1; ++col) {
    const auto tile =
        std::make_shared<const NumberTile>(NumberTile{tiles[static_cast<std::size_t>(col - col0)], {}});
    numberTiles().insert(key(row, col), tile, tile->bytes());
  }
  return {};
}

Status TiledWindow::weighRow(Index row, Index col0, Index col1, const JobContext& job) const {
  const Index row0 = (row * kTileNumbers) << m_level.down;
  const Index rows = std::min(((row + 1) * kTileNumbers) << m_level.down, m_rows) - row0;
  for (Index col = col0; col < col1; ++col) {  // tile by tile: each is shown as soon as it is there
    if (numberTiles().find(key(row, col))) continue;
    const Index from = (col * kTileNumbers) << m_level.across;
    const Index cols = std::min(((col + 1) * kTileNumbers) << m_level.across, m_area.cols) - from;
    ATTN_ASSIGN(weights, m_source.baseline
                             ? differenceTile(*m_source.matrix, *m_source.baseline, m_source.head, row0, rows,
                                              m_level.down, from, cols, m_level.across, m_reduce, job)
                             : m_source.matrix->tile(m_source.head, row0, rows, m_level.down, from, cols,
                                                     m_level.across, m_reduce, job));
    const auto tile = std::make_shared<const NumberTile>(NumberTile{nullptr, std::move(weights)});
    numberTiles().insert(key(row, col), tile, tile->bytes());
  }
  return {};
}

bool TiledWindow::compose(Coverage& coverage, Tensor& weights) const {
  if (!countsPairs()) return composeWeights(weights);
  PixelSums sums(m_area, m_level, m_down, m_across);
  for (Index row = firstRow(); row < pastRow(); ++row)
    for (Index col = firstCol(); col < pastCol(); ++col) {
      const NumberTilePtr tile = numberTiles().find(key(row, col));
      if (!tile) return false;
      sums.add(*tile->counts, row, col);
    }
  coverage = sums.coverage();
  return true;
}

bool TiledWindow::composeWeights(Tensor& weights) const {
  const bool mean = m_reduce == EffectiveMatrix::Reduce::Mean;
  Tensor picture = Tensor::zeros(DType::F32, {m_window.outRows, m_window.outCols});
  auto pixels = picture.mutableValues<float>();
  std::vector<double> sums(mean ? pixels.size() : 0, 0.0);
  std::vector<Index> pixelOfCol(static_cast<std::size_t>(m_across.back() - m_across.front()));
  for (std::size_t p = 0; p + 1 < m_across.size(); ++p)
    for (Index c = m_across[p]; c < m_across[p + 1]; ++c)
      pixelOfCol[static_cast<std::size_t>(c - m_across.front())] = static_cast<Index>(p);
  for (Index col = firstCol(); col < pastCol(); ++col) {
    const Index begin = std::max(m_across.front(), col * kTileNumbers);
    const Index end = std::min(m_across.back(), (col + 1) * kTileNumbers);
    NumberTilePtr tile;
    Index tileRow = -1;
    for (Index r = 0; r < m_window.outRows; ++r)
      for (Index i = m_down[static_cast<std::size_t>(r)]; i < m_down[static_cast<std::size_t>(r) + 1]; ++i) {
        if (i / kTileNumbers != tileRow) {
          tileRow = i / kTileNumbers;
          tile = numberTiles().find(key(tileRow, col));
          if (!tile) return false;
        }
        const auto from = tile->weights.slice<float>(i % kTileNumbers);
        const double height = mean ? cellsOf(i, i + 1, m_level.down, m_rows) : 0.0;
        for (Index c = begin; c < end; ++c) {
          const auto at = static_cast<std::size_t>(
              r * m_window.outCols + pixelOfCol[static_cast<std::size_t>(c - m_across.front())]);
          const float value = from[static_cast<std::size_t>(c - col * kTileNumbers)];
          if (mean)
            sums[at] += height * cellsOf(c, c + 1, m_level.across, m_area.cols) * static_cast<double>(value);
          else if (std::abs(value) > std::abs(pixels[at]))
            pixels[at] = value;
        }
      }
  }
  for (Index r = 0; mean && r < m_window.outRows; ++r)
    for (Index c = 0; c < m_window.outCols; ++c) {
      const auto at = static_cast<std::size_t>(r * m_window.outCols + c);
      const auto row = static_cast<std::size_t>(r);
      const auto col = static_cast<std::size_t>(c);
      pixels[at] = static_cast<float>(
          sums[at] / (cellsOf(m_down[row], m_down[row + 1], m_level.down, m_rows) *
                      cellsOf(m_across[col], m_across[col + 1], m_level.across, m_area.cols)));
    }
  weights = std::move(picture);
  return true;
}

Status TiledWindow::sample(Index outRows, CellWindow& window, Coverage& coverage, Tensor& weights,
                           const JobContext& job) const {
  window = m_window;
  window.outRows = std::min(outRows, m_window.outRows);
  if (countsPairs()) {
    const auto down = pixelBorders(window.row0, window.rows, window.outRows, 0, m_rows);
    ATTN_ASSIGN(sampled, sampleCoverage(m_area, {0, m_level.across}, down, m_across, job));
    coverage = std::move(sampled);
    return {};
  }
  std::vector<Index> rows;
  for (Index r = 0; r < window.outRows; ++r)
    rows.push_back(window.row0 + (2 * r + 1) * window.rows / (2 * window.outRows));
  ATTN_ASSIGN(sampled, m_source.baseline
                           ? sampledDifference(*m_source.matrix, *m_source.baseline, m_source.head, rows,
                                               window.col0, window.cols, window.outCols, m_reduce, job)
                           : m_source.matrix->sampledRows(m_source.head, rows, window.col0, window.cols,
                                                          window.outCols, m_reduce, job));
  weights = std::move(sampled);
  return {};
}

Coverage TiledWindow::coverageOfTile(const NumberTile& tile, const TileKey& key) const {
  return tileCoverage(*tile.counts, m_area, key.level, key.row, key.col);
}

}  // namespace attnscope
