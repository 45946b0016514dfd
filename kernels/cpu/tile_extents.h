// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "core/plan/tile_map.h"
#include "core/simd/tile_math.h"

namespace attnscope {

// What a masked tile needs of its products: for every group of neighbouring rows, the keys between the first
// and the last that one of them reads. Buckets, blocks and triangles leave much of their tiles out.
class TileExtents {
 public:
  TileExtents(const TileBits& bits, Index rows);

  [[nodiscard]] const tile_math::Columns* columns() const { return m_columns.data(); }

  struct Part {
    Index row = 0;
    Index rows = 0;
    Index begin = 0;  // of the keys; begin = end where nothing is read
    Index end = 0;
  };
  // action(Part) from the first to the last row, keys [begin, end) as multiples of 16.
  template <class Action>
  void forEachColumns(const Action& action) const {
    forEach(m_columns, action);
  }
  // The same with the keys themselves.
  template <class Action>
  void forEachKeys(const Action& action) const {
    forEach(m_keys, action);
  }

 private:
  static constexpr std::size_t kGroups = kTile / tile_math::kRowGroup;
  using Extents = std::array<tile_math::Columns, kGroups>;

  template <class Action>
  void forEach(const Extents& extents, const Action& action) const {
    for (std::size_t g = 0; g < m_groups;) {
      std::size_t next = g + 1;
      while (next < m_groups && extents[next].begin == extents[g].begin &&
             extents[next].end == extents[g].end)
        ++next;
      const Index row = static_cast<Index>(g) * tile_math::kRowGroup;
      const Index end = std::min(m_rows, static_cast<Index>(next) * tile_math::kRowGroup);
      action(Part{row, end - row, extents[g].begin, extents[g].end});
      g = next;
    }
  }

  Index m_rows;
  std::size_t m_groups;
  Extents m_columns{};
  Extents m_keys{};
};

}  // namespace attnscope
