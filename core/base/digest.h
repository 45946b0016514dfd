// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace attnscope {

// A stable 64-bit digest (XXH64) of values in order: cache keys, provenance of figures, names of random
// streams.
class Digest {
 public:
  void add(std::uint64_t value);
  void add(std::string_view text);
  void addBytes(const void* data, std::size_t bytes);
  [[nodiscard]] std::uint64_t value() const { return m_value; }
  [[nodiscard]] std::string hex() const;

 private:
  std::uint64_t m_value = 0;
};

}  // namespace attnscope
