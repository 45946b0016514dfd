// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <compare>
#include <cstdint>

#include "core/base/byte_cache.h"
#include "core/base/tensor.h"
#include "core/raster/count_tiles.h"

namespace attnscope {

// What a tile shows: which numbers of which thing. `source` is unique to an exploration in this process.
struct TileKey {
  enum class What : std::uint8_t { Counts, MaxWeight, MeanWeight };
  std::uint64_t source = 0;
  Index head = 0;
  What what = What::Counts;
  Index area = 0;  // first column of the square that it belongs to: 0 for tokens, n_k for slots
  NumberLevel level;
  Index row = 0;
  Index col = 0;
  friend auto operator<=>(const TileKey&, const TileKey&) = default;
};

// Numbers of one tile: counts of a pattern, or weights (float32, rows x cols).
struct NumberTile {
  CountTilePtr counts;
  Tensor weights;
  [[nodiscard]] std::size_t bytes() const {
    return sizeof *this + (counts ? counts->bytes() : 0) + weights.bytes();
  }
};
using NumberTilePtr = std::shared_ptr<const NumberTile>;
using NumberTileCache = ByteCache<TileKey, NumberTile>;

}  // namespace attnscope
