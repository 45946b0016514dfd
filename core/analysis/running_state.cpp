// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/running_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/base/memory.h"

namespace attnscope {

namespace {

constexpr Index kMostFrames = 256;

std::vector<std::int32_t> frameEnds(const LinearAttendStep& step, Index n) {
  std::vector<std::int32_t> ends;
  const Index most = step.chunk * kMostFrames;
  const Index every = step.causal ? step.chunk * std::max<Index>(1, (n + most - 1) / most) : n;
  for (Index end = every; end < n; end += every) ends.push_back(static_cast<std::int32_t>(end));
  ends.push_back(static_cast<std::int32_t>(n));
  return ends;
}

// The sums of one head.
class Sums {
 public:
  Sums(Index features, Index width, bool exponents)
      : m_width(static_cast<std::size_t>(width)),
        m_exponents(exponents),
        m_s(static_cast<std::size_t>(features * width), 0.0),
        m_z(static_cast<std::size_t>(features), 0.0),
        m_log(static_cast<std::size_t>(features),
              exponents ? -std::numeric_limits<double>::infinity() : 0.0) {}

  void add(std::span<const float> phi, std::span<const float> v) {
    for (std::size_t a = 0; a < m_z.size(); ++a) {
      const double share = shareOf(a, phi[a]);
      m_z[a] += share;
      for (std::size_t c = 0; c < m_width; ++c) m_s[a * m_width + c] += share * static_cast<double>(v[c]);
    }
  }

  void write(std::span<float> s, std::span<float> z, std::span<float> log) const {
    const auto narrow = [](double x) { return static_cast<float>(x); };
    std::transform(m_s.begin(), m_s.end(), s.begin(), narrow);
    std::transform(m_z.begin(), m_z.end(), z.begin(), narrow);
    if (!log.empty()) std::transform(m_log.begin(), m_log.end(), log.begin(), narrow);
  }

 private:
  // What one key adds to feature a. A larger exponent than all before makes the sums smaller first.
  double shareOf(std::size_t a, float phi) {
    const auto value = static_cast<double>(phi);
    if (!m_exponents) return value;
    if (value > m_log[a]) {
      const double less = std::exp(m_log[a] - value);
      m_z[a] *= less;
      for (std::size_t c = 0; c < m_width; ++c) m_s[a * m_width + c] *= less;
      m_log[a] = value;
    }
    return std::exp(value - m_log[a]);
  }

  std::size_t m_width;
  bool m_exponents;
  std::vector<double> m_s;
  std::vector<double> m_z;
  std::vector<double> m_log;
};

std::span<float> frameOf(Tensor& tensor, Index head, Index frame, Index size) {
  if (tensor.empty()) return {};
  return tensor.mutableSlice<float>(head).subspan(static_cast<std::size_t>(frame * size),
                                                  static_cast<std::size_t>(size));
}

}  // namespace

Result<RunningState> runningState(const LinearAttendStep& step, const Tensor& phiK,
                                  const AttentionInput& input, const JobContext& job) {
  const Index heads = phiK.dim(0);
  const Index features = phiK.dim(2);
  const Index width = input.shape().dV;
  const std::vector<std::int32_t> ends = frameEnds(step, phiK.dim(1));
  const auto frames = static_cast<Index>(ends.size());
  ATTN_TRY(
      requireMemory(4.0 * static_cast<double>(heads * frames) * static_cast<double>(features * (width + 2)),
                    fmt::format("trace/S, {} states of {} x {}", frames, features, width)));
  RunningState state{Tensor(DType::F32, {heads, frames, features, width}),
                     Tensor(DType::F32, {heads, frames, features}),
                     step.exponents ? Tensor(DType::F32, {heads, frames, features}) : Tensor(),
                     Tensor::fromInts({frames}, ends)};
  for (Index h = 0; h < heads; ++h) {
    const auto phi = phiK.slice<float>(h);
    const auto v = input.v.slice<float>(input.kvHead(h));
    Sums sums(features, width, step.exponents);
    Index j = 0;
    for (Index frame = 0; frame < frames; ++frame) {
      if (job.isCancelled()) return cancelled();
      for (; j < ends[static_cast<std::size_t>(frame)]; ++j)
        sums.add(phi.subspan(static_cast<std::size_t>(j * features), static_cast<std::size_t>(features)),
                 v.subspan(static_cast<std::size_t>(j * width), static_cast<std::size_t>(width)));
      sums.write(frameOf(state.s, h, frame, features * width), frameOf(state.z, h, frame, features),
                 frameOf(state.log, h, frame, features));
    }
  }
  return state;
}

}  // namespace attnscope
