// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/key_tiles.h"

#include <algorithm>

#include "core/simd/tile_math.h"

namespace attnscope {

KeyTiles::KeyTiles(Source source, bool ahead)
    : m_source(std::move(source)),
      m_width(paddedWidth(m_source.cols + m_source.cols2)),
      m_ahead(ahead),
      m_valuesStand(valuesStand(m_source.order != nullptr, m_source.cols, m_source.cols2)) {
  if (!m_ahead) return;
  m_keys.resize(static_cast<std::size_t>(tiles() * kTile * m_source.d));
  if (!m_valuesStand) m_values.resize(static_cast<std::size_t>(tiles() * kTile * m_width));
}

float KeyTiles::make(Index tile) {
  if (!m_valuesStand) packValues(tile, m_values.data() + tile * kTile * m_width);
  return packKeys(tile, m_keys.data() + tile * kTile * m_source.d);
}

KeyTiles::Tile KeyTiles::tile(Index tile, Scratch& scratch) const {
  Tile made{nullptr, nullptr, m_width, countOf(tile), 0.0F};
  if (m_ahead) {
    made.keys = m_keys.data() + tile * kTile * m_source.d;
  } else {
    scratch.keys.resize(static_cast<std::size_t>(kTile * m_source.d));
    made.largest = packKeys(tile, scratch.keys.data());
    made.keys = scratch.keys.data();
  }
  if (m_valuesStand) {
    made.values = m_source.values + tile * kTile * m_source.cols;
  } else if (m_ahead) {
    made.values = m_values.data() + tile * kTile * m_width;
  } else {
    scratch.values.resize(static_cast<std::size_t>(kTile * m_width));
    packValues(tile, scratch.values.data());
    made.values = scratch.values.data();
  }
  return made;
}

float KeyTiles::packKeys(Index tile, float* panel) const {
  const Index first = tile * kTile;
  const bool ordered = m_source.order != nullptr;
  return tile_math::packColumns(m_source.keys + (ordered ? 0 : first * m_source.d), m_source.d,
                                ordered ? m_source.order->data() + first : nullptr, countOf(tile), m_source.d,
                                panel);
}

void KeyTiles::packValues(Index tile, float* rows) const {
  const Index cols = m_source.cols;
  const Index cols2 = m_source.cols2;
  for (Index t = 0; t < countOf(tile); ++t) {
    const Index position = tile * kTile + t;
    const Index row = m_source.order ? (*m_source.order)[static_cast<std::size_t>(position)] : position;
    float* target = rows + t * m_width;
    std::copy_n(m_source.values + row * cols, cols, target);
    if (m_source.values2 != nullptr) std::copy_n(m_source.values2 + row * cols2, cols2, target + cols);
    std::fill(target + cols + cols2, target + m_width, 0.0F);
  }
}

}  // namespace attnscope
