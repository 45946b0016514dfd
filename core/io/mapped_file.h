// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "core/base/error.h"

namespace attnscope {

// Bytes to be read, and what keeps them alive. `path` is what messages call them.
struct FileBytes {
  std::string path;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

// Maps a whole file for reading. Costs no time for its size; pages come in when they are touched. At least
// 4096 zero bytes follow the last one, so that a vector register may be loaded at the tail. The file must not
// be shortened while it is in use (the system then answers a read with SIGBUS; nothing can be done about that
// without copying). Errors (Input): missing, a folder, not readable, empty.
[[nodiscard]] Result<FileBytes> mapFile(const std::string& path);

}  // namespace attnscope
