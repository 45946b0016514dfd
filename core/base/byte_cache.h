// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

namespace attnscope {

// Finished values by key, at most so many bytes of them: the one that was not asked for the longest goes
// first. Key has operator<. All members may be called from any thread; a value lives on in whoever holds it.
template <class Key, class Value>
class ByteCache {
 public:
  using Pointer = std::shared_ptr<const Value>;
  explicit ByteCache(std::size_t mostBytes) : m_most(mostBytes) {}

  // Null if it is not there.
  [[nodiscard]] Pointer find(const Key& key) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_entries.find(key);
    if (found == m_entries.end()) return nullptr;
    m_order.splice(m_order.begin(), m_order, found->second);
    return found->second->value;
  }

  // Replaces what the key had. A value that is larger than the whole cache is not kept.
  void insert(const Key& key, Pointer value, std::size_t bytes) {
    const std::lock_guard lock(m_mutex);
    if (const auto known = m_entries.find(key); known != m_entries.end()) drop(known);
    if (bytes > m_most) return;
    m_order.push_front({key, std::move(value), bytes});
    m_entries[key] = m_order.begin();
    m_bytes += bytes;
    while (m_bytes > m_most) drop(m_entries.find(m_order.back().key));
  }

  void clear() {
    const std::lock_guard lock(m_mutex);
    m_entries.clear();
    m_order.clear();
    m_bytes = 0;
  }

  [[nodiscard]] std::size_t bytes() const {
    const std::lock_guard lock(m_mutex);
    return m_bytes;
  }
  [[nodiscard]] std::size_t mostBytes() const { return m_most; }

 private:
  struct Entry {
    Key key;
    Pointer value;
    std::size_t bytes = 0;
  };
  using Entries = std::map<Key, typename std::list<Entry>::iterator>;

  void drop(typename Entries::iterator at) {
    m_bytes -= at->second->bytes;
    m_order.erase(at->second);
    m_entries.erase(at);
  }

  mutable std::mutex m_mutex;
  std::list<Entry> m_order;  // newest first
  Entries m_entries;
  std::size_t m_bytes = 0;
  std::size_t m_most;
};

}  // namespace attnscope
