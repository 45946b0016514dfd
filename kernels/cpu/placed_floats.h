// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace attnscope {

// Working memory that begins at a given byte of a page, a multiple of 64. Vectors then do not lie across
// lines of the cache, and arrays that are read and written in turn can be kept apart: a load whose address
// has the same last 12 bits as a store on its way waits for it, and plain allocations of whole kilobytes all
// begin at nearly the same byte.
class PlacedFloats {
 public:
  explicit PlacedFloats(std::size_t place) : m_place(place) {}

  // Keeps what is large enough; else contents are lost, and new ones are not set to anything.
  void reserve(std::size_t count) {
    if (count <= m_count && m_memory) return;
    m_memory.reset(
        static_cast<std::byte*>(::operator new (count * sizeof(float) + m_place, std::align_val_t{kPage})));
    m_count = count;
  }
  [[nodiscard]] float* data() const { return reinterpret_cast<float*>(m_memory.get() + m_place); }

 private:
  static constexpr std::size_t kPage = 4096;
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{kPage}); }
  };
  std::size_t m_place;
  std::size_t m_count = 0;
  std::unique_ptr<std::byte, Free> m_memory;
};

}  // namespace attnscope
