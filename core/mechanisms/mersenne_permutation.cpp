// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/mersenne_permutation.h"

#include <bit>
#include <numeric>
#include <utility>

namespace attnscope {

// Draws of as many bits as the limit has, until one is not above it.
std::uint32_t MersennePermutation::atMost(std::uint32_t limit) {
  const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << std::bit_width(limit)) - 1);
  while (true) {
    const auto drawn = static_cast<std::uint32_t>(m_engine()) & mask;
    if (drawn <= limit) return drawn;
  }
}

std::vector<std::int32_t> MersennePermutation::next(std::int32_t n) {
  std::vector<std::int32_t> order(n > 0 ? static_cast<std::size_t>(n) : 0);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t at = order.size(); at > 1; --at)
    std::swap(order[at - 1], order[atMost(static_cast<std::uint32_t>(at - 1))]);
  return order;
}

}  // namespace attnscope
