// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/host/staging.h"

#include <algorithm>
#include <cstring>

namespace attnscope::cuda {

Staging::~Staging() {
  for (int slot = 0; slot < 2; ++slot) {
    std::byte* buffer = m_buffers[static_cast<std::size_t>(slot)];
    if (buffer == nullptr) continue;
    (void)m_stream.waitFor(slot);  // a copy may still read it; that it failed was or will be said elsewhere
    m_stream.releasePinned(buffer);
  }
}

Status Staging::prepare() {
  for (std::byte*& buffer : m_buffers) {
    if (buffer != nullptr) continue;
    ATTN_ASSIGN(memory, m_stream.allocatePinned(kPiece));
    buffer = static_cast<std::byte*>(memory);
  }
  return {};
}

Status Staging::upload(void* to, const void* from, std::size_t bytes) {
  ATTN_TRY(prepare());
  for (std::size_t at = 0; at < bytes; at += kPiece) {
    const std::size_t count = std::min(kPiece, bytes - at);
    std::byte* buffer = m_buffers[static_cast<std::size_t>(m_next)];
    ATTN_TRY(m_stream.waitFor(m_next));  // what it held before has arrived
    std::memcpy(buffer, static_cast<const std::byte*>(from) + at, count);
    ATTN_TRY(m_stream.startUpload(static_cast<std::byte*>(to) + at, buffer, count, m_next));
    m_next ^= 1;
  }
  return {};
}

Status Staging::download(void* to, const void* from, std::size_t bytes) {
  ATTN_TRY(prepare());
  const std::size_t pieces = (bytes + kPiece - 1) / kPiece;
  const auto count = [&](std::size_t piece) { return std::min(kPiece, bytes - piece * kPiece); };
  const auto start = [&](std::size_t piece) -> Status {
    const int slot = static_cast<int>(piece % 2);
    ATTN_TRY(m_stream.waitFor(slot));  // an upload may still read it
    return m_stream.startDownload(m_buffers[piece % 2], static_cast<const std::byte*>(from) + piece * kPiece,
                                  count(piece), slot);
  };
  if (pieces > 0) ATTN_TRY(start(0));
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    if (piece + 1 < pieces) ATTN_TRY(start(piece + 1));
    ATTN_TRY(m_stream.waitFor(static_cast<int>(piece % 2)));
    std::memcpy(static_cast<std::byte*>(to) + piece * kPiece, m_buffers[piece % 2], count(piece));
  }
  return {};
}

}  // namespace attnscope::cuda
