// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/tile_extents.h"

#include <bit>

namespace attnscope {

TileExtents::TileExtents(const TileBits& bits, Index rows)
    : m_rows(rows),
      m_groups(static_cast<std::size_t>((rows + tile_math::kRowGroup - 1) / tile_math::kRowGroup)) {
  for (std::size_t g = 0; g < m_groups; ++g) {
    std::uint64_t read = 0;
    for (std::size_t r = 0; r < tile_math::kRowGroup; ++r) read |= bits[g * tile_math::kRowGroup + r];
    if (read == 0) {
      m_keys[g] = m_columns[g] = {0, 0};
      continue;
    }
    m_keys[g] = {std::countr_zero(read), 64 - std::countl_zero(read)};
    m_columns[g] = {m_keys[g].begin / 16 * 16, (m_keys[g].end + 15) / 16 * 16};
  }
}

}  // namespace attnscope
