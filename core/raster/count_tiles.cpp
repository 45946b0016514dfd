// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/raster/count_tiles.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <array>

#include <algorithm>
#include <atomic>

#include "core/raster/pixel_counts.h"

#include <tbb/enumerable_thread_specific.h>

namespace attnscope {

namespace {

Index cellsOf(Index number, int level, Index total) {
  return std::min((number + 1) << level, total) - std::min(number << level, total);
}

// One strip: `down` numbers of rows, and the columns of all its tiles side by side.
class Strip {
 public:
  Strip(const CountedArea& area, NumberLevel level, Index tileRow, Index tileCol0, Index tileCol1)
      : m_area(area),
        m_down(rangeOf(tileRow, tileRow + 1, level.down, area.pattern->rows())),
        m_across(rangeOf(tileCol0, tileCol1, level.across, area.cols)),
        m_tiles(static_cast<std::size_t>(tileCol1 - tileCol0)) {
    m_across.begin += area.col0;
    for (std::size_t t = 0; t < m_tiles.size(); ++t) {
      m_tiles[t].rows = m_down.pixels;
      m_tiles[t].cols = std::min(kTileNumbers, m_across.pixels - static_cast<Index>(t) * kTileNumbers);
    }
  }

  bool count(const JobContext& job) {
    job.beginPhase(static_cast<double>(m_down.pixels));
    std::atomic<bool> stopped = false;
    m_rows.resize(static_cast<std::size_t>(m_down.pixels));
    tbb::parallel_for(tbb::blocked_range<Index>(0, m_down.pixels, 8),
                      [&](const tbb::blocked_range<Index>& range) {
                        PixelRow<LevelAxis> row(m_across);
                        for (Index r = range.begin(); r < range.end() && !stopped; ++r) {
                          if (!countRow(r, row, job) || !job.advance()) stopped = true;
                          if (stopped) return;
                          keep(r, row);
                        }
                      });
    return !stopped;
  }

  std::vector<CountTilePtr> tiles() {
    for (std::size_t r = 0; r < m_rows.size(); ++r)
      for (const LabelRow& counted : m_rows[r])
        for (std::size_t t = 0; t < m_tiles.size(); ++t)
          copyInto(m_tiles[t], counted, static_cast<Index>(r), static_cast<Index>(t) * kTileNumbers);
    std::vector<CountTilePtr> finished;
    for (CountTile& tile : m_tiles) {
      std::sort(tile.planes.begin(), tile.planes.end(),
                [](const CountTile::Plane& a, const CountTile::Plane& b) { return a.label < b.label; });
      finished.push_back(std::make_shared<const CountTile>(std::move(tile)));
    }
    return finished;
  }

 private:
  struct LabelRow {
    std::uint8_t label = 0;
    std::vector<std::uint32_t> counts;
  };

  static LevelAxis rangeOf(Index tile0, Index tile1, int level, Index total) {
    const Index begin = (tile0 * kTileNumbers) << level;
    return {begin, std::min((tile1 * kTileNumbers) << level, total) - begin, level};
  }

  bool countRow(Index r, PixelRow<LevelAxis>& row, const JobContext& job) const {
    thread_local SignedRunList runs;
    thread_local RunList scratch;
    row.clear();
    for (Index i = m_down.begin + m_down.edge(r); i < m_down.begin + m_down.edge(r + 1); ++i) {
      m_area.pattern->countedRow(i, runs, scratch);
      for (const SignedRun& run : runs) row.add(run);
      // A row of numbers can stand for thousands of rows: the job is asked more often than once for each.
      if ((i & 63) == 63 && job.isCancelled()) return false;
    }
    row.finish();
    return true;
  }

  void keep(Index r, const PixelRow<LevelAxis>& row) {
    for (const std::uint8_t label : row.labels()) {
      const std::vector<Index>& counts = row.counts(label);
      m_rows[static_cast<std::size_t>(r)].push_back({label, {counts.begin(), counts.end()}});
    }
  }

  static void copyInto(CountTile& tile, const LabelRow& row, Index r, Index first) {
    const auto from = row.counts.begin() + first;
    if (std::all_of(from, from + tile.cols, [](std::uint32_t count) { return count == 0; })) return;
    auto plane = std::find_if(tile.planes.begin(), tile.planes.end(),
                              [&](const CountTile::Plane& known) { return known.label == row.label; });
    if (plane == tile.planes.end()) {
      tile.planes.push_back(
          {row.label, std::vector<std::uint32_t>(static_cast<std::size_t>(tile.rows * tile.cols), 0)});
      plane = tile.planes.end() - 1;
    }
    std::copy_n(from, tile.cols, plane->counts.begin() + r * tile.cols);
  }

  const CountedArea& m_area;
  LevelAxis m_down;
  LevelAxis m_across;
  std::vector<std::vector<LabelRow>> m_rows;
  std::vector<CountTile> m_tiles;
};

// The label that most of the pairs have, and the share of the cells that they are.
struct Mixed {
  double total = 0.0;
  double best = 0.0;
  std::uint8_t label = 0;
  void add(std::uint8_t next, double count) {
    total += count;
    if (count <= best) return;
    best = count;
    label = next;
  }
};

}  // namespace

int levelFor(Index cells, Index pixels) {
  int level = 0;
  while (pixels << (level + 1) <= cells) ++level;
  return level;
}

std::size_t CountTile::bytes() const {
  std::size_t bytes = sizeof *this;
  for (const Plane& plane : planes) bytes += sizeof plane + plane.counts.size() * sizeof(std::uint32_t);
  return bytes;
}

Result<std::vector<CountTilePtr>> countTiles(const CountedArea& area, NumberLevel level, Index tileRow,
                                             Index tileCol0, Index tileCol1, const JobContext& job) {
  Strip strip(area, level, tileRow, tileCol0, tileCol1);
  if (!strip.count(job)) return cancelled();
  return strip.tiles();
}

Coverage tileCoverage(const CountTile& tile, const CountedArea& area, NumberLevel level, Index tileRow,
                      Index tileCol) {
  Coverage coverage;
  coverage.rows = tile.rows;
  coverage.cols = tile.cols;
  coverage.share.resize(static_cast<std::size_t>(tile.rows * tile.cols));
  coverage.label.resize(coverage.share.size());
  for (Index r = 0; r < tile.rows; ++r) {
    const Index height = cellsOf(tileRow * kTileNumbers + r, level.down, area.pattern->rows());
    for (Index c = 0; c < tile.cols; ++c) {
      const auto at = static_cast<std::size_t>(r * tile.cols + c);
      Mixed mixed;
      for (const CountTile::Plane& plane : tile.planes) mixed.add(plane.label, plane.counts[at]);
      const Index width = cellsOf(tileCol * kTileNumbers + c, level.across, area.cols);
      coverage.share[at] = static_cast<float>(mixed.total / static_cast<double>(width * height));
      coverage.label[at] = mixed.label;
    }
  }
  return coverage;
}

std::vector<Index> pixelBorders(Index begin, Index cells, Index out, int level, Index total) {
  std::vector<Index> borders;
  borders.reserve(static_cast<std::size_t>(out) + 1);
  const Index half = level > 0 ? Index{1} << (level - 1) : 0;
  for (Index p = 0; p <= out; ++p) borders.push_back((begin + p * cells / out + half) >> level);
  // What is left of the last number belongs to the last pixel.
  if (begin + cells == total) borders.back() = (total + (Index{1} << level) - 1) >> level;
  return borders;
}

PixelSums::PixelSums(const CountedArea& area, NumberLevel level, const std::vector<Index>& down,
                     const std::vector<Index>& across)
    : m_area(area), m_level(level), m_down(down), m_across(across) {}

void PixelSums::add(const CountTile& tile, Index tileRow, Index tileCol) {
  const auto outCols = static_cast<Index>(m_across.size()) - 1;
  const Index row0 = tileRow * kTileNumbers;
  const Index col0 = tileCol * kTileNumbers;
  // The pixel of each number of the tile, or -1.
  const auto pixelsOf = [](const std::vector<Index>& borders, Index first, Index count) {
    std::vector<Index> pixels(static_cast<std::size_t>(count), -1);
    const auto after = std::upper_bound(borders.begin(), borders.end(), first);
    Index pixel = after - borders.begin() - 1;
    for (Index at = 0; at < count; ++at) {
      while (pixel + 1 < std::ssize(borders) && borders[static_cast<std::size_t>(pixel) + 1] <= first + at)
        ++pixel;
      if (pixel >= 0 && pixel + 1 < std::ssize(borders)) pixels[static_cast<std::size_t>(at)] = pixel;
    }
    return pixels;
  };
  const std::vector<Index> rows = pixelsOf(m_down, row0, tile.rows);
  const std::vector<Index> cols = pixelsOf(m_across, col0, tile.cols);
  for (const CountTile::Plane& plane : tile.planes) {
    auto sums = std::find_if(m_planes.begin(), m_planes.end(),
                             [&](const auto& known) { return known.first == plane.label; });
    if (sums == m_planes.end()) {
      const auto pixels = (m_down.size() - 1) * static_cast<std::size_t>(outCols);
      m_planes.emplace_back(plane.label, std::vector<std::uint64_t>(pixels, 0));
      sums = m_planes.end() - 1;
    }
    for (Index r = 0; r < tile.rows; ++r) {
      if (rows[static_cast<std::size_t>(r)] < 0) continue;
      std::uint64_t* out = sums->second.data() + rows[static_cast<std::size_t>(r)] * outCols;
      const std::uint32_t* counts = plane.counts.data() + r * tile.cols;
      for (Index c = 0; c < tile.cols; ++c)
        if (cols[static_cast<std::size_t>(c)] >= 0) out[cols[static_cast<std::size_t>(c)]] += counts[c];
    }
  }
}

Coverage PixelSums::coverage() const {
  Coverage coverage;
  coverage.rows = static_cast<Index>(m_down.size()) - 1;
  coverage.cols = static_cast<Index>(m_across.size()) - 1;
  coverage.share.assign(static_cast<std::size_t>(coverage.rows * coverage.cols), 0.0F);
  coverage.label.assign(coverage.share.size(), 0);
  auto planes = m_planes;
  std::sort(planes.begin(), planes.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });  // ties go to the first label
  const auto cells = [](const std::vector<Index>& borders, Index p, int level, Index total) {
    const auto at = static_cast<std::size_t>(p);
    return std::min(borders[at + 1] << level, total) - std::min(borders[at] << level, total);
  };
  std::vector<double> widths;
  for (Index c = 0; c < coverage.cols; ++c)
    widths.push_back(static_cast<double>(cells(m_across, c, m_level.across, m_area.cols)));
  for (Index r = 0; r < coverage.rows; ++r) {
    const auto height = static_cast<double>(cells(m_down, r, m_level.down, m_area.pattern->rows()));
    for (Index c = 0; c < coverage.cols; ++c) {
      const auto at = static_cast<std::size_t>(r * coverage.cols + c);
      Mixed mixed;
      for (const auto& [label, counts] : planes) mixed.add(label, static_cast<double>(counts[at]));
      coverage.share[at] = static_cast<float>(mixed.total / (height * widths[static_cast<std::size_t>(c)]));
      coverage.label[at] = mixed.label;
    }
  }
  return coverage;
}

Result<Coverage> sampleCoverage(const CountedArea& area, NumberLevel level, const std::vector<Index>& down,
                                const std::vector<Index>& across, const JobContext& job) {
  const Index first = across.front() << level.across;
  const Index past = std::min(across.back() << level.across, area.cols);
  // A pattern of one row for each row of pixels. The rows are spread: a regular pattern would be hit always
  // at the same place.
  const auto rowOf = [&](Index r) {
    const Index begin = down[static_cast<std::size_t>(r)] << level.down;
    const Index end = std::min(down[static_cast<std::size_t>(r) + 1] << level.down, area.pattern->rows());
    const std::uint64_t spread = (static_cast<std::uint64_t>(r) * 0x9E3779B97F4A7C15ULL) >> 33U;
    return begin + static_cast<Index>(spread % static_cast<std::uint64_t>(end - begin));
  };
  const auto outRows = static_cast<Index>(down.size()) - 1;
  const auto outCols = static_cast<Index>(across.size()) - 1;
  const PatternPtr rows = makePattern(
      outRows, area.pattern->cols(), [&](Index r, RunList& runs) { area.pattern->row(rowOf(r), runs); },
      [&](Index r, SignedRunList& runs) {
        thread_local RunList scratch;
        area.pattern->countedRow(rowOf(r), runs, scratch);
      });
  return coverageOf(*rows, 0, outRows, area.col0 + first, past - first, outRows, outCols, job);
}

Result<std::vector<std::uint64_t>> labelPairs(const Pattern& pattern, const JobContext& job) {
  using Counts = std::array<std::int64_t, 256>;
  tbb::enumerable_thread_specific<Counts> parts(Counts{});
  std::atomic<bool> stopped = false;
  tbb::parallel_for(tbb::blocked_range<Index>(0, pattern.rows(), 256),
                    [&](const tbb::blocked_range<Index>& range) {
                      if (stopped || job.isCancelled()) {
                        stopped = true;
                        return;
                      }
                      Counts& counts = parts.local();
                      SignedRunList runs;
                      RunList scratch;
                      for (Index i = range.begin(); i < range.end(); ++i) {
                        pattern.countedRow(i, runs, scratch);
                        for (const SignedRun& run : runs)
                          counts[run.run.label] += run.minus ? -run.run.count() : run.run.count();
                      }
                    });
  if (stopped) return cancelled();
  std::vector<std::uint64_t> pairs;
  for (const Counts& counts : parts)
    for (std::size_t label = 0; label < counts.size(); ++label) {
      if (counts[label] == 0) continue;
      if (pairs.size() <= label) pairs.resize(label + 1, 0);
      pairs[label] += static_cast<std::uint64_t>(counts[label]);
    }
  return pairs;
}

}  // namespace attnscope
