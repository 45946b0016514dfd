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
  m_keys.reserve(static_cast<std::size_t>(tiles() * kTile * m_source.d));
  if (!m_valuesStand) m_values.reserve(static_cast<std::size_t>(tiles() * kTile * m_width));
}

float KeyTiles::make(Index tile) {
  if (!m_valuesStand) packValues(tile, m_values.data() + tile * kTile * m_width);
  return packKeys(tile, m_keys.data() + tile * kTile * m_source.d);
}

KeyTiles::Tile KeyTiles::tile(Index tile, Scratch& scratch) const {
  Tile made;
  made.stride = m_width;
  made.count = countOf(tile);
  if (m_ahead) {
    made.keys = m_keys.data() + tile * kTile * m_source.d;
    made.values = m_values.data() + tile * kTile * m_width;
  } else {
    const Scratch::Slot& slot = slotOf(tile, scratch);
    made.keys = slot.keys.data();
    made.values = slot.values.data();
    made.largest = slot.largest;
  }
  if (!m_valuesStand) return made;
  made.values = m_source.values + tile * kTile * m_source.cols;
  made.stride = m_source.cols;
  if (m_source.values2 != nullptr) made.values2 = m_source.values2 + tile * kTile * m_source.cols2;
  return made;
}

const KeyTiles::Scratch::Slot& KeyTiles::slotOf(Index tile, Scratch& scratch) const {
  for (const Scratch::Slot& slot : scratch.slots)
    if (slot.owner == this && slot.tile == tile) return slot;
  Scratch::Slot& slot = scratch.slots[scratch.oldest];
  scratch.oldest = (scratch.oldest + 1) % scratch.slots.size();
  slot.owner = this;
  slot.tile = tile;
  slot.keys.reserve(static_cast<std::size_t>(kTile * m_source.d));
  slot.largest = packKeys(tile, slot.keys.data());
  if (!m_valuesStand) {
    slot.values.reserve(static_cast<std::size_t>(kTile * m_width));
    packValues(tile, slot.values.data());
  }
  return slot;
}

void KeyTiles::announce(Index tile, const Scratch& scratch, UpcomingRows& upcoming) const {
  if (m_ahead) return;  // in order in memory: the processor sees them coming
  for (const Scratch::Slot& slot : scratch.slots)
    if (slot.owner == this && slot.tile == tile) return;
  const std::int32_t* order = m_source.order ? m_source.order->data() + tile * kTile : nullptr;
  upcoming.add(m_source.keys, m_source.d, order, tile * kTile, countOf(tile));
  upcoming.add(m_source.values, m_source.cols, order, tile * kTile, countOf(tile));
  if (m_source.values2 != nullptr)
    upcoming.add(m_source.values2, m_source.cols2, order, tile * kTile, countOf(tile));
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
