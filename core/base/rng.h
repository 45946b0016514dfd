// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace attnscope {

// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011) from Random123. A value depends on the
// stream's name and on its counter alone, never on how many were drawn before: one more round, head or column
// leaves the others as they were, and every thread and device draws the same.
class RandomStream {
 public:
  // Key from (seed, owner, purpose), e.g. (7, "reformer", "rotations").
  RandomStream(std::uint64_t seed, std::string_view owner, std::string_view purpose);

  using Counter = std::array<std::uint32_t, 3>;

  // (x + 1/2) / 2^32: uniform in (0, 1).
  [[nodiscard]] double uniform(Counter counter, std::uint32_t last = 0) const;
  // Standard normal by Box-Muller in double. Neighbours 2c and 2c+1 of `last` share one counter.
  [[nodiscard]] double normal(Counter counter, std::uint32_t last = 0) const;
  // values[i] = normal(counter, i), rounded to float: a whole row at half the price.
  void fillNormals(Counter counter, std::span<float> values) const;
  void fillNormals(Counter counter, std::span<double> values) const;  // not rounded
  // Uniform integer in [0, bound).
  [[nodiscard]] std::uint32_t below(std::uint32_t bound, Counter counter, std::uint32_t last = 0) const;

 private:
  template <class Number>
  void fillPairs(Counter counter, std::span<Number> values) const;
  [[nodiscard]] std::array<std::uint32_t, 4> block(Counter counter, std::uint32_t last) const;
  std::array<std::uint32_t, 2> m_key{};
};

}  // namespace attnscope
