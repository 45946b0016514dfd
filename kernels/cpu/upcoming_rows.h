// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/simd/tile_math.h"

namespace attnscope {

// Rows that the next tiles will read or write, for tile_math::gemm() to bring into the cache. One thread's.
// Small products bring less than is announced: what is about to be read is cleared, and where too much waits,
// it is late and left out.
class UpcomingRows {
 public:
  using Index = tile_math::Index;

  void clear();

  // `count` rows of `cols` floats: rows order[0], order[1], ... or, without an order, from row `first` on.
  void add(const float* rows, Index cols, const std::int32_t* order, Index first, Index count);
  // For products until the next add().
  [[nodiscard]] tile_math::Upcoming* get() { return &m_upcoming; }

 private:
  std::vector<tile_math::Upcoming::Piece> m_pieces;
  tile_math::Upcoming m_upcoming;
};

}  // namespace attnscope
