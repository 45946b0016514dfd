// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/pattern.h"

namespace attnscope {

// Neighbouring key tiles [begin, end) of one row of tiles, all of one kind.
struct TileRun {
  std::int32_t begin = 0;
  std::int32_t end = 0;
  std::int32_t mask = kFull;  // index of a TileMask, the same for every tile of the run

  static constexpr std::int32_t kFull = -1;  // every cell that exists is permitted, multiplicity 1
};

// A partial tile. Where pairs count in several partial results, (multiplicity - 1) is written in binary over
// `planeCount` bit planes from `firstPlane`, lowest bit first.
struct TileMask {
  TileBits bits{};
  std::int32_t firstPlane = 0;
  std::int32_t planeCount = 0;
};

// The same pattern in the form in which kernels execute it: for every 64 rows, which key tiles are absent,
// partial or full. Built exactly from a Pattern, equal masks are stored once. Immutable.
class TileMap {
 public:
  [[nodiscard]] Index rows() const { return m_rows; }
  [[nodiscard]] Index cols() const { return m_cols; }
  [[nodiscard]] Index tileRows() const { return (m_rows + kTile - 1) / kTile; }
  [[nodiscard]] Index tileCols() const { return (m_cols + kTile - 1) / kTile; }
  // Runs of a row of tiles, sorted, disjoint, none of them empty tiles.
  [[nodiscard]] std::span<const TileRun> row(Index tileRow) const;
  [[nodiscard]] const TileMask& mask(std::int32_t index) const {
    return m_masks[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] const TileBits& plane(std::int32_t index) const {
    return m_planes[static_cast<std::size_t>(index)];
  }

  [[nodiscard]] Index pairs() const { return m_pairs; }  // permitted cells
  [[nodiscard]] Index tiles() const { return m_tiles; }  // tiles that are executed
  [[nodiscard]] Index partialTiles() const { return m_partialTiles; }
  [[nodiscard]] std::size_t bytes() const;

  // Rows of tiles are built in parallel. The only error is cancellation.
  [[nodiscard]] static Result<std::shared_ptr<const TileMap>> build(const Pattern& pattern,
                                                                    const JobContext& job);

 private:
  Index m_rows = 0;
  Index m_cols = 0;
  Index m_pairs = 0;
  Index m_tiles = 0;
  Index m_partialTiles = 0;
  std::vector<std::int64_t> m_rowBegin;  // tileRows() + 1 offsets into m_runs
  std::vector<TileRun> m_runs;
  std::vector<TileMask> m_masks;
  std::vector<TileBits> m_planes;

  friend class TileMapBuilder;
};

// Multiplicity of a permitted cell of a masked tile.
[[nodiscard]] int cellMultiplicity(const TileMap& map, const TileMask& mask, Index row, Index col);

}  // namespace attnscope
