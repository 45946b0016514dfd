// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"
#include "core/io/elements.h"

namespace attnscope {

// The header of a .npy array, versions 1 to 3.
struct NpyHeader {
  std::string descr;  // "<f4"
  ElementType type;
  bool fortranOrder = false;
  std::vector<Index> shape;
  std::size_t dataOffset = 0;  // where the elements begin
  std::size_t dataBytes = 0;   // how many bytes they take, overflow excluded
};

// What has to be read before the length of the header is known (12 bytes cover every version).
inline constexpr std::size_t kNpyPrefix = 12;

// Bytes of magic, version, length and dictionary together, from the first kNpyPrefix bytes of the array.
[[nodiscard]] Result<std::size_t> npyHeaderLength(std::span<const std::byte> prefix,
                                                  const std::string& where);

// Parses a complete header. `where` names the file and the array.
[[nodiscard]] Result<NpyHeader> parseNpyHeader(std::span<const std::byte> header, const std::string& where);

// The bytes of a version 1 header, padded so that the data begins at a multiple of 64.
[[nodiscard]] std::string formatNpyHeader(DType type, std::span<const Index> shape);

}  // namespace attnscope
