// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attend.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/simd/tile_math.h"
#include "kernels/cpu/key_tiles.h"
#include "kernels/cpu/tile_extents.h"
#include "kernels/cpu/upcoming_rows.h"
#include "kernels/shared/run_checks.h"
#include "kernels/shared/score_terms.h"

namespace attnscope {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr Index kPackedFloats = Index{1} << 26;  // heads are packed in groups of at most this many floats
constexpr Index kTilesBetweenChecks = 64;

Index keyCount(const HeadAttend& head) {
  return head.pattern->cols();
}
Index queryCount(const HeadAttend& head) {
  return head.pattern->rows();
}

// Of two sizes; NaN if one is NaN.
float larger(float a, float b) {
  return a >= b || a != a ? a : b;
}

// log2 of a multiplicity, of which a byte holds the largest.
float logOfCount(int count) {
  static const auto logs = [] {
    std::array<float, 257> table{};
    for (std::size_t c = 1; c < table.size(); ++c) table[c] = std::log2(static_cast<float>(c));
    return table;
  }();
  return logs[static_cast<std::size_t>(count)];
}

// Where the rows of one head go.
struct RowOutputs {
  float* out;
  float* out2;
  float* lse;
};

// Memory of one thread.
struct RowScratch {
  KeyTiles::Scratch tile;
  UpcomingRows upcoming;
  PlacedFloats queries{512};
  PlacedFloats logits{2560};
  PlacedFloats accumulated{3584};
  // Of queries and keys, over all that this thread did.
  float largestQuery = 0.0F;
  float largestKey = 0.0F;
};

// One row of tiles of one head.
class RowOfTiles {
 public:
  RowOfTiles(const AttendStep& step, Index headIndex, const TileMap& map, const KeyTiles& keys,
             const BufferTable& buffers, RowScratch& scratch)
      : m_step(step),
        m_head(step.heads[static_cast<std::size_t>(headIndex)]),
        m_map(map),
        m_keys(keys),
        m_scratch(scratch),
        m_d(step.q == kNoBuffer ? 0 : buffers.cols(step.q)),
        m_dV(buffers.cols(step.v)),
        m_dV2(step.v2 == kNoBuffer ? 0 : buffers.cols(step.v2)),
        m_width(keys.width()),
        m_zeroLogits(buffers.options().zeroLogits) {
    if (m_zeroLogits) return;
    for (const ScoreTerm& term : step.terms)
      m_terms.push_back(bindTerm(term, headIndex, [&](BufferId id) {
        return TermRows{buffers.head(id, headIndex), buffers.cols(id)};
      }));
  }

  // False if the job was cancelled.
  bool run(Index tileRow, const float* queries, const RowOutputs& out, const JobContext& job) {
    start(tileRow, queries, out);
    Index untilCheck = kTilesBetweenChecks;
    const auto runs = m_map.row(tileRow);
    if (runs.empty()) announceRow(tileRow + 1, queries);
    for (std::size_t r = 0; r < runs.size(); ++r) {
      const TileRun& run = runs[r];
      for (Index tile = run.begin; tile < run.end; ++tile) {
        if (tile + 1 < run.end)
          m_keys.announce(tile + 1, m_scratch.tile, m_scratch.upcoming);
        else if (r + 1 < runs.size())
          m_keys.announce(runs[r + 1].begin, m_scratch.tile, m_scratch.upcoming);
        else
          announceRow(tileRow + 1, queries);
        attendTile(tileRow, tile, run.mask);
        if (--untilCheck == 0) {
          if (job.isCancelled()) return false;
          untilCheck = kTilesBetweenChecks;
        }
      }
    }
    finish(tileRow, out);
    return true;
  }

 private:
  [[nodiscard]] Index queryRow(Index position) const {
    return m_head.queryOrder ? (*m_head.queryOrder)[static_cast<std::size_t>(position)] : position;
  }
  [[nodiscard]] Index keyRow(Index position) const {
    return m_head.keyOrder ? (*m_head.keyOrder)[static_cast<std::size_t>(position)] : position;
  }

  [[nodiscard]] Index outputRow(Index tileRow, Index r) const {
    return m_step.rowsByPosition ? tileRow * kTile + r : queryRow(tileRow * kTile + r);
  }

  // Queries are scaled so that logits come out in units of log2.
  void start(Index tileRow, const float* queries, const RowOutputs& out) {
    m_rows = rowsOf(tileRow);
    m_scratch.upcoming.clear();
    m_scratch.queries.reserve(static_cast<std::size_t>(kTile * m_d));
    m_scratch.logits.reserve(static_cast<std::size_t>(kTile * kTile));
    m_scratch.accumulated.reserve(static_cast<std::size_t>(kTile * m_width));
    const Index first = tileRow * kTile;
    const bool ordered = m_head.queryOrder != nullptr;
    m_scratch.largestQuery =
        larger(m_scratch.largestQuery,
               tile_math::scaleRows(ordered ? queries : queries + first * m_d, m_d,
                                    ordered ? m_head.queryOrder->data() + first : nullptr, m_rows, m_d,
                                    static_cast<float>(m_step.scale * std::numbers::log2e),
                                    m_scratch.queries.data()));
    m_maximum.fill(kMinusInfinity);
    m_sum.fill(0.0F);
    m_empty = true;
    announceOutputs(tileRow, out);
  }

  [[nodiscard]] Index rowsOf(Index tileRow) const {
    return std::min(kTile, queryCount(m_head) - tileRow * kTile);
  }
  [[nodiscard]] const std::int32_t* queryOrder(Index tileRow) const {
    return m_head.queryOrder ? m_head.queryOrder->data() + tileRow * kTile : nullptr;
  }

  // The rows that finish() will write.
  void announceOutputs(Index tileRow, const RowOutputs& out) const {
    const std::int32_t* order = m_step.rowsByPosition ? nullptr : queryOrder(tileRow);
    m_scratch.upcoming.add(out.out, m_dV, order, tileRow * kTile, m_rows);
    m_scratch.upcoming.add(out.out2, m_dV2, order, tileRow * kTile, m_rows);
  }

  // The queries of another row of tiles and its first tile.
  void announceRow(Index tileRow, const float* queries) const {
    if (tileRow >= m_map.tileRows()) return;
    m_scratch.upcoming.add(queries, m_d, queryOrder(tileRow), tileRow * kTile, rowsOf(tileRow));
    if (const auto runs = m_map.row(tileRow); !runs.empty())
      m_keys.announce(runs.front().begin, m_scratch.tile, m_scratch.upcoming);
  }

  void attendTile(Index tileRow, Index tile, std::int32_t mask) {
    const KeyTiles::Tile keys = m_keys.tile(tile, m_scratch.tile);
    m_scratch.largestKey = larger(m_scratch.largestKey, keys.largest);
    if (mask == TileRun::kFull) {
      makeLogits(tileRow, tile, keys, nullptr);
      addValues(keys, nullptr);
    } else {
      const TileMask& cells = m_map.mask(mask);
      const TileExtents extents(cells.bits, m_rows);
      makeLogits(tileRow, tile, keys, &extents);
      applyTileMask(cells, extents);
      addValues(keys, &extents);
    }
    m_empty = false;
  }

  // With extents, only the logits inside them, or all where terms are added to whole rows.
  void makeLogits(Index tileRow, Index tile, const KeyTiles::Tile& keys, const TileExtents* extents) {
    float* logits = m_scratch.logits.data();
    const float* queries = m_scratch.queries.data();
    if (m_zeroLogits || m_d == 0)
      std::fill_n(logits, kTile * kTile, 0.0F);
    else if (extents == nullptr || !m_terms.empty())
      tile_math::gemm(queries, m_d, keys.keys, kTile, logits, kTile, m_rows, kTile, m_d, false,
                      m_scratch.upcoming.get());
    else
      extents->forEachColumns([&](const TileExtents::Part& part) {
        tile_math::gemm(queries + part.row * m_d, m_d, keys.keys + part.begin, kTile,
                        logits + part.row * kTile + part.begin, kTile, part.rows, part.end - part.begin, m_d,
                        false, m_scratch.upcoming.get());
      });
    if (!m_terms.empty()) addTerms(tileRow, tile);
    if (m_step.selfPenalty > 0.0 && !m_zeroLogits) penaliseSelf(tileRow, tile);
  }

  // Weights and what they weigh. Rows have no maximum before their first tile, so nothing is rescaled there
  // that was not yet written.
  void addValues(const KeyTiles::Tile& keys, const TileExtents* extents) {
    float* weights = m_scratch.logits.data();
    float* accumulated = m_scratch.accumulated.data();
    tile_math::softmaxStep(weights, m_rows, extents == nullptr ? nullptr : extents->columns(),
                           m_maximum.data(), m_sum.data(), accumulated, m_width);
    if (extents == nullptr) return weigh(keys, {0, m_rows, 0, static_cast<Index>(keys.count)});
    extents->forEachKeys([&](const TileExtents::Part& part) {
      if (part.begin < part.end || m_empty) weigh(keys, part);  // a product of no keys is 0
    });
  }

  // Values of some keys times the weights of some rows, onto what was accumulated.
  void weigh(const KeyTiles::Tile& keys, const TileExtents::Part& part) {
    const float* weights = m_scratch.logits.data() + part.row * kTile + part.begin;
    float* accumulated = m_scratch.accumulated.data() + part.row * m_width;
    const auto multiply = [&](const float* values, Index stride, float* target, Index width) {
      tile_math::gemm(weights, kTile, values + part.begin * stride, stride, target, m_width, part.rows, width,
                      part.end - part.begin, !m_empty, m_scratch.upcoming.get());
    };
    if (keys.values2 == nullptr) return multiply(keys.values, keys.stride, accumulated, m_width);
    multiply(keys.values, keys.stride, accumulated, m_dV);
    multiply(keys.values2, m_dV2, accumulated + m_dV, m_dV2);
  }

  void addTerms(Index tileRow, Index tile) {
    const Index keys = std::min(kTile, keyCount(m_head) - tile * kTile);
    for (Index t = 0; t < keys; ++t) m_keyRows[static_cast<std::size_t>(t)] = keyRow(tile * kTile + t);
    for (const BoundTerm& term : m_terms)
      for (Index r = 0; r < m_rows; ++r)
        term.add(queryRow(tileRow * kTile + r), {m_keyRows.data(), static_cast<std::size_t>(keys)},
                 std::numbers::log2e_v<float>, m_scratch.logits.data() + r * kTile);
  }

  void penaliseSelf(Index tileRow, Index tile) {
    const auto penalty = static_cast<float>(m_step.selfPenalty * std::numbers::log2e);
    const Index keys = std::min(kTile, keyCount(m_head) - tile * kTile);
    for (Index r = 0; r < m_rows; ++r) {
      const Index query = queryRow(tileRow * kTile + r);
      for (Index t = 0; t < keys; ++t)
        if (keyRow(tile * kTile + t) == query) m_scratch.logits.data()[r * kTile + t] -= penalty;
    }
  }

  void applyTileMask(const TileMask& mask, const TileExtents& extents) {
    tile_math::applyMask(m_scratch.logits.data(), m_rows, mask.bits.data(), extents.columns());
    if (mask.planeCount == 0) return;
    if (mask.planeCount == 1) {  // two rounds at most
      tile_math::subtractWhere(m_scratch.logits.data(), m_rows, m_map.plane(mask.firstPlane).data(),
                               extents.columns(), 1.0F);
      return;
    }
    for (Index r = 0; r < m_rows; ++r) {
      std::uint64_t counted = 0;
      for (std::int32_t p = 0; p < mask.planeCount; ++p)
        counted |= m_map.plane(mask.firstPlane + p)[static_cast<std::size_t>(r)];
      while (counted != 0) {
        const int t = __builtin_ctzll(counted);
        counted &= counted - 1;
        m_scratch.logits.data()[r * kTile + t] -= logOfCount(cellMultiplicity(m_map, mask, r, t));
      }
    }
  }

  void finish(Index tileRow, const RowOutputs& out) {
    if (m_empty) std::fill_n(m_scratch.accumulated.data(), kTile * m_width, 0.0F);
    std::array<float, kTile> lse{};
    tile_math::logSums(m_maximum.data(), m_sum.data(), m_rows, lse.data());
    std::array<float, kTile> factors{};
    std::array<float*, kTile> rows{};
    std::array<float*, kTile> rows2{};
    for (Index r = 0; r < m_rows; ++r) {
      const auto at = static_cast<std::size_t>(r);
      const Index row = outputRow(tileRow, r);
      factors[at] = m_sum[at] > 0.0F ? 1.0F / m_sum[at] : 0.0F;  // nothing read: a row of 0
      rows[at] = out.out + row * m_dV;
      rows2[at] = out.out2 + row * m_dV2;
      out.lse[row] = lse[at];
    }
    const float* from = m_scratch.accumulated.data();
    tile_math::writeRows(from, m_width, factors.data(), m_rows, m_dV, rows.data());
    if (m_dV2 > 0) tile_math::writeRows(from + m_dV, m_width, factors.data(), m_rows, m_dV2, rows2.data());
  }

  const AttendStep& m_step;
  const HeadAttend& m_head;
  const TileMap& m_map;
  const KeyTiles& m_keys;
  RowScratch& m_scratch;
  Index m_d;
  Index m_dV;
  Index m_dV2;
  Index m_width;
  bool m_zeroLogits;
  bool m_empty = true;  // no tile was read yet
  std::vector<BoundTerm> m_terms;
  std::array<Index, kTile> m_keyRows{};
  Index m_rows = 0;
  std::array<float, kTile> m_maximum{};
  std::array<float, kTile> m_sum{};
};

// Floats that are packed beforehand for one head.
Index headFloats(const FrozenPlan& plan, std::size_t stepIndex, Index head) {
  const auto& step = std::get<AttendStep>(plan.plan().steps[stepIndex]);
  const TileMap& map = plan.tiles(stepIndex, head);
  if (!KeyTiles::worthAhead(map)) return 0;
  const auto cols = [&](BufferId id) {
    return id == kNoBuffer ? Index{0} : plan.plan().buffers[static_cast<std::size_t>(id)].cols;
  };
  const bool ordered = step.heads[static_cast<std::size_t>(head)].keyOrder != nullptr;
  const Index values = KeyTiles::valuesStand(ordered, cols(step.v), cols(step.v2))
                           ? 0
                           : KeyTiles::paddedWidth(cols(step.v) + cols(step.v2));
  return map.tileCols() * kTile * (cols(step.q) + values);
}

// The heads [begin, end) of one step that are packed and attended together.
struct HeadGroup {
  Index begin;
  Index end;
};

std::vector<HeadGroup> groupHeads(const FrozenPlan& plan, std::size_t stepIndex) {
  std::vector<HeadGroup> groups;
  const auto heads = static_cast<Index>(std::get<AttendStep>(plan.plan().steps[stepIndex]).heads.size());
  for (Index begin = 0; begin < heads;) {
    Index end = begin;
    Index floats = 0;
    while (end < heads) {
      floats += headFloats(plan, stepIndex, end);
      if (end > begin && floats > kPackedFloats) break;
      ++end;
    }
    groups.push_back({begin, end});
    begin = end;
  }
  return groups;
}

class AttendRunner {
 public:
  AttendRunner(const FrozenPlan& plan, std::size_t stepIndex, BufferTable& buffers, const JobContext& job)
      : m_plan(plan),
        m_index(stepIndex),
        m_step(std::get<AttendStep>(plan.plan().steps[stepIndex])),
        m_buffers(buffers),
        m_job(job),
        m_d(m_step.q == kNoBuffer ? 0 : buffers.cols(m_step.q)) {}

  Status run() {
    clearOutputs();
    for (const HeadGroup& group : groupHeads(m_plan, m_index)) {
      attend(group, packGroup(group));
      if (m_stopped) return cancelled();
    }
    if (m_step.q == kNoBuffer) return {};
    // Sizes are found while rows are packed: looking through the input beforehand would read it once more.
    return checkProductRange(m_step, m_d, m_largestQuery, m_largestKey, m_plan.plan().mechanism);
  }

 private:
  // Rows that no position of the step stands for read nothing.
  void clearOutputs() {
    auto out = m_buffers.create(m_step.out).mutableValues<float>();
    auto lse = m_buffers.create(m_step.lse).mutableValues<float>();
    if (m_step.out2 != kNoBuffer) m_buffers.create(m_step.out2);
    const bool allRows = std::all_of(m_step.heads.begin(), m_step.heads.end(), [&](const HeadAttend& head) {
      return queryCount(head) == m_buffers.rows(m_step.out);
    });
    if (allRows) return;
    std::fill(out.begin(), out.end(), 0.0F);
    std::fill(lse.begin(), lse.end(), kMinusInfinity);
    if (m_step.out2 == kNoBuffer) return;
    auto out2 = m_buffers.tensor(m_step.out2).mutableValues<float>();
    std::fill(out2.begin(), out2.end(), 0.0F);
  }

  std::vector<KeyTiles> packGroup(const HeadGroup& group) {
    std::vector<KeyTiles> packed;
    for (Index h = group.begin; h < group.end; ++h) {
      const HeadAttend& head = m_step.heads[static_cast<std::size_t>(h)];
      const bool second = m_step.v2 != kNoBuffer;
      const bool ahead = KeyTiles::worthAhead(m_plan.tiles(m_index, h));
      packed.emplace_back(
          KeyTiles::Source{m_step.k == kNoBuffer ? nullptr : m_buffers.head(m_step.k, h), m_d,
                           m_buffers.head(m_step.v, h), m_buffers.cols(m_step.v),
                           second ? m_buffers.head(m_step.v2, h) : nullptr,
                           second ? m_buffers.cols(m_step.v2) : 0, head.keyOrder, keyCount(head)},
          ahead);
      if (ahead) makeAhead(packed.back());
    }
    return packed;
  }

  void makeAhead(KeyTiles& tiles) {
    const float largest = tbb::parallel_reduce(
        tbb::blocked_range<Index>(0, tiles.tiles()), 0.0F,
        [&](const tbb::blocked_range<Index>& range, float size) {
          for (Index tile = range.begin(); tile < range.end(); ++tile) size = larger(size, tiles.make(tile));
          return size;
        },
        larger);
    m_largestKey = larger(m_largestKey, largest);
  }

  void attend(const HeadGroup& group, const std::vector<KeyTiles>& packed) {
    struct Task {
      Index head;
      Index tileRow;
    };
    std::vector<Task> tasks;
    for (Index h = group.begin; h < group.end; ++h)
      for (Index row = 0; row < m_plan.tiles(m_index, h).tileRows(); ++row) tasks.push_back({h, row});
    Tensor& out = m_buffers.tensor(m_step.out);
    Tensor& lse = m_buffers.tensor(m_step.lse);
    tbb::enumerable_thread_specific<RowScratch> scratch;
    tbb::parallel_for(std::size_t{0}, tasks.size(), [&](std::size_t t) {
      if (m_stopped.load(std::memory_order_relaxed)) return;
      const auto [h, tileRow] = tasks[t];
      const TileMap& map = m_plan.tiles(m_index, h);
      RowOfTiles row(m_step, h, map, packed[static_cast<std::size_t>(h - group.begin)], m_buffers,
                     scratch.local());
      Index tiles = 0;
      for (const TileRun& run : map.row(tileRow)) tiles += run.end - run.begin;
      const RowOutputs outputs{
          out.mutableSlice<float>(h).data(),
          m_step.out2 == kNoBuffer ? nullptr : m_buffers.tensor(m_step.out2).mutableSlice<float>(h).data(),
          lse.mutableSlice<float>(h).data()};
      const float* queries = m_step.q == kNoBuffer ? nullptr : m_buffers.head(m_step.q, h);
      if (!row.run(tileRow, queries, outputs, m_job) || !m_job.advance(static_cast<double>(tiles)))
        m_stopped = true;
    });
    for (const RowScratch& used : scratch) {
      m_largestQuery = larger(m_largestQuery, used.largestQuery);
      m_largestKey = larger(m_largestKey, used.largestKey);
    }
  }

  const FrozenPlan& m_plan;
  std::size_t m_index;
  const AttendStep& m_step;
  BufferTable& m_buffers;
  const JobContext& m_job;
  Index m_d;
  float m_largestQuery = 0.0F;
  float m_largestKey = 0.0F;
  std::atomic<bool> m_stopped{false};
};

}  // namespace

Status attendOnCpu(const FrozenPlan& plan, std::size_t stepIndex, BufferTable& buffers,
                   const JobContext& job) {
  return AttendRunner(plan, stepIndex, buffers, job).run();
}

double attendScratchBytes(const FrozenPlan& plan, std::size_t stepIndex) {
  Index largest = 0;
  for (const HeadGroup& group : groupHeads(plan, stepIndex)) {
    Index floats = 0;
    for (Index h = group.begin; h < group.end; ++h) floats += headFloats(plan, stepIndex, h);
    largest = std::max(largest, floats);
  }
  return 4.0 * static_cast<double>(largest);
}

}  // namespace attnscope
