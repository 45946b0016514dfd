// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/attend.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

#include "kernels/cpu/tile_math.h"
#include "kernels/shared/run_checks.h"
#include "kernels/shared/score_terms.h"

namespace attnscope {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr Index kPackedFloats = Index{1} << 26;  // heads are packed in groups of at most this many floats
constexpr Index kTilesBetweenChecks = 64;

Index padded(Index width) {
  return (width + 15) / 16 * 16;
}

Index keyCount(const HeadAttend& head) {
  return head.pattern->cols();
}
Index queryCount(const HeadAttend& head) {
  return head.pattern->rows();
}

// Keys and values of one head in the order of the step: keys transposed tile by tile, (d, 64) each, values as
// rows.
struct PackedHead {
  std::vector<float> keys;
  std::vector<float> values;
};

// Values of one head: a second buffer's columns stand behind the first's.
struct HeadValues {
  const float* first;
  Index firstCols;
  const float* second;  // or null
  Index secondCols;

  [[nodiscard]] Index cols() const { return firstCols + secondCols; }
};

void packTile(const float* keys, const HeadValues& values, const HeadAttend& head, Index tile, Index d,
              PackedHead& packed) {
  const Index width = padded(values.cols());
  float* keyPanel = packed.keys.data() + tile * kTile * d;
  float* valueRows = packed.values.data() + tile * kTile * width;
  for (Index t = 0; t < kTile; ++t) {
    const Index position = tile * kTile + t;
    if (position >= keyCount(head)) {
      for (Index c = 0; c < d; ++c) keyPanel[c * kTile + t] = 0.0F;
      std::fill_n(valueRows + t * width, width, 0.0F);
      continue;
    }
    const Index row = head.keyOrder ? (*head.keyOrder)[static_cast<std::size_t>(position)] : position;
    const float* key = keys + row * d;
    for (Index c = 0; c < d; ++c) keyPanel[c * kTile + t] = key[c];
    float* target = valueRows + t * width;
    std::copy_n(values.first + row * values.firstCols, values.firstCols, target);
    if (values.second != nullptr)
      std::copy_n(values.second + row * values.secondCols, values.secondCols, target + values.firstCols);
    std::fill(target + values.cols(), target + width, 0.0F);
  }
}

// Where the rows of one head go.
struct RowOutputs {
  float* out;
  float* out2;
  float* lse;
};

// One row of tiles of one head.
class RowOfTiles {
 public:
  RowOfTiles(const AttendStep& step, Index headIndex, const TileMap& map, const PackedHead& packed,
             const BufferTable& buffers)
      : m_step(step),
        m_head(step.heads[static_cast<std::size_t>(headIndex)]),
        m_map(map),
        m_packed(packed),
        m_d(step.q == kNoBuffer ? 0 : buffers.cols(step.q)),
        m_dV(buffers.cols(step.v)),
        m_dV2(step.v2 == kNoBuffer ? 0 : buffers.cols(step.v2)),
        m_width(padded(m_dV + m_dV2)),
        m_zeroLogits(buffers.options().zeroLogits) {
    if (m_zeroLogits) return;
    for (const ScoreTerm& term : step.terms)
      m_terms.push_back(bindTerm(term, headIndex, [&](BufferId id) {
        return TermRows{buffers.head(id, headIndex), buffers.cols(id)};
      }));
  }

  // False if the job was cancelled.
  bool run(Index tileRow, const float* queries, const RowOutputs& out, const JobContext& job) {
    start(tileRow, queries);
    Index untilCheck = kTilesBetweenChecks;
    for (const TileRun& run : m_map.row(tileRow)) {
      for (Index tile = run.begin; tile < run.end; ++tile) {
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

  // Queries are scaled so that logits come out in units of log2.
  void start(Index tileRow, const float* queries) {
    m_rows = std::min(kTile, queryCount(m_head) - tileRow * kTile);
    m_queries.resize(static_cast<std::size_t>(kTile * m_d));
    const auto scale = static_cast<float>(m_step.scale * std::numbers::log2e);
    for (Index r = 0; r < m_rows; ++r) {
      const float* from = queries + queryRow(tileRow * kTile + r) * m_d;
      float* to = m_queries.data() + r * m_d;
      for (Index c = 0; c < m_d; ++c) to[c] = from[c] * scale;
    }
    m_maximum.fill(kMinusInfinity);
    m_sum.fill(0.0F);
    m_accumulated.assign(static_cast<std::size_t>(kTile * m_width), 0.0F);
    m_logits.resize(static_cast<std::size_t>(kTile * kTile));
  }

  void attendTile(Index tileRow, Index tile, std::int32_t mask) {
    if (m_zeroLogits)
      std::fill(m_logits.begin(), m_logits.end(), 0.0F);
    else
      tile_math::gemm(m_queries.data(), m_d, m_packed.keys.data() + tile * kTile * m_d, kTile,
                      m_logits.data(), kTile, m_rows, kTile, m_d, false);
    if (!m_terms.empty()) addTerms(tileRow, tile);
    if (m_step.selfPenalty > 0.0 && !m_zeroLogits) penaliseSelf(tileRow, tile);
    if (mask != TileRun::kFull) applyTileMask(m_map.mask(mask));
    tile_math::softmaxStep(m_logits.data(), m_rows, m_maximum.data(), m_sum.data(), m_accumulated.data(),
                           m_width);
    tile_math::gemm(m_logits.data(), kTile, m_packed.values.data() + tile * kTile * m_width, m_width,
                    m_accumulated.data(), m_width, m_rows, m_width, kTile, true);
  }

  void addTerms(Index tileRow, Index tile) {
    const Index keys = std::min(kTile, keyCount(m_head) - tile * kTile);
    for (Index t = 0; t < keys; ++t) m_keyRows[static_cast<std::size_t>(t)] = keyRow(tile * kTile + t);
    for (const BoundTerm& term : m_terms)
      for (Index r = 0; r < m_rows; ++r)
        term.add(queryRow(tileRow * kTile + r), {m_keyRows.data(), static_cast<std::size_t>(keys)},
                 std::numbers::log2e_v<float>, m_logits.data() + r * kTile);
  }

  void penaliseSelf(Index tileRow, Index tile) {
    const auto penalty = static_cast<float>(m_step.selfPenalty * std::numbers::log2e);
    const Index keys = std::min(kTile, keyCount(m_head) - tile * kTile);
    for (Index r = 0; r < m_rows; ++r) {
      const Index query = queryRow(tileRow * kTile + r);
      for (Index t = 0; t < keys; ++t)
        if (keyRow(tile * kTile + t) == query) m_logits[static_cast<std::size_t>(r * kTile + t)] -= penalty;
    }
  }

  void applyTileMask(const TileMask& mask) {
    tile_math::applyMask(m_logits.data(), m_rows, mask.bits.data());
    if (mask.planeCount == 0) return;
    for (Index r = 0; r < m_rows; ++r) {
      std::uint64_t counted = 0;
      for (std::int32_t p = 0; p < mask.planeCount; ++p)
        counted |= m_map.plane(mask.firstPlane + p)[static_cast<std::size_t>(r)];
      while (counted != 0) {
        const int t = __builtin_ctzll(counted);
        counted &= counted - 1;
        m_logits[static_cast<std::size_t>(r * kTile + t)] -=
            std::log2(static_cast<float>(cellMultiplicity(m_map, mask, r, t)));
      }
    }
  }

  void finish(Index tileRow, const RowOutputs& out) const {
    for (Index r = 0; r < m_rows; ++r) {
      const Index row = m_step.rowsByPosition ? tileRow * kTile + r : queryRow(tileRow * kTile + r);
      const float sum = m_sum[static_cast<std::size_t>(r)];
      const float factor = sum > 0.0F ? 1.0F / sum : 0.0F;  // nothing read: a row of 0
      const float* from = m_accumulated.data() + r * m_width;
      for (Index c = 0; c < m_dV; ++c) out.out[row * m_dV + c] = from[c] * factor;
      for (Index c = 0; c < m_dV2; ++c) out.out2[row * m_dV2 + c] = from[m_dV + c] * factor;
      const double logSum =
          sum > 0.0F ? m_maximum[static_cast<std::size_t>(r)] + std::log2(static_cast<double>(sum)) : 0.0;
      out.lse[row] = sum > 0.0F ? static_cast<float>(logSum * std::numbers::ln2) : kMinusInfinity;
    }
  }

  const AttendStep& m_step;
  const HeadAttend& m_head;
  const TileMap& m_map;
  const PackedHead& m_packed;
  Index m_d;
  Index m_dV;
  Index m_dV2;
  Index m_width;
  bool m_zeroLogits;
  std::vector<BoundTerm> m_terms;
  std::array<Index, kTile> m_keyRows{};
  Index m_rows = 0;
  std::vector<float> m_queries;
  std::vector<float> m_logits;
  std::vector<float> m_accumulated;
  std::array<float, kTile> m_maximum{};
  std::array<float, kTile> m_sum{};
};

// Columns of all values that a step reads.
Index valueCols(const Plan& plan, const AttendStep& step) {
  const auto cols = [&](BufferId id) {
    return id == kNoBuffer ? Index{0} : plan.buffers[static_cast<std::size_t>(id)].cols;
  };
  return cols(step.v) + cols(step.v2);
}

Index headFloats(const HeadAttend& head, Index d, Index dV) {
  return (keyCount(head) + kTile - 1) / kTile * kTile * (d + padded(dV));
}

// The heads [begin, end) of one step that are packed and attended together.
struct HeadGroup {
  Index begin;
  Index end;
};

std::vector<HeadGroup> groupHeads(const AttendStep& step, Index d, Index dV) {
  std::vector<HeadGroup> groups;
  const auto heads = static_cast<Index>(step.heads.size());
  for (Index begin = 0; begin < heads;) {
    Index end = begin;
    Index floats = 0;
    while (end < heads) {
      floats += headFloats(step.heads[static_cast<std::size_t>(end)], d, dV);
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
        m_d(m_step.q == kNoBuffer ? 0 : buffers.cols(m_step.q)),
        m_dV(valueCols(plan.plan(), m_step)) {}

  Status run() {
    ATTN_TRY(checkRange());
    clearOutputs();
    for (const HeadGroup& group : groupHeads(m_step, m_d, m_dV)) {
      std::vector<PackedHead> packed = pack(group);
      attend(group, packed);
      if (m_stopped) return cancelled();
    }
    return {};
  }

 private:
  [[nodiscard]] Status checkRange() {
    if (m_step.q == kNoBuffer) return {};
    return checkProductRange(m_step, m_d, m_buffers.largestSize(m_step.q), m_buffers.largestSize(m_step.k),
                             m_plan.plan().mechanism);
  }

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

  std::vector<PackedHead> pack(const HeadGroup& group) {
    std::vector<PackedHead> packed(static_cast<std::size_t>(group.end - group.begin));
    for (Index h = group.begin; h < group.end; ++h) {
      const HeadAttend& head = m_step.heads[static_cast<std::size_t>(h)];
      PackedHead& target = packed[static_cast<std::size_t>(h - group.begin)];
      const Index tiles = (keyCount(head) + kTile - 1) / kTile;
      target.keys.resize(static_cast<std::size_t>(tiles * kTile * m_d));
      target.values.resize(static_cast<std::size_t>(tiles * kTile * padded(m_dV)));
      const float* keys = m_step.k == kNoBuffer ? nullptr : m_buffers.head(m_step.k, h);
      const bool second = m_step.v2 != kNoBuffer;
      const HeadValues values{m_buffers.head(m_step.v, h), m_buffers.cols(m_step.v),
                              second ? m_buffers.head(m_step.v2, h) : nullptr,
                              second ? m_buffers.cols(m_step.v2) : 0};
      tbb::parallel_for(Index{0}, tiles,
                        [&](Index tile) { packTile(keys, values, head, tile, m_d, target); });
    }
    return packed;
  }

  void attend(const HeadGroup& group, const std::vector<PackedHead>& packed) {
    struct Task {
      Index head;
      Index tileRow;
    };
    std::vector<Task> tasks;
    for (Index h = group.begin; h < group.end; ++h)
      for (Index row = 0; row < m_plan.tiles(m_index, h).tileRows(); ++row) tasks.push_back({h, row});
    Tensor& out = m_buffers.tensor(m_step.out);
    Tensor& lse = m_buffers.tensor(m_step.lse);
    tbb::parallel_for(std::size_t{0}, tasks.size(), [&](std::size_t t) {
      if (m_stopped.load(std::memory_order_relaxed)) return;
      const auto [h, tileRow] = tasks[t];
      const TileMap& map = m_plan.tiles(m_index, h);
      RowOfTiles row(m_step, h, map, packed[static_cast<std::size_t>(h - group.begin)], m_buffers);
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
  }

  const FrozenPlan& m_plan;
  std::size_t m_index;
  const AttendStep& m_step;
  BufferTable& m_buffers;
  const JobContext& m_job;
  Index m_d;
  Index m_dV;
  std::atomic<bool> m_stopped{false};
};

}  // namespace

Status attendOnCpu(const FrozenPlan& plan, std::size_t stepIndex, BufferTable& buffers,
                   const JobContext& job) {
  return AttendRunner(plan, stepIndex, buffers, job).run();
}

double attendScratchBytes(const FrozenPlan& plan, std::size_t stepIndex) {
  const auto& step = std::get<AttendStep>(plan.plan().steps[stepIndex]);
  const Index d = step.q == kNoBuffer ? 0 : plan.plan().buffers[static_cast<std::size_t>(step.q)].cols;
  const Index dV = valueCols(plan.plan(), step);
  Index largest = 0;
  for (const HeadGroup& group : groupHeads(step, d, dV)) {
    Index floats = 0;
    for (Index h = group.begin; h < group.end; ++h)
      floats += headFloats(step.heads[static_cast<std::size_t>(h)], d, dV);
    largest = std::max(largest, floats);
  }
  return 4.0 * static_cast<double>(largest);
}

}  // namespace attnscope
