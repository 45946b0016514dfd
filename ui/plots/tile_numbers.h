// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/raster/number_tiles.h"
#include "ui/plots/number_source.h"

namespace attnscope {

// One square of a request (tokens or slots) cut into tiles of numbers: which level, which tiles, and which
// numbers each pixel stands for. Cheap to make; knows no numbers itself.
class TiledWindow {
 public:
  TiledWindow(const NumberSource& source, const CellWindow& window, bool overSlots,
              EffectiveMatrix::Reduce reduce);

  [[nodiscard]] bool isEmpty() const { return m_window.isEmpty(); }
  [[nodiscard]] NumberLevel level() const { return m_level; }
  // Tiles [firstRow, pastRow) x [firstCol, pastCol) hold the numbers of the picture.
  [[nodiscard]] Index firstRow() const { return m_down.front() / kTileNumbers; }
  [[nodiscard]] Index pastRow() const { return (m_down.back() - 1) / kTileNumbers + 1; }
  [[nodiscard]] Index firstCol() const { return m_across.front() / kTileNumbers; }
  [[nodiscard]] Index pastCol() const { return (m_across.back() - 1) / kTileNumbers + 1; }
  [[nodiscard]] TileKey key(Index row, Index col) const;
  // The cells of a tile, of any level, in the square's own columns.
  [[nodiscard]] QRectF cells(const TileKey& key) const;

  // Makes the missing tiles of one row of tiles and keeps them in the cache.
  [[nodiscard]] Status makeRow(Index row, const JobContext& job) const;
  [[nodiscard]] bool isRowCached(Index row) const;
  [[nodiscard]] Index cachedTiles() const;
  // The picture from cached tiles; false where one has been dropped in the meantime.
  [[nodiscard]] bool compose(Coverage& coverage, Tensor& weights) const;
  // A first look that reads `outRows` rows of cells (at most one for each pixel); `window` becomes what it
  // shows.
  [[nodiscard]] Status sample(Index outRows, CellWindow& window, Coverage& coverage, Tensor& weights,
                              const JobContext& job) const;

  // Numbers as colours are made from them.
  [[nodiscard]] Coverage coverageOfTile(const NumberTile& tile, const TileKey& key) const;

 private:
  [[nodiscard]] Index rows() const { return m_rows; }
  [[nodiscard]] bool countsPairs() const { return m_area.pattern != nullptr; }
  [[nodiscard]] Status countRow(Index row, Index col0, Index col1, const JobContext& job) const;
  [[nodiscard]] Status weighRow(Index row, Index col0, Index col1, const JobContext& job) const;
  [[nodiscard]] bool composeWeights(Tensor& weights) const;

  NumberSource m_source;
  CellWindow m_window;
  EffectiveMatrix::Reduce m_reduce;
  CountedArea m_area;
  Index m_rows = 0;  // of the whole square
  NumberLevel m_level;
  std::vector<Index> m_down;
  std::vector<Index> m_across;
};

// The numbers of every square of the program. 64 MiB: the pictures of a dozen squares.
[[nodiscard]] NumberTileCache& numberTiles();

}  // namespace attnscope
