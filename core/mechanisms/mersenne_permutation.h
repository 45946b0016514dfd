// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace attnscope {

// Permutations in the order in which NumPy's legacy generator draws them (RandomState(seed).permutation(n)):
// published planners of random blocks are defined by it, so their plans can be repeated only this way.
class MersennePermutation {
 public:
  explicit MersennePermutation(std::uint32_t seed) : m_engine(seed) {}
  // A permutation of 0 .. n - 1; the generator goes on from where the last one left it.
  [[nodiscard]] std::vector<std::int32_t> next(std::int32_t n);

 private:
  std::uint32_t atMost(std::uint32_t limit);

  std::mt19937 m_engine;
};

}  // namespace attnscope
