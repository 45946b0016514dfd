// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/pattern.h"
#include "core/raster/coverage.h"

namespace attnscope {

// Numbers along the side of a tile of a picture.
inline constexpr Index kTileNumbers = 256;

// How many cells a number stands for: 2^down rows by 2^across columns.
struct NumberLevel {
  int down = 0;
  int across = 0;
  friend auto operator<=>(const NumberLevel&, const NumberLevel&) = default;
};

// The coarsest level whose numbers are no larger than a pixel, when `cells` cells share `pixels` pixels.
[[nodiscard]] int levelFor(Index cells, Index pixels);

// A part of a pattern that is drawn as a square of its own: all rows, some columns (the tokens, or the
// slots).
struct CountedArea {
  PatternPtr pattern;
  Index col0 = 0;
  Index cols = 0;
};

// The pairs of a tile, counted: plane l holds, for every number, how many of its cells are read for the
// reason `label`. Numbers at the end of the area stand for fewer cells.
struct CountTile {
  struct Plane {
    std::uint8_t label = 0;
    std::vector<std::uint32_t> counts;  // rows * cols
  };
  Index rows = 0;  // numbers; 256 but at the end of the area
  Index cols = 0;
  std::vector<Plane> planes;  // by label, none without a pair

  [[nodiscard]] std::size_t bytes() const;
};
using CountTilePtr = std::shared_ptr<const CountTile>;

// The tiles [tileCol0, tileCol1) of one row of tiles, so that every row of the pattern is asked once. Exact.
// The only error is cancellation.
[[nodiscard]] Result<std::vector<CountTilePtr>> countTiles(const CountedArea& area, NumberLevel level,
                                                           Index tileRow, Index tileCol0, Index tileCol1,
                                                           const JobContext& job = {});

// A tile as shares and labels, one for each number: what colours are made from.
[[nodiscard]] Coverage tileCoverage(const CountTile& tile, const CountedArea& area, NumberLevel level,
                                    Index tileRow, Index tileCol);

// Where the pixels of a picture of `cells` cells from `begin` begin, in numbers of a level: out + 1 borders.
// A pixel stands for whole numbers, so its borders are off by half a number, which is at most half a pixel;
// at level 0 they are those of coverageOf(). `total`: cells of the whole axis.
[[nodiscard]] std::vector<Index> pixelBorders(Index begin, Index cells, Index out, int level, Index total);

// A first look: one row of cells for each row of pixels instead of all of them, exact along the columns.
[[nodiscard]] Result<Coverage> sampleCoverage(const CountedArea& area, NumberLevel level,
                                              const std::vector<Index>& down,
                                              const std::vector<Index>& across, const JobContext& job = {});

// The pairs of a pattern by label, as many entries as the largest label needs. Exact; every row is asked
// once. The only error is cancellation.
[[nodiscard]] Result<std::vector<std::uint64_t>> labelPairs(const Pattern& pattern,
                                                            const JobContext& job = {});

// A picture from the tiles of a level: every pixel is the sum of the numbers between its borders, exact once
// every tile that the borders touch was added.
class PixelSums {
 public:
  PixelSums(const CountedArea& area, NumberLevel level, const std::vector<Index>& down,
            const std::vector<Index>& across);
  // What the tile contributes. Every tile that the borders touch once.
  void add(const CountTile& tile, Index tileRow, Index tileCol);
  [[nodiscard]] Coverage coverage() const;

 private:
  const CountedArea& m_area;
  NumberLevel m_level;
  const std::vector<Index>& m_down;
  const std::vector<Index>& m_across;
  std::vector<std::pair<std::uint8_t, std::vector<std::uint64_t>>> m_planes;
};

}  // namespace attnscope
