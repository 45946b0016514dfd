// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/linear_attend.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <vector>

#include "kernels/cpu/tile_math.h"

namespace attnscope {

namespace {

constexpr Index kPiece = 64;  // keys that one product takes

Index padded(Index width) {
  return (width + 15) / 16 * 16;
}

// Keys of one block: at least 512, at most 128 blocks, and no more than 2^24 floats of states.
Index blockLength(Index n, Index features, Index dV) {
  const Index most = std::max<Index>(1, (Index{1} << 24) / (features * (padded(dV) + 1)));
  const Index blocks = std::min<Index>(128, most);
  return std::max<Index>(512, (n + blocks - 1) / blocks);
}

// S (r, width) and z (r) of some keys.
struct State {
  std::vector<float> s;
  std::vector<float> z;
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
    tbb::parallel_for(Index{0}, blocks, [&](Index b) {
      if (!job.isCancelled()) states[static_cast<std::size_t>(b)] = sumBlock(b);
    });
    if (job.isCancelled()) return cancelled();
    const State all = m_step.causal ? scanStates(states) : addStates(states);
    if (m_step.causal)
      readCausal(states, job);
    else
      readAll(all, job);
    if (job.isCancelled()) return cancelled();
    return {};
  }

 private:
  // state += phi(K)^T V for keys [begin, end).
  void addKeys(Index begin, Index end, State& state) const {
    std::vector<float> left(static_cast<std::size_t>(m_r * kPiece));
    std::vector<float> right(static_cast<std::size_t>(kPiece * m_width), 0.0F);
    for (Index at = begin; at < end; at += kPiece) {
      const Index count = std::min(kPiece, end - at);
      for (Index t = 0; t < count; ++t) {
        const float* key = m_phiK + (at + t) * m_r;
        for (Index a = 0; a < m_r; ++a) {
          left[static_cast<std::size_t>(a * kPiece + t)] = key[a];
          state.z[static_cast<std::size_t>(a)] += key[a];
        }
        std::copy_n(m_v + (at + t) * m_dV, m_dV, right.data() + t * m_width);
      }
      tile_math::gemm(left.data(), kPiece, right.data(), m_width, state.s.data(), m_width, m_r, m_width,
                      count, true);
    }
  }

  [[nodiscard]] State emptyState() const {
    return {std::vector<float>(static_cast<std::size_t>(m_r * m_width), 0.0F),
            std::vector<float>(static_cast<std::size_t>(m_r), 0.0F)};
  }

  [[nodiscard]] State sumBlock(Index block) const {
    State state = emptyState();
    addKeys(block * m_block, std::min(m_nK, (block + 1) * m_block), state);
    return state;
  }

  // Sum of all states, in double.
  [[nodiscard]] State addStates(const std::vector<State>& states) const {
    std::vector<State> scanned = states;
    return scanStates(scanned);
  }

  // Replaces every state by the sum of those before it; returns the sum of all.
  [[nodiscard]] State scanStates(std::vector<State>& states) const {
    std::vector<double> s(static_cast<std::size_t>(m_r * m_width), 0.0);
    std::vector<double> z(static_cast<std::size_t>(m_r), 0.0);
    const auto step = [](std::vector<double>& sum, std::vector<float>& values) {
      for (std::size_t i = 0; i < sum.size(); ++i) {
        const double before = sum[i];
        sum[i] += values[i];
        values[i] = static_cast<float>(before);
      }
    };
    for (State& state : states) {
      step(s, state.s);
      step(z, state.z);
    }
    return {std::vector<float>(s.begin(), s.end()), std::vector<float>(z.begin(), z.end())};
  }

  // out and denominator of queries [begin, end) from a state; numerators stay in `numerator`.
  void readState(const State& state, Index begin, Index end, std::vector<float>& numerator,
                 std::vector<double>& denominator) const {
    const Index count = end - begin;
    numerator.resize(static_cast<std::size_t>(count * m_width));
    denominator.assign(static_cast<std::size_t>(count), 0.0);
    tile_math::gemm(m_phiQ + begin * m_r, m_r, state.s.data(), m_width, numerator.data(), m_width, count,
                    m_width, m_r, false);
    for (Index i = 0; i < count; ++i) {
      const float* query = m_phiQ + (begin + i) * m_r;
      double sum = 0.0;
      for (Index a = 0; a < m_r; ++a)
        sum += static_cast<double>(query[a]) * state.z[static_cast<std::size_t>(a)];
      denominator[static_cast<std::size_t>(i)] = sum;
    }
  }

  void writeRows(Index begin, Index end, const std::vector<float>& numerator,
                 const std::vector<double>& denominator) const {
    for (Index i = begin; i < end; ++i) {
      const double sum = denominator[static_cast<std::size_t>(i - begin)] + m_step.eps;
      m_den[i] = static_cast<float>(sum);
      const double factor = sum == 0.0 ? 0.0 : 1.0 / sum;
      for (Index c = 0; c < m_dV; ++c)
        m_out[i * m_dV + c] =
            static_cast<float>(numerator[static_cast<std::size_t>((i - begin) * m_width + c)] * factor);
    }
  }

  void readAll(const State& state, const JobContext& job) const {
    const Index tasks = (m_nQ + 255) / 256;
    tbb::parallel_for(Index{0}, tasks, [&](Index t) {
      if (job.isCancelled()) return;
      std::vector<float> numerator;
      std::vector<double> denominator;
      const Index end = std::min(m_nQ, (t + 1) * 256);
      readState(state, t * 256, end, numerator, denominator);
      writeRows(t * 256, end, numerator, denominator);
    });
  }

  void readCausal(const std::vector<State>& states, const JobContext& job) const {
    const Index offset = m_nK - m_nQ;                      // query i stands at i + offset
    for (Index i = 0; i < std::min(m_nQ, -offset); ++i) {  // before the first key: nothing read
      m_den[i] = 0.0F;
      std::fill_n(m_out + i * m_dV, m_dV, 0.0F);
    }
    tbb::parallel_for(std::size_t{0}, states.size(), [&](std::size_t b) {
      if (job.isCancelled()) return;
      State state = states[b];
      const Index blockEnd = std::min(m_nK, static_cast<Index>(b + 1) * m_block);
      for (Index at = static_cast<Index>(b) * m_block; at < blockEnd; at += m_step.chunk) {
        const Index end = std::min(blockEnd, at + m_step.chunk);
        readChunk(state, at, end, offset);
        if (end < blockEnd) addKeys(at, end, state);
        if (job.isCancelled()) return;
      }
    });
  }

  // Queries at the positions [begin, end): the state before the chunk plus the lower triangle inside it.
  void readChunk(const State& state, Index begin, Index end, Index offset) const {
    const Index first = std::max<Index>(0, begin - offset);
    const Index last = std::min(m_nQ, end - offset);
    if (first >= last) return;
    std::vector<float> numerator;
    std::vector<double> denominator;
    readState(state, first, last, numerator, denominator);
    std::vector<float> products(static_cast<std::size_t>(end - begin));
    for (Index i = first; i < last; ++i) {
      const Index keys = i + offset + 1 - begin;
      tile_math::dotRows(m_phiQ + i * m_r, m_phiK + begin * m_r, m_r, keys, products.data());
      float* row = numerator.data() + (i - first) * m_width;
      for (Index t = 0; t < keys; ++t) {
        const float weight = products[static_cast<std::size_t>(t)];
        denominator[static_cast<std::size_t>(i - first)] += weight;
        const float* value = m_v + (begin + t) * m_dV;
        for (Index c = 0; c < m_dV; ++c) row[c] += weight * value[c];
      }
    }
    writeRows(first, last, numerator, denominator);
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
  return {};
}

double linearScratchBytes(Index n, Index features, Index dV) {
  const Index block = blockLength(n, features, dV);
  return 4.0 * static_cast<double>((n + block - 1) / block) *
         static_cast<double>(features * (padded(dV) + 1));
}

}  // namespace attnscope
