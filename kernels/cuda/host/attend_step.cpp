// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <numbers>

#include "kernels/cuda/host/steps.h"
#include "kernels/shared/run_checks.h"

namespace attnscope::cuda {

namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// A tile map as arrays.
struct FlatTiles {
  std::vector<std::int64_t> rowBegin{0};
  std::vector<cuda::Run> runs;
  std::vector<std::uint64_t> masks;
  std::vector<std::int32_t> planes;
  std::vector<std::uint64_t> planeBits;
};

FlatTiles flatten(const TileMap& map) {
  FlatTiles flat;
  std::int32_t masks = 0;
  for (Index row = 0; row < map.tileRows(); ++row) {
    for (const TileRun& run : map.row(row)) {
      flat.runs.push_back({run.begin, run.end, run.mask});
      masks = std::max(masks, run.mask + 1);
    }
    flat.rowBegin.push_back(static_cast<std::int64_t>(flat.runs.size()));
  }
  std::int32_t planes = 0;
  for (std::int32_t m = 0; m < masks; ++m) {
    const TileMask& mask = map.mask(m);
    flat.masks.insert(flat.masks.end(), mask.bits.begin(), mask.bits.end());
    flat.planes.insert(flat.planes.end(), {mask.firstPlane, mask.planeCount});
    if (mask.planeCount > 0) planes = std::max(planes, mask.firstPlane + mask.planeCount);
  }
  for (std::int32_t p = 0; p < planes; ++p)
    flat.planeBits.insert(flat.planeBits.end(), map.plane(p).begin(), map.plane(p).end());
  return flat;
}

// One AttendStep.
class AttendLaunches {
 public:
  AttendLaunches(const AttendStep& step, std::size_t index, DeviceRun& run)
      : m_step(step), m_index(index), m_run(run) {}

  Status launch() {
    ATTN_TRY(checkRange());
    ATTN_TRY(makeOutputs());
    ATTN_TRY(describe());
    m_run.setExecuted(m_index, m_args);
    return launchPieces();
  }

 private:
  [[nodiscard]] const TileMap& tiles(Index head) const { return m_run.frozen().tiles(m_index, head); }

  Status checkRange() {
    if (m_step.q == kNoBuffer) return {};
    ATTN_ASSIGN(sizes, m_run.scratch<std::int32_t>(2));
    ATTN_TRY(m_run.fill(sizes, 2, 0));
    const BufferId buffers[2] = {m_step.q, m_step.k};
    for (int b = 0; b < 2; ++b) {
      const Index count = m_run.floats(buffers[b]);
      const Blocks blocks{std::min(1024U, blocksOf(count, kThreads)), 1, 1};
      ATTN_TRY(m_run.device().launch(LargestSizeArgs{m_run.data(buffers[b]), count, sizes + b}, blocks));
    }
    std::int32_t bits[2];
    ATTN_TRY(m_run.copyFrom(bits, sizes, sizeof(bits)));
    return checkProductRange(m_step, m_run.colCount(m_step.q), std::bit_cast<float>(bits[0]),
                             std::bit_cast<float>(bits[1]), m_run.plan().mechanism);
  }

  // Rows that no position of the step stands for read nothing.
  Status makeOutputs() {
    ATTN_ASSIGN(out, m_run.create(m_step.out));
    ATTN_ASSIGN(lse, m_run.create(m_step.lse));
    m_args.out = out;
    m_args.lse = lse;
    if (m_step.out2 != kNoBuffer) {
      ATTN_ASSIGN(out2, m_run.create(m_step.out2));
      m_args.out2 = out2;
    }
    bool all = true;
    for (Index h = 0; h < m_run.heads(); ++h) all = all && tiles(h).rows() == m_run.rowCount(m_step.out);
    if (all) return {};
    ATTN_TRY(m_run.fillFloats(out, m_run.floats(m_step.out), 0.0F));
    ATTN_TRY(m_run.fillFloats(lse, m_run.floats(m_step.lse), kMinusInfinity));
    if (m_step.out2 != kNoBuffer) ATTN_TRY(m_run.fillFloats(m_args.out2, m_run.floats(m_step.out2), 0.0F));
    return {};
  }

  Status describe() {
    if (m_step.q != kNoBuffer) {
      m_args.q = m_run.rows(m_step.q);
      m_args.k = m_run.rows(m_step.k);
      m_args.d = static_cast<std::int32_t>(m_run.colCount(m_step.q));
    }
    m_args.v = m_run.rows(m_step.v);
    if (m_step.v2 != kNoBuffer) m_args.v2 = m_run.rows(m_step.v2);
    m_args.outRows = m_run.rowCount(m_step.out);
    m_args.scale = static_cast<float>(m_step.scale * std::numbers::log2e);
    m_args.selfPenalty = static_cast<float>(m_step.selfPenalty * std::numbers::log2e);
    m_args.zeroLogits = m_run.options().zeroLogits ? 1 : 0;
    m_args.rowsByPosition = m_step.rowsByPosition ? 1 : 0;
    ATTN_TRY(describeHeads());
    return describeTerms();
  }

  Status describeHeads() {
    std::vector<HeadTiles> heads;
    for (Index h = 0; h < m_run.heads(); ++h) {
      const HeadAttend& head = m_step.heads[static_cast<std::size_t>(h)];
      ATTN_ASSIGN(described, describeTiles(tiles(h)));
      ATTN_ASSIGN(queryOrder, uploadOrder(head.queryOrder));
      ATTN_ASSIGN(keyOrder, uploadOrder(head.keyOrder));
      described.queryOrder = queryOrder;
      described.keyOrder = keyOrder;
      heads.push_back(described);
    }
    ATTN_ASSIGN(uploaded, m_run.keep<HeadTiles>(&m_step, 0, [&] { return heads; }));
    m_args.tiles = uploaded;
    return {};
  }

  // Heads with the same pattern share its tiles.
  Result<HeadTiles> describeTiles(const TileMap& map) {
    const auto known = m_tiles.find(&map);
    if (known != m_tiles.end()) return known->second;
    FlatTiles flat;
    ATTN_ASSIGN(rowBegin, m_run.keep<std::int64_t>(&map, 0, [&] {
      flat = flatten(map);
      return std::span<const std::int64_t>(flat.rowBegin);
    }));
    ATTN_ASSIGN(runs, m_run.keep<cuda::Run>(&map, 1, [&] { return std::span<const cuda::Run>(flat.runs); }));
    ATTN_ASSIGN(masks, m_run.keep<std::uint64_t>(&map, 2,
                                                 [&] { return std::span<const std::uint64_t>(flat.masks); }));
    ATTN_ASSIGN(planes, m_run.keep<std::int32_t>(&map, 3,
                                                 [&] { return std::span<const std::int32_t>(flat.planes); }));
    ATTN_ASSIGN(planeBits, m_run.keep<std::uint64_t>(
                               &map, 4, [&] { return std::span<const std::uint64_t>(flat.planeBits); }));
    const HeadTiles described{map.rows(), map.cols(), rowBegin, runs,   masks,
                              planes,     planeBits,  nullptr,  nullptr};
    m_tiles.emplace(&map, described);
    return described;
  }

  Result<const std::int32_t*> uploadOrder(const Order& order) {
    if (!order) return nullptr;
    const std::int32_t*& known = m_orders[order.get()];
    if (known == nullptr) {
      ATTN_ASSIGN(uploaded, m_run.keep(*order));
      known = uploaded;
    }
    return known;
  }

  Status describeTerms() {
    if (m_run.options().zeroLogits) return {};
    std::vector<Term> terms;
    for (const ScoreTerm& term : m_step.terms) {
      ATTN_ASSIGN(described, std::visit([this](const auto& t) { return describeTerm(t); }, term));
      terms.push_back(described);
    }
    ATTN_ASSIGN(uploaded, m_run.upload(terms));
    m_args.terms = uploaded;
    m_args.termCount = static_cast<std::int32_t>(terms.size());
    return {};
  }

  static float inLog2(double weight) { return std::numbers::log2e_v<float> * static_cast<float>(weight); }

  Result<Term> describeTerm(const TableTerm& term) {
    ATTN_ASSIGN(table, m_run.keepRows(term.logits));
    return Term{Term::Table, 0, inLog2(term.weight), table, {}, nullptr, nullptr};
  }
  Result<Term> describeTerm(const OuterTerm& term) {
    return Term{Term::Outer, 0,      inLog2(term.weight), m_run.rows(term.a), m_run.rows(term.b),
                nullptr,     nullptr};
  }
  Result<Term> describeTerm(const LabelTerm& term) {
    const bool linked = term.rule == LabelTerm::Rule::Linked;
    ATTN_ASSIGN(queryLink, uploadOrder(term.queryLink));
    ATTN_ASSIGN(keyLink, uploadOrder(term.keyLink));
    return Term{linked ? Term::Linked : Term::Relative,
                static_cast<std::int32_t>(term.clip),
                inLog2(term.weight),
                m_run.rows(term.scores),
                {},
                queryLink,
                keyLink};
  }

  [[nodiscard]] Index tilesOfRow(Index tileRow, Index head) const {
    if (tileRow >= tiles(head).tileRows()) return 0;
    Index count = 0;
    for (const TileRun& run : tiles(head).row(tileRow)) count += run.end - run.begin;
    return count;
  }

  // Rows of tiles are launched for all heads together, or head by head where one row is a launch's worth.
  Status launchPieces() {
    const Index chunks = blocksOf(m_args.v.cols, kSide) + blocksOf(m_args.v2.cols, kSide);
    const double width = 0.5 + 0.5 * static_cast<double>(blocksOf(m_args.d, kSide));
    const double budget = kTilesPerLaunch / (static_cast<double>(chunks) * width);
    Index rows = 0;
    for (Index h = 0; h < m_run.heads(); ++h) rows = std::max(rows, tiles(h).tileRows());
    for (Index row = 0; row < rows;) {
      Index end = row;
      double work = 0.0;
      while (end < rows && (end == row || work < budget)) {
        for (Index h = 0; h < m_run.heads(); ++h) work += static_cast<double>(tilesOfRow(end, h));
        ++end;
      }
      const Index headsPerLaunch = work > 2.0 * budget ? 1 : m_run.heads();
      for (Index head = 0; head < m_run.heads(); head += headsPerLaunch) {
        m_args.firstTileRow = static_cast<std::int32_t>(row);
        m_args.firstHead = static_cast<std::int32_t>(head);
        const Blocks blocks{static_cast<unsigned>(end - row), static_cast<unsigned>(chunks),
                            static_cast<unsigned>(headsPerLaunch)};
        ATTN_TRY(launchPiece(blocks));
        ATTN_TRY(
            m_run.finish(work * static_cast<double>(headsPerLaunch) / static_cast<double>(m_run.heads())));
      }
      row = end;
    }
    return {};
  }

  Status launchPiece(const Blocks& blocks) {
    switch (m_run.options().precision) {
      case Precision::Tf32:
        return m_run.device().launch(AttendTf32Args{m_args}, blocks);
      case Precision::Bf16:
        return m_run.device().launch(AttendBf16Args{m_args}, blocks);
      default:
        return m_run.device().launch(m_args, blocks);
    }
  }

  const AttendStep& m_step;
  std::size_t m_index;
  DeviceRun& m_run;
  AttendArgs m_args{};
  std::map<const TileMap*, HeadTiles> m_tiles;
  std::map<const std::vector<std::int32_t>*, const std::int32_t*> m_orders;
};

}  // namespace

Status runStep(const AttendStep& step, std::size_t index, DeviceRun& run) {
  return AttendLaunches(step, index, run).launch();
}

double attendScratchBytes(const FrozenPlan& frozen, const AttendStep& step, std::size_t index) {
  double bytes = 0.0;
  std::map<const void*, double> counted;
  for (std::size_t h = 0; h < step.heads.size(); ++h) {
    const TileMap& map = frozen.tiles(index, static_cast<Index>(h));
    counted[&map] = static_cast<double>(map.bytes());
    for (const Order& order : {step.heads[h].queryOrder, step.heads[h].keyOrder})
      if (order) counted[order.get()] = 4.0 * static_cast<double>(order->size());
  }
  for (const auto& [place, size] : counted) bytes += size;
  for (const ScoreTerm& term : step.terms)
    if (const auto* table = std::get_if<TableTerm>(&term))
      bytes += static_cast<double>(table->logits.bytes());
  return bytes;
}

}  // namespace attnscope::cuda
