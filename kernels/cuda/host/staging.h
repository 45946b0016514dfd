// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>

#include "core/base/error.h"

namespace attnscope::cuda {

// The copying side of a device: page-locked memory of the host, and copies between it and the device in the
// order of a stream. Copies of a slot are under way until waitFor(slot).
class CopyStream {
 public:
  virtual ~CopyStream() = default;
  [[nodiscard]] virtual Result<void*> allocatePinned(std::size_t bytes) = 0;
  virtual void releasePinned(void* memory) = 0;
  [[nodiscard]] virtual Status startUpload(void* to, const void* pinned, std::size_t bytes, int slot) = 0;
  [[nodiscard]] virtual Status startDownload(void* pinned, const void* from, std::size_t bytes, int slot) = 0;
  [[nodiscard]] virtual Status waitFor(int slot) = 0;
};

// Copies of any memory through two page-locked buffers, one filled or emptied while the other travels: the
// driver would copy pageable memory piece by piece through one of its own, and wait in between. An upload
// returns as soon as its source may change.
class Staging {
 public:
  static constexpr std::size_t kPiece = std::size_t{4} << 20;

  explicit Staging(CopyStream& stream) : m_stream(stream) {}
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  [[nodiscard]] Status upload(void* to, const void* from, std::size_t bytes);
  [[nodiscard]] Status download(void* to, const void* from, std::size_t bytes);

 private:
  [[nodiscard]] Status prepare();

  CopyStream& m_stream;
  std::array<std::byte*, 2> m_buffers{};
  int m_next = 0;  // the slot that was used longer ago
};

}  // namespace attnscope::cuda
