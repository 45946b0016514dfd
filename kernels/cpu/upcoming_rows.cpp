// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/upcoming_rows.h"

#include <cstddef>

namespace attnscope {

void UpcomingRows::clear() {
  m_pieces.clear();
  m_upcoming = {};
}

void UpcomingRows::add(const float* rows, Index cols, const std::int32_t* order, Index first, Index count) {
  constexpr Index kLine = 16;  // floats
  constexpr std::ptrdiff_t kMostWaiting = 512;
  if (cols == 0 || count == 0) return;
  // What was announced and not yet brought stays first.
  const std::ptrdiff_t waiting = m_upcoming.end - m_upcoming.next;
  if (waiting > kMostWaiting)
    clear();
  else
    m_pieces.erase(m_pieces.begin(), m_pieces.end() - waiting);
  const auto lines = [](Index floats) { return static_cast<std::int32_t>((floats + kLine - 1) / kLine); };
  if (order == nullptr)
    m_pieces.push_back({rows + first * cols, lines(count * cols)});
  else
    for (Index t = 0; t < count; ++t) m_pieces.push_back({rows + order[t] * cols, lines(cols)});
  m_upcoming.next = m_pieces.data();
  m_upcoming.end = m_pieces.data() + m_pieces.size();
}

}  // namespace attnscope
