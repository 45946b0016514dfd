// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace attnscope {

void Digest::addBytes(const void* data, std::size_t bytes) {
  m_value = XXH64(data, bytes, m_value);
}

void Digest::add(std::uint64_t value) {
  addBytes(&value, sizeof value);
}

void Digest::add(std::string_view text) {
  add(static_cast<std::uint64_t>(text.size()));  // so that ("ab", "c") and ("a", "bc") differ
  addBytes(text.data(), text.size());
}

std::string Digest::hex() const {
  return fmt::format("{:016x}", m_value);
}

}  // namespace attnscope
