// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/tile_colors.h"

#include <QElapsedTimer>
#include <set>

namespace attnscope {

namespace {

constexpr std::size_t kSharedBytes = std::size_t{48} << 20U;
constexpr int kCoarserLevels = 4;

TileKey coarser(TileKey key, int by) {
  key.level.down += by;
  key.level.across += by;
  key.row >>= by;
  key.col >>= by;
  return key;
}

}  // namespace

quint64 newStamp() {
  static quint64 last = 0;
  return ++last;
}

TileColors& TileColors::shared() {
  static TileColors colors(kSharedBytes);
  return colors;
}

TileColors::Found TileColors::imageOf(const TileKey& tile, quint64 stamp, const Paint& paint, bool mayPaint,
                                      QImage& image) {
  if (const auto known = m_images.find({tile, stamp})) {
    image = *known;
    return Found::Image;
  }
  const NumberTilePtr numbers = numberTiles().find(tile);
  if (!numbers) return Found::Nothing;
  if (!mayPaint) return Found::NoTime;
  image = paint(*numbers, tile);
  m_images.insert({tile, stamp}, std::make_shared<const QImage>(image),
                  static_cast<std::size_t>(image.sizeInBytes()));
  return Found::Image;
}

bool TileColors::collect(const TiledWindow& window, quint64 stamp, const Paint& paint, int milliseconds,
                         std::vector<SquareContent::Patch>& patches) {
  patches.clear();
  if (window.isEmpty()) return true;
  QElapsedTimer timer;
  timer.start();
  bool all = true;
  std::vector<SquareContent::Patch> exact;
  std::set<TileKey> below;
  const auto take = [&](const TileKey& key, std::vector<SquareContent::Patch>& into) {
    QImage image;
    const Found found = imageOf(key, stamp, paint, timer.elapsed() < milliseconds, image);
    if (found == Found::NoTime) all = false;
    if (found == Found::Image) into.push_back({image, window.cells(key)});
    return found == Found::Image;
  };
  for (Index row = window.firstRow(); row < window.pastRow(); ++row)
    for (Index col = window.firstCol(); col < window.pastCol(); ++col) {
      const TileKey key = window.key(row, col);
      if (take(key, exact)) continue;
      for (int by = 1; by <= kCoarserLevels; ++by) {
        const TileKey under = coarser(key, by);
        if (below.contains(under)) break;
        if (!take(under, patches)) continue;
        below.insert(under);
        break;
      }
      if (key.level.down == 0 || key.level.across == 0) continue;
      for (int part = 0; part < 4; ++part) {
        TileKey finer = key;
        --finer.level.down;
        --finer.level.across;
        finer.row = 2 * key.row + part / 2;
        finer.col = 2 * key.col + part % 2;
        take(finer, exact);
      }
    }
  patches.insert(patches.end(), exact.begin(), exact.end());
  return all;
}

}  // namespace attnscope
