// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/tile_map.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <numeric>
#include <unordered_map>

#include "core/base/digest.h"

namespace attnscope {

namespace {

constexpr std::uint64_t kAllCols = ~std::uint64_t{0};

// Where the tiles of one row that a run covers from edge to edge begin or end.
struct Event {
  std::int32_t tile;
  std::int32_t row;
};

// One row of tiles while it is built; its masks are numbered from 0.
struct BlockTiles {
  std::vector<TileRun> runs;
  std::vector<TileMask> masks;
  std::vector<TileBits> planes;
  [[nodiscard]] const TileBits& plane(std::int32_t index) const {
    return planes[static_cast<std::size_t>(index)];
  }
  Index pairs = 0;
  Index tiles = 0;
  Index partialTiles = 0;
};

std::uint64_t bitsFrom(Index begin, Index end) {  // bits [begin, end) of a word, 0 <= begin < end <= 64
  const std::uint64_t upTo = end == kTile ? kAllCols : (std::uint64_t{1} << end) - 1;
  return upTo & ~((std::uint64_t{1} << begin) - 1);
}

class BlockBuilder {
 public:
  BlockBuilder(const Pattern& pattern, Index tileRow) : m_pattern(pattern), m_first(tileRow * kTile) {
    m_rows = std::min(kTile, pattern.rows() - m_first);
  }

  BlockTiles build() {
    if (!m_pattern.cells(m_first / kTile, m_edges)) addRows();
    sweep();
    return std::move(m_block);
  }

 private:
  void addRows() {
    RunList runs;
    for (Index r = 0; r < m_rows; ++r) {
      m_pattern.row(m_first + r, runs);
      for (const Run& run : runs) addRun(static_cast<std::int32_t>(r), run);
    }
  }

  void addRun(std::int32_t row, const Run& run) {
    if (run.count() == 0) return;
    if (run.stride > 1) {
      for (Index j = run.begin; j < run.end; j += run.stride)
        addEdge(row, j / kTile, j % kTile, j % kTile + 1, run);
      return;
    }
    Index first = run.begin / kTile;
    const Index last = (run.end - 1) / kTile;
    if (run.multiplicity > 1 || first == last) {  // tile by tile: counts are kept per cell
      for (Index tile = first; tile <= last; ++tile)
        addEdge(row, tile, std::max(run.begin - tile * kTile, Index{0}),
                std::min(run.end - tile * kTile, kTile), run);
      return;
    }
    if (run.begin % kTile != 0) {
      addEdge(row, first, run.begin % kTile, kTile, run);
      ++first;
    }
    if (run.end % kTile != 0) addEdge(row, last, 0, run.end % kTile, run);
    const Index end = run.end % kTile != 0 ? last : last + 1;
    if (first < end) {
      m_events.push_back({static_cast<std::int32_t>(first), row});
      m_events.push_back({static_cast<std::int32_t>(end), row});
    }
  }

  void addEdge(std::int32_t row, Index tile, Index begin, Index end, const Run& run) {
    TileCells& edges = edgesOf(static_cast<std::int32_t>(tile));
    const std::uint64_t bits = bitsFrom(begin, end);
    edges.bits[static_cast<std::size_t>(row)] |= bits;
    const auto extra = static_cast<unsigned>(run.multiplicity - 1);
    if (extra == 0) return;
    edges.planes.resize(std::max(edges.planes.size(), static_cast<std::size_t>(std::bit_width(extra))));
    for (std::size_t p = 0; extra >> p != 0; ++p)
      if ((extra >> p & 1) != 0) edges.planes[p][static_cast<std::size_t>(row)] |= bits;
  }

  // Runs come row by row, so that the same few tiles are asked for again and again.
  TileCells& edgesOf(std::int32_t tile) {
    if (m_edgeOf.empty())
      m_edgeOf.assign(static_cast<std::size_t>((m_pattern.cols() + kTile - 1) / kTile), -1);
    std::int32_t& place = m_edgeOf[static_cast<std::size_t>(tile)];
    if (place < 0) {
      place = static_cast<std::int32_t>(m_edges.size());
      m_edges.emplace_back().tile = tile;
    }
    return m_edges[static_cast<std::size_t>(place)];
  }

  // Walks over the tiles from left to right. `covered` has a bit for every row whose whole tile is permitted.
  void sweep() {
    const auto byTile = [](const auto& a, const auto& b) { return a.tile < b.tile; };
    std::sort(m_events.begin(), m_events.end(), byTile);
    std::vector<std::int32_t> edges(m_edges.size());  // in the order of their tiles
    std::iota(edges.begin(), edges.end(), 0);
    std::sort(edges.begin(), edges.end(), [&](std::int32_t a, std::int32_t b) {
      return byTile(m_edges[static_cast<std::size_t>(a)], m_edges[static_cast<std::size_t>(b)]);
    });
    std::size_t event = 0;
    std::size_t edge = 0;
    std::uint64_t covered = 0;
    std::int32_t at = 0;
    while (event < m_events.size() || edge < edges.size()) {
      const TileCells* next = edge < edges.size() ? &m_edges[static_cast<std::size_t>(edges[edge])] : nullptr;
      const std::int32_t nextEvent = event < m_events.size() ? m_events[event].tile : INT32_MAX;
      const std::int32_t nextEdge = next != nullptr ? next->tile : INT32_MAX;
      const std::int32_t stop = std::min(nextEvent, nextEdge);
      if (covered != 0 && at < stop) emitCovered(at, stop, covered);
      at = stop;
      // A row has at most one run over a tile, so its bit is set by one event and cleared by the next.
      while (event < m_events.size() && m_events[event].tile == at)
        covered ^= std::uint64_t{1} << m_events[event++].row;
      if (nextEdge == at) {
        emitEdges(covered, *next);
        ++edge;
        ++at;
      }
    }
  }

  [[nodiscard]] bool isFull(const TileBits& bits) const {
    return std::all_of(bits.begin(), bits.begin() + m_rows,
                       [](std::uint64_t row) { return row == kAllCols; });
  }

  void emitCovered(std::int32_t begin, std::int32_t end, std::uint64_t covered) {
    TileMask mask;
    for (Index r = 0; r < m_rows; ++r)
      if ((covered >> r & 1) != 0) mask.bits[static_cast<std::size_t>(r)] = kAllCols;
    emit(begin, end, mask);
  }

  void emitEdges(std::uint64_t covered, const TileCells& edges) {
    TileMask mask;
    mask.bits = edges.bits;
    for (Index r = 0; r < m_rows; ++r)
      if ((covered >> r & 1) != 0) mask.bits[static_cast<std::size_t>(r)] = kAllCols;
    mask.planeCount = static_cast<std::int32_t>(edges.planes.size());
    mask.firstPlane = static_cast<std::int32_t>(m_block.planes.size());
    m_block.planes.insert(m_block.planes.end(), edges.planes.begin(), edges.planes.end());
    emit(edges.tile, edges.tile + 1, mask);
  }

  void emit(std::int32_t begin, std::int32_t end, const TileMask& mask) {
    TileRun run{begin, end, TileRun::kFull};
    Index cells = 0;
    for (const std::uint64_t row : mask.bits) cells += std::popcount(row);
    m_block.pairs += cells * (end - begin);
    m_block.tiles += end - begin;
    if (mask.planeCount > 0 || !isFull(mask.bits)) {
      run.mask = static_cast<std::int32_t>(m_block.masks.size());
      m_block.masks.push_back(mask);
      m_block.partialTiles += end - begin;
    } else if (!m_block.runs.empty() && m_block.runs.back().mask == TileRun::kFull &&
               m_block.runs.back().end == begin) {
      m_block.runs.back().end = end;
      return;
    }
    m_block.runs.push_back(run);
  }

  const Pattern& m_pattern;
  Index m_first = 0;
  Index m_rows = 0;
  std::vector<Event> m_events;
  std::vector<TileCells> m_edges;      // tiles of which some row's run covers only a part
  std::vector<std::int32_t> m_edgeOf;  // by tile: its place in m_edges, or -1
  BlockTiles m_block;
};

}  // namespace

// Joins the rows of tiles and stores equal masks once.
class TileMapBuilder {
 public:
  static void join(TileMap& map, std::vector<BlockTiles>& blocks) {
    std::unordered_map<std::uint64_t, std::vector<std::int32_t>> known;
    map.m_rowBegin.push_back(0);
    for (BlockTiles& block : blocks) {
      map.m_pairs += block.pairs;
      map.m_tiles += block.tiles;
      map.m_partialTiles += block.partialTiles;
      for (TileRun run : block.runs) {
        if (run.mask != TileRun::kFull) run.mask = intern(map, known, block, run.mask);
        map.m_runs.push_back(run);
      }
      map.m_rowBegin.push_back(static_cast<std::int64_t>(map.m_runs.size()));
      block = {};
    }
  }

  static void size(TileMap& map, Index rows, Index cols) {
    map.m_rows = rows;
    map.m_cols = cols;
  }

 private:
  static bool same(const TileMap& map, std::int32_t index, const BlockTiles& block, const TileMask& mask) {
    const TileMask& other = map.m_masks[static_cast<std::size_t>(index)];
    if (other.bits != mask.bits || other.planeCount != mask.planeCount) return false;
    for (std::int32_t p = 0; p < mask.planeCount; ++p)
      if (map.plane(other.firstPlane + p) != block.plane(mask.firstPlane + p)) return false;
    return true;
  }

  static std::int32_t intern(TileMap& map,
                             std::unordered_map<std::uint64_t, std::vector<std::int32_t>>& known,
                             const BlockTiles& block, std::int32_t index) {
    TileMask mask = block.masks[static_cast<std::size_t>(index)];
    Digest digest;
    digest.addBytes(mask.bits.data(), sizeof mask.bits);
    for (std::int32_t p = 0; p < mask.planeCount; ++p)
      digest.addBytes(block.plane(mask.firstPlane + p).data(), sizeof(TileBits));
    auto& candidates = known[digest.value()];
    for (const std::int32_t candidate : candidates)
      if (same(map, candidate, block, mask)) return candidate;
    const auto first = block.planes.begin() + mask.firstPlane;
    mask.firstPlane = static_cast<std::int32_t>(map.m_planes.size());
    map.m_planes.insert(map.m_planes.end(), first, first + mask.planeCount);
    const auto added = static_cast<std::int32_t>(map.m_masks.size());
    map.m_masks.push_back(mask);
    candidates.push_back(added);
    return added;
  }
};

std::span<const TileRun> TileMap::row(Index tileRow) const {
  const auto begin = static_cast<std::size_t>(m_rowBegin[static_cast<std::size_t>(tileRow)]);
  const auto end = static_cast<std::size_t>(m_rowBegin[static_cast<std::size_t>(tileRow) + 1]);
  return std::span(m_runs).subspan(begin, end - begin);
}

std::size_t TileMap::bytes() const {
  return m_rowBegin.size() * sizeof(std::int64_t) + m_runs.size() * sizeof(TileRun) +
         m_masks.size() * sizeof(TileMask) + m_planes.size() * sizeof(TileBits);
}

Result<std::shared_ptr<const TileMap>> TileMap::build(const Pattern& pattern, const JobContext& job) {
  auto map = std::make_shared<TileMap>();
  TileMapBuilder::size(*map, pattern.rows(), pattern.cols());
  std::vector<BlockTiles> blocks(static_cast<std::size_t>(map->tileRows()));
  std::atomic<bool> stopped{false};
  tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t b) {
    if (stopped.load(std::memory_order_relaxed)) return;
    if (job.isCancelled()) {
      stopped = true;
      return;
    }
    blocks[b] = BlockBuilder(pattern, static_cast<Index>(b)).build();
  });
  if (stopped) return cancelled();
  TileMapBuilder::join(*map, blocks);
  return std::shared_ptr<const TileMap>(std::move(map));
}

int cellMultiplicity(const TileMap& map, const TileMask& mask, Index row, Index col) {
  int multiplicity = 1;
  for (std::int32_t p = 0; p < mask.planeCount; ++p)
    if ((map.plane(mask.firstPlane + p)[static_cast<std::size_t>(row)] >> col & 1) != 0)
      multiplicity += 1 << p;
  return multiplicity;
}

}  // namespace attnscope
