// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>

#include "core/plan/plan.h"
#include "kernels/cpu/placed_floats.h"
#include "kernels/cpu/upcoming_rows.h"

namespace attnscope {

// Keys and values of one head in the order of a step, tile by tile, in the form that products want: keys
// transposed (d, 64), values as rows of a multiple of 16 floats. Tiles that many rows of tiles read are made
// once beforehand; where few do, whoever needs one makes it in memory of his own, which stays in his cache.
// Values that already stand that way are read where they are.
class KeyTiles {
 public:
  // A second buffer's value columns stand behind the first's.
  struct Source {
    const float* keys = nullptr;  // (rows, d); null with d = 0
    Index d = 0;
    const float* values = nullptr;
    Index cols = 0;
    const float* values2 = nullptr;  // or null
    Index cols2 = 0;
    Order order;      // position -> row
    Index count = 0;  // positions
  };

  struct Tile {
    const float* keys = nullptr;  // (d, 64), columns beyond the last key 0
    const float* values = nullptr;
    Index stride = 0;  // between rows of values
    // Where the second buffer's values stand for themselves: they are not among the rows of `values` then.
    const float* values2 = nullptr;
    Index count = 0;       // keys in this tile
    float largest = 0.0F;  // size of an entry of the keys; 0 where make() has told it
  };
  // Memory of one thread: the tiles that it made last. Neighbouring rows of tiles often read the same ones.
  struct Scratch {
    struct Slot {
      const KeyTiles* owner = nullptr;
      Index tile = -1;
      float largest = 0.0F;
      PlacedFloats keys{1536};
      PlacedFloats values{1024};
    };
    std::array<Slot, 4> slots;
    std::size_t oldest = 0;
  };

  // `ahead`: make() will be called for every tile before any of them is asked for.
  KeyTiles(Source source, bool ahead);
  // Returns the largest size of an entry of the tile's keys.
  float make(Index tile);
  [[nodiscard]] Tile tile(Index tile, Scratch& scratch) const;
  // Announces what tile() will read of a tile that is not made yet.
  void announce(Index tile, const Scratch& scratch, UpcomingRows& upcoming) const;
  [[nodiscard]] Index tiles() const { return (m_source.count + kTile - 1) / kTile; }
  [[nodiscard]] Index width() const { return m_width; }

  // Width of rows of values: a multiple of 16 floats.
  [[nodiscard]] static Index paddedWidth(Index cols) { return (cols + 15) / 16 * 16; }
  // Is it worth making tiles beforehand?
  [[nodiscard]] static bool worthAhead(const TileMap& map) { return map.tiles() > 2 * map.tileCols(); }
  [[nodiscard]] static bool valuesStand(bool ordered, Index cols, Index cols2) {
    return !ordered && cols % 16 == 0 && cols2 % 16 == 0;
  }

 private:
  const Scratch::Slot& slotOf(Index tile, Scratch& scratch) const;
  float packKeys(Index tile, float* panel) const;
  void packValues(Index tile, float* rows) const;
  [[nodiscard]] Index countOf(Index tile) const { return std::min(kTile, m_source.count - tile * kTile); }

  Source m_source;
  Index m_width;
  bool m_ahead;
  bool m_valuesStand;
  PlacedFloats m_keys{1536};
  PlacedFloats m_values{1024};
};

}  // namespace attnscope
