// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <limits>

#include "kernels/cuda/host/steps.h"

namespace attnscope::cuda {

namespace {

constexpr Index kMostStateFloats = Index{1} << 24;  // of one head
constexpr double kPairTilesPerLaunch = 16384.0;     // as in attend_step.cpp

// Keys of one block: a multiple of 64, at least a chunk, and as many as the memory for the states demands.
// Inside a block every query reads the keys one by one.
Index blockLength(Index nK, Index r, Index dV, Index chunk) {
  const Index most = std::max<Index>(1, kMostStateFloats / (r * (dV + 3)) - 1);
  const Index length = std::max(chunk, (nK + most - 1) / most);
  return std::max<Index>(1, (length + kSide - 1) / kSide) * kSide;
}

class LinearLaunches {
 public:
  LinearLaunches(const LinearAttendStep& step, DeviceRun& run) : m_step(step), m_run(run) {}

  Status launch() {
    ATTN_TRY(describe());
    ATTN_TRY(makeScratch());
    ATTN_TRY(makeStates());
    ATTN_TRY(clearRowsBeforeTheFirstKey());
    return read();
  }

 private:
  Status describe() {
    ATTN_ASSIGN(out, m_run.create(m_step.out));
    ATTN_ASSIGN(denominator, m_run.create(m_step.denominator));
    m_args.phiQ = m_run.rows(m_step.phiQ);
    m_args.phiK = m_run.rows(m_step.phiK);
    m_args.v = m_run.rows(m_run.options().identity ? kValue : m_step.v);
    m_args.out = out;
    m_args.denominator = denominator;
    m_args.nQ = m_run.rowCount(m_step.phiQ);
    m_args.nK = m_run.rowCount(m_step.phiK);
    m_args.r = m_run.colCount(m_step.phiQ);
    m_args.dV = m_run.colCount(m_step.out);
    m_args.block = blockLength(m_args.nK, m_args.r, m_args.dV, m_step.chunk);
    m_args.blocks = (m_args.nK + m_args.block - 1) / m_args.block;
    m_args.eps = m_step.eps;
    m_args.causal = m_step.causal ? 1 : 0;
    m_args.exponents = m_step.exponents ? 1 : 0;
    return {};
  }

  Status makeScratch() {
    const Index sums = m_run.heads() * (m_args.blocks + 1) * m_args.r;
    ATTN_ASSIGN(states, m_run.scratch<float>(sums * m_args.dV));
    ATTN_ASSIGN(totals, m_run.scratch<float>(sums));
    m_args.states = states;
    m_args.sums = totals;
    if (!m_step.exponents) return {};
    const Index shifts = m_run.heads() * m_args.nQ;
    ATTN_ASSIGN(blockLargest, m_run.scratch<float>(sums));
    ATTN_ASSIGN(largest, m_run.scratch<float>(sums));
    ATTN_ASSIGN(shift, m_run.scratch<std::int32_t>(shifts));
    m_args.blockLargest = blockLargest;
    m_args.largest = largest;
    m_args.shifts = shift;
    return m_run.fill(shift, shifts, 0x80000000U);  // below every number
  }

  Status makeStates() {
    Device& device = m_run.device();
    const auto blocks = static_cast<unsigned>(m_args.blocks);
    const auto heads = static_cast<unsigned>(m_run.heads());
    const Blocks byFeature{blocks, blocksOf(m_args.r, kThreads), heads};
    if (m_step.exponents) ATTN_TRY(device.launch(BlockLargestArgs{m_args}, byFeature));
    const unsigned tiles = blocksOf(m_args.r, kSide) * blocksOf(m_args.dV, kSide);
    ATTN_TRY(device.launch(BlockStatesArgs{m_args}, {blocks, tiles, heads}));
    ATTN_TRY(m_run.finish());
    ATTN_TRY(device.launch(ScanStatesArgs{m_args}, cellBlocks(m_args.r * (m_args.dV + 1), m_run.heads())));
    if (m_step.exponents && m_step.causal) ATTN_TRY(device.launch(CausalShiftsArgs{m_args}, byFeature));
    if (m_step.exponents && !m_step.causal)
      ATTN_TRY(device.launch(FullShiftsArgs{m_args}, rowBlocks(m_args.nQ, m_run.heads())));
    return m_run.finish();
  }

  Status clearRowsBeforeTheFirstKey() {
    if (!m_step.causal || m_args.nK >= m_args.nQ) return {};
    const float nothing = m_step.exponents ? -std::numeric_limits<float>::infinity() : 0.0F;
    ATTN_TRY(m_run.fillFloats(m_args.out, m_run.floats(m_step.out), 0.0F));
    return m_run.fillFloats(m_args.denominator, m_run.floats(m_step.denominator), nothing);
  }

  // Tiles of positions: of the keys when causal, else of the queries.
  Status read() {
    const Index count = blocksOf(m_step.causal ? m_args.nK : m_args.nQ, kSide);
    const unsigned columns = blocksOf(m_args.dV, kSide);
    const double tileWork = static_cast<double>(m_run.heads()) * columns *
                            static_cast<double>(m_args.block + m_args.r) / static_cast<double>(kSide);
    const Index piece = std::max<Index>(1, static_cast<Index>(kPairTilesPerLaunch / tileWork));
    for (Index tile = 0; tile < count; tile += piece) {
      m_args.firstTile = tile;
      const auto tiles = static_cast<unsigned>(std::min(piece, count - tile));
      ATTN_TRY(m_run.device().launch(LinearReadArgs{m_args},
                                     {tiles, columns, static_cast<unsigned>(m_run.heads())}));
      ATTN_TRY(m_run.finish());
    }
    return {};
  }

  const LinearAttendStep& m_step;
  DeviceRun& m_run;
  LinearArgs m_args{};
};

}  // namespace

Status runStep(const LinearAttendStep& step, std::size_t, DeviceRun& run) {
  return LinearLaunches(step, run).launch();
}

double linearScratchBytes(const Plan& plan, const LinearAttendStep& step) {
  const auto r = plan.buffers[static_cast<std::size_t>(step.phiK)].cols;
  const auto nK = plan.buffers[static_cast<std::size_t>(step.phiK)].rows;
  const auto dV = plan.buffers[static_cast<std::size_t>(step.out)].cols;
  const Index block = blockLength(nK, r, dV, step.chunk);
  const auto blocks = static_cast<double>((nK + block - 1) / block + 1);
  return 4.0 * static_cast<double>(plan.shape.heads) *
         (blocks * static_cast<double>(r * (dV + 3)) + static_cast<double>(plan.shape.nQ));
}

}  // namespace attnscope::cuda
