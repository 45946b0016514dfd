// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/linear_attend.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/simd/row_math.h"
#include "core/simd/tile_math.h"
#include "kernels/cpu/upcoming_rows.h"
#include "kernels/shared/run_checks.h"

namespace attnscope {

namespace {

constexpr Index kPiece = 64;         // keys that one product takes
constexpr Index kTriangleRows = 16;  // queries that one product on the diagonal takes
constexpr Index kReadRows = 64;      // queries that read the state at once

// Inside a causal chunk all keys are relative to the chunk's own largest exponents, so that products of whole
// pieces can be used. A query early in the chunk reads features that a later key has raised by up to this
// much: its terms become as small as e^-30 and its own factors as large as e^30, both far inside the range of
// float32, so no digit is lost.
constexpr float kMostRise = 30.0F;

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

Index padded(Index width) {
  return (width + 15) / 16 * 16;
}

// Keys of one block: at least 512, at most 128 blocks, and no more than 2^24 floats of states.
Index blockLength(Index n, Index features, Index dV) {
  const Index most = std::max<Index>(1, (Index{1} << 24) / (features * (padded(dV) + 2)));
  const Index blocks = std::min<Index>(128, most);
  return std::max<Index>(512, (n + blocks - 1) / blocks);
}

// S (r, width) and z (r) of some keys; with exponents relative to exp(c), c their largest by feature.
struct State {
  std::vector<float> s;
  std::vector<float> z;
  std::vector<float> c;  // empty without exponents
};

// Working memory of one task.
struct Scratch {
  std::vector<float> keys;    // (r, kPiece): features of a piece, transposed; columns beyond its keys are 0
  std::vector<float> values;  // (kPiece, width), where rows of v are no multiple of 16
  std::vector<float> ones = std::vector<float>(kPiece, 1.0F);
  std::vector<float> sums;      // r: of the rows of keys
  std::vector<float> queries;   // (rows, r): made from exponents
  std::vector<float> largest;   // by query: what its exponents are relative to
  std::vector<float> raised;    // r
  std::vector<float> products;  // (kTriangleRows, kPiece)
  std::vector<float> numerator;
  std::vector<float> denominator;
  std::vector<double> total;  // by query
  UpcomingRows upcoming;
};

class HeadPass {
 public:
  HeadPass(const LinearAttendStep& step, BufferTable& buffers, Index head)
      : m_step(step),
        m_nQ(buffers.rows(step.phiQ)),
        m_nK(buffers.rows(step.phiK)),
        m_r(buffers.cols(step.phiQ)),
        m_dV(buffers.cols(step.out)),
        m_width(padded(m_dV)),
        m_phiQ(buffers.head(step.phiQ, head)),
        m_phiK(buffers.head(step.phiK, head)),
        m_v(buffers.head(buffers.options().identity ? kValue : step.v, head)),
        m_out(buffers.tensor(step.out).mutableSlice<float>(head).data()),
        m_den(buffers.tensor(step.denominator).mutableSlice<float>(head).data()),
        m_block(blockLength(m_nK, m_r, m_dV)) {}

  Status run(const JobContext& job) {
    const Index blocks = (m_nK + m_block - 1) / m_block;
    std::vector<State> states(static_cast<std::size_t>(blocks));
    // When causal nobody reads past the last block.
    const Index summed = m_step.causal ? blocks - 1 : blocks;
    if (m_step.causal) states.back() = emptyState();
    tbb::parallel_for(Index{0}, summed, [&](Index b) {
      if (!job.isCancelled()) states[static_cast<std::size_t>(b)] = sumBlock(b);
    });
    if (job.isCancelled()) return cancelled();
    const State all = scanStates(states);
    if (m_step.causal)
      readCausal(states, job);
    else
      readAll(all, job);
    if (job.isCancelled()) return cancelled();
    return {};
  }

 private:
  [[nodiscard]] Scratch makeScratch() const {
    Scratch scratch;
    scratch.keys.resize(static_cast<std::size_t>(m_r * kPiece));
    if (m_width != m_dV) scratch.values.assign(static_cast<std::size_t>(kPiece * m_width), 0.0F);
    scratch.sums.resize(static_cast<std::size_t>(m_r));
    scratch.raised.resize(static_cast<std::size_t>(m_r));
    scratch.products.resize(static_cast<std::size_t>(kTriangleRows * kPiece));
    return scratch;
  }

  [[nodiscard]] State emptyState() const {
    const auto r = static_cast<std::size_t>(m_r);
    return {std::vector<float>(static_cast<std::size_t>(m_r * m_width), 0.0F), std::vector<float>(r, 0.0F),
            std::vector<float>(m_step.exponents ? r : 0, kMinusInfinity)};
  }

  // scratch.keys = features of keys [at, at + count), as they are.
  void transposeKeys(Index at, Index count, Scratch& scratch) const {
    tile_math::transpose(m_phiK + at * m_r, m_r, count, m_r, scratch.keys.data(), kPiece);
    for (Index a = 0; a < m_r && count < kPiece; ++a)
      std::fill_n(scratch.keys.data() + a * kPiece + count, kPiece - count, 0.0F);
  }

  // Exponents of a transposed piece become features relative to c.
  void exponentiateKeys(const std::vector<float>& c, Index count, Scratch& scratch) const {
    for (Index a = 0; a < m_r; ++a) {
      float* row = scratch.keys.data() + a * kPiece;
      const float largest = c[static_cast<std::size_t>(a)];
      for (Index t = 0; t < kPiece; ++t) row[t] -= largest;
      std::fill(row + count, row + kPiece, kMinusInfinity);
    }
    row_math::exponential(scratch.keys.data(), scratch.keys.data(), m_r * kPiece);
  }

  // Values of keys [at, at + count) as rows that are a multiple of 16 wide.
  const float* valueRows(Index at, Index count, Scratch& scratch) const {
    if (m_width == m_dV) return m_v + at * m_dV;
    for (Index t = 0; t < count; ++t)
      std::copy_n(m_v + (at + t) * m_dV, m_dV, scratch.values.data() + t * m_width);
    return scratch.values.data();
  }

  // Makes a state relative to higher exponents.
  void raise(State& state, const std::vector<float>& c, Scratch& scratch) const {
    for (std::size_t a = 0; a < c.size(); ++a) scratch.raised[a] = state.c[a] - c[a];
    row_math::exponential(scratch.raised.data(), scratch.raised.data(), m_r);
    for (Index a = 0; a < m_r; ++a) {
      const float factor = scratch.raised[static_cast<std::size_t>(a)];
      if (factor == 1.0F) continue;
      state.z[static_cast<std::size_t>(a)] *= factor;
      float* row = state.s.data() + a * m_width;
      for (Index c2 = 0; c2 < m_width; ++c2) row[c2] *= factor;
    }
    state.c = c;
  }

  // state += phi(K)^T V of the piece that scratch.keys holds.
  void addPiece(Index at, Index count, State& state, Scratch& scratch) const {
    row_math::dotRows(scratch.ones.data(), scratch.keys.data(), kPiece, m_r, scratch.sums.data());
    for (std::size_t a = 0; a < state.z.size(); ++a) state.z[a] += scratch.sums[a];
    tile_math::gemm(scratch.keys.data(), kPiece, valueRows(at, count, scratch), m_width, state.s.data(),
                    m_width, m_r, m_width, count, true);
  }

  // Adds keys [begin, end) that nobody reads in between: their features stand as rows, which is the left side
  // of phi(K)^T V.
  void addKeys(Index begin, Index end, State& state, Scratch& scratch) const {
    std::vector<float> c = state.c;
    std::vector<float> lowered(c.size());  // -c
    for (Index at = begin; at < end; at += kPiece) {
      const Index count = std::min(kPiece, end - at);
      const float* features = m_phiK + at * m_r;
      if (m_step.exponents) {
        row_math::raiseMaxima(features, count, m_r, c.data());
        raise(state, c, scratch);
        std::transform(c.begin(), c.end(), lowered.begin(), [](float x) { return -x; });
        for (Index t = 0; t < count; ++t)
          row_math::exponentialSum(features + t * m_r, lowered.data(), 0.0F, scratch.keys.data() + t * m_r,
                                   m_r);
        features = scratch.keys.data();
      }
      row_math::addRows(features, count, m_r, state.z.data());
      const Index next = std::min(kPiece, end - at - count);
      scratch.upcoming.clear();
      scratch.upcoming.add(m_phiK, m_r, nullptr, at + count, next);
      scratch.upcoming.add(m_v, m_dV, nullptr, at + count, next);
      tile_math::gemmTransposed(features, m_r, valueRows(at, count, scratch), m_width, state.s.data(),
                                m_width, m_r, m_width, count, true, scratch.upcoming.get());
    }
  }

  [[nodiscard]] State sumBlock(Index block) const {
    State state = emptyState();
    Scratch scratch = makeScratch();
    addKeys(block * m_block, std::min(m_nK, (block + 1) * m_block), state, scratch);
    return state;
  }

  // Replaces every state by the sum of those before it; returns the sum of all. In double.
  [[nodiscard]] State scanStates(std::vector<State>& states) const {
    std::vector<double> s(static_cast<std::size_t>(m_r * m_width), 0.0);
    std::vector<double> z(static_cast<std::size_t>(m_r), 0.0);
    std::vector<float> c(m_step.exponents ? static_cast<std::size_t>(m_r) : 0, kMinusInfinity);
    for (State& state : states) {
      for (Index a = 0; a < m_r; ++a) {
        const auto f = static_cast<std::size_t>(a);
        double old = 1.0;    // what the sum so far is multiplied with
        double fresh = 1.0;  // what this block's state is multiplied with
        if (m_step.exponents) {
          const float before = c[f];
          c[f] = std::max(before, state.c[f]);
          old = before == kMinusInfinity ? 0.0 : std::exp(static_cast<double>(before) - c[f]);
          fresh = state.c[f] == kMinusInfinity ? 0.0 : std::exp(static_cast<double>(state.c[f]) - c[f]);
          state.c[f] = before;
        }
        const auto step = [old, fresh](double& sum, float& value) {
          const double before = sum;
          sum = old * sum + fresh * value;
          value = static_cast<float>(before);
        };
        step(z[f], state.z[f]);
        for (Index col = 0; col < m_width; ++col)
          step(s[static_cast<std::size_t>(a * m_width + col)],
               state.s[static_cast<std::size_t>(a * m_width + col)]);
      }
    }
    return {std::vector<float>(s.begin(), s.end()), std::vector<float>(z.begin(), z.end()), std::move(c)};
  }

  // Numerators and denominators of queries [begin, end) from a state. `queries` are their features.
  void readState(const State& state, const float* queries, Index count, Scratch& scratch) const {
    scratch.numerator.resize(static_cast<std::size_t>(count * m_width));
    scratch.denominator.resize(static_cast<std::size_t>(count));
    tile_math::gemm(queries, m_r, state.s.data(), m_width, scratch.numerator.data(), m_width, count, m_width,
                    m_r, false, scratch.upcoming.get());
    row_math::dotRows(state.z.data(), queries, m_r, count, scratch.denominator.data());
    scratch.total.assign(scratch.denominator.begin(), scratch.denominator.end());
  }

  void writeRows(Index begin, Index end, const Scratch& scratch) const {
    std::array<float, kReadRows> factors{};
    std::array<float*, kReadRows> rows{};
    for (Index at = begin; at < end; at += kReadRows) {
      const Index count = std::min(kReadRows, end - at);
      for (Index i = at; i < at + count; ++i) {
        const auto row = static_cast<std::size_t>(i - begin);
        const double sum = scratch.total[row] + (m_step.exponents ? 0.0 : m_step.eps);
        m_den[i] = static_cast<float>(m_step.exponents ? scratch.largest[row] + std::log(sum) : sum);
        factors[static_cast<std::size_t>(i - at)] = sum == 0.0 ? 0.0F : static_cast<float>(1.0 / sum);
        rows[static_cast<std::size_t>(i - at)] = m_out + i * m_dV;
      }
      tile_math::writeRows(scratch.numerator.data() + (at - begin) * m_width, m_width, factors.data(), count,
                           m_dV, rows.data());
    }
  }

  void readAll(const State& state, const JobContext& job) const {
    const Index tasks = (m_nQ + kReadRows - 1) / kReadRows;
    tbb::enumerable_thread_specific<Scratch> scratches;
    tbb::parallel_for(Index{0}, tasks, [&](Index t) {
      if (job.isCancelled()) return;
      Scratch& scratch = scratches.local();
      const Index begin = t * kReadRows;
      const Index end = std::min(m_nQ, begin + kReadRows);
      scratch.upcoming.clear();
      scratch.upcoming.add(m_out, m_dV, nullptr, begin, end - begin);
      scratch.upcoming.add(m_phiQ, m_r, nullptr, end, std::min(kReadRows, m_nQ - end));
      const float* queries = m_phiQ + begin * m_r;
      if (m_step.exponents) {
        scratch.queries.resize(static_cast<std::size_t>((end - begin) * m_r));
        scratch.largest.resize(static_cast<std::size_t>(end - begin));
        for (Index i = begin; i < end; ++i) {
          float* row = scratch.queries.data() + (i - begin) * m_r;
          const float shift = row_math::largestSum(m_phiQ + i * m_r, state.c.data(), m_r);
          scratch.largest[static_cast<std::size_t>(i - begin)] = shift;
          row_math::exponentialSum(m_phiQ + i * m_r, state.c.data(), shift, row, m_r);
        }
        queries = scratch.queries.data();
      }
      readState(state, queries, end - begin, scratch);
      writeRows(begin, end, scratch);
    });
  }

  void readCausal(std::vector<State>& states, const JobContext& job) const {
    const Index offset = m_nK - m_nQ;                      // query i stands at i + offset
    for (Index i = 0; i < std::min(m_nQ, -offset); ++i) {  // before the first key: nothing read
      m_den[i] = m_step.exponents ? kMinusInfinity : 0.0F;
      std::fill_n(m_out + i * m_dV, m_dV, 0.0F);
    }
    tbb::parallel_for(std::size_t{0}, states.size(), [&](std::size_t b) {
      State& state = states[b];
      Scratch scratch = makeScratch();
      const Index blockEnd = std::min(m_nK, static_cast<Index>(b + 1) * m_block);
      Index at = static_cast<Index>(b) * m_block;
      while (at < blockEnd && !job.isCancelled()) {
        Index end = std::min(blockEnd, at + m_step.chunk);
        std::vector<float> before;
        if (m_step.exponents) {
          before = state.c;
          std::vector<float> c = state.c;
          end = riseWithin(at, std::min(end, at + kPiece), c);
          raise(state, c, scratch);
        }
        readChunk(state, before, {at, end, end < blockEnd}, offset, scratch);
        at = end;
      }
    });
  }

  // Takes keys from `begin` on into c until one would raise a feature by more than kMostRise over what the
  // first of them left; returns the first key that is not taken.
  [[nodiscard]] Index riseWithin(Index begin, Index end, std::vector<float>& c) const {
    std::vector<float> first;
    for (Index j = begin; j < end; ++j) {
      const float* key = m_phiK + j * m_r;
      bool steep = false;
      for (std::size_t a = 0; a < first.size(); ++a) steep |= key[a] - first[a] > kMostRise;
      if (steep) return j;
      for (std::size_t a = 0; a < c.size(); ++a) c[a] = c[a] < key[a] ? key[a] : c[a];
      if (first.empty()) first = c;
    }
    return end;
  }

  // Features of queries [first, last) of a chunk that starts at position `begin`. Each is relative to its own
  // largest exponent over the keys up to itself, so no later key can change more than the rounding.
  const float* chunkQueries(const State& state, std::vector<float>& c, Index begin, Index first, Index last,
                            Index offset, Scratch& scratch) const {
    if (!m_step.exponents) return m_phiQ + first * m_r;
    scratch.queries.resize(static_cast<std::size_t>((last - first) * m_r));
    scratch.largest.resize(static_cast<std::size_t>(last - first));
    for (Index p = begin; p < last + offset; ++p) {
      const float* key = m_phiK + p * m_r;
      for (std::size_t a = 0; a < c.size(); ++a) c[a] = c[a] < key[a] ? key[a] : c[a];
      const Index i = p - offset;
      if (i < first) continue;
      float* row = scratch.queries.data() + (i - first) * m_r;
      const float shift = row_math::largestSum(m_phiQ + i * m_r, c.data(), m_r);
      scratch.largest[static_cast<std::size_t>(i - first)] = shift;
      row_math::exponentialSum(m_phiQ + i * m_r, state.c.data(), shift, row, m_r);
    }
    return scratch.queries.data();
  }

  struct Chunk {
    Index begin;
    Index end;
    bool keep;  // its keys are needed by later chunks of the block
  };

  // Queries at the positions of the chunk: the state before it plus the lower triangle inside it. The chunk's
  // keys are then added to the state. `before`: the largest exponents before the chunk.
  void readChunk(State& state, std::vector<float>& before, const Chunk& chunk, Index offset,
                 Scratch& scratch) const {
    const Index first = std::max<Index>(0, chunk.begin - offset);
    const Index last = std::max(first, std::min(m_nQ, chunk.end - offset));
    if (first == last && !chunk.keep) return;
    const float* queries = nullptr;
    if (first < last) {
      queries = chunkQueries(state, before, chunk.begin, first, last, offset, scratch);
      readState(state, queries, last - first, scratch);
    }
    for (Index at = chunk.begin; at < chunk.end; at += kPiece) {
      const Index count = std::min(kPiece, chunk.end - at);
      transposeKeys(at, count, scratch);
      if (m_step.exponents) exponentiateKeys(state.c, count, scratch);
      // Queries at earlier positions than the piece read nothing of it.
      const Index from = std::max(first, at - offset);
      for (Index i = from; i < last; i += kTriangleRows)
        readPiece(queries + (i - first) * m_r, i + offset - at, std::min(kTriangleRows, last - i), i - first,
                  at, count, scratch);
      if (chunk.keep) addPiece(at, count, state, scratch);
    }
    if (first < last) writeRows(first, last, scratch);
  }

  // `rows` queries, the first of which stands `ahead` positions after the first key of the piece, read the
  // keys of the piece up to themselves.
  void readPiece(const float* queries, Index ahead, Index rows, Index row, Index at, Index count,
                 Scratch& scratch) const {
    const Index keys = std::min(count, ahead + rows);
    float* products = scratch.products.data();
    tile_math::gemm(queries, m_r, scratch.keys.data(), kPiece, products, kPiece, rows, padded(keys), m_r,
                    false);
    for (Index i = 0; i < rows; ++i) {
      const Index read = std::min(count, ahead + i + 1);
      std::fill(products + i * kPiece + read, products + (i + 1) * kPiece, 0.0F);
    }
    std::array<float, kTriangleRows> sums{};
    row_math::dotRows(scratch.ones.data(), products, kPiece, rows, sums.data());
    for (Index i = 0; i < rows; ++i)
      scratch.total[static_cast<std::size_t>(row + i)] += sums[static_cast<std::size_t>(i)];
    tile_math::gemm(products, kPiece, valueRows(at, count, scratch), m_width,
                    scratch.numerator.data() + row * m_width, m_width, rows, m_width, keys, true);
  }

  const LinearAttendStep& m_step;
  Index m_nQ;
  Index m_nK;
  Index m_r;
  Index m_dV;
  Index m_width;
  const float* m_phiQ;
  const float* m_phiK;
  const float* m_v;
  float* m_out;
  float* m_den;
  Index m_block;
};

}  // namespace

Status linearAttendOnCpu(const LinearAttendStep& step, BufferTable& buffers, const JobContext& job) {
  buffers.create(step.out);
  buffers.create(step.denominator);
  for (Index h = 0; h < buffers.plan().shape.heads; ++h) ATTN_TRY(HeadPass(step, buffers, h).run(job));
  return checkDenominators(step, buffers.plan(), buffers.tensor(step.denominator));
}

double linearScratchBytes(Index n, Index features, Index dV) {
  const Index block = blockLength(n, features, dV);
  return 4.0 * static_cast<double>((n + block - 1) / block) *
         static_cast<double>(features * (padded(dV) + 2));
}

}  // namespace attnscope
