// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <functional>
#include <vector>

#include "ui/plots/square_plot.h"
#include "ui/plots/tile_numbers.h"

namespace attnscope {

// Tiles as pictures, for what is drawn while a view moves: numbers come from numberTiles() and are never made
// here. GUI thread only.
class TileColors {
 public:
  using Paint = std::function<QImage(const NumberTile& tile, const TileKey& key)>;

  // What every square shares: 48 MiB of pictures.
  [[nodiscard]] static TileColors& shared();
  explicit TileColors(std::size_t mostBytes) : m_images(mostBytes) {}

  // The pictures that cover a window, coarse ones (and finer ones, where zooming out left them) below.
  // `stamp` changes whenever `paint` would paint otherwise. At most `milliseconds` are spent on painting;
  // false if tiles that could be painted are left for the next time.
  [[nodiscard]] bool collect(const TiledWindow& window, quint64 stamp, const Paint& paint, int milliseconds,
                             std::vector<SquareContent::Patch>& patches);

  void clear() { m_images.clear(); }
  [[nodiscard]] std::size_t bytes() const { return m_images.bytes(); }
  [[nodiscard]] std::size_t mostBytes() const { return m_images.mostBytes(); }

 private:
  struct Key {
    TileKey tile;
    quint64 stamp = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  // Null image: no numbers, or no time.
  enum class Found { Nothing, NoTime, Image };
  Found imageOf(const TileKey& tile, quint64 stamp, const Paint& paint, bool mayPaint, QImage& image);

  ByteCache<Key, QImage> m_images;
};

// A number that no style had before.
[[nodiscard]] quint64 newStamp();

}  // namespace attnscope
