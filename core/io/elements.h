// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace attnscope {

enum class ElementKind { Float, BFloat, Int, UInt, Bool, Unicode, ByteString };

// How one number (or string) lies in a file. For strings `size` is that of one whole element.
struct ElementType {
  ElementKind kind = ElementKind::Float;
  std::size_t size = 4;
  bool bigEndian = false;

  [[nodiscard]] bool isText() const {
    return kind == ElementKind::Unicode || kind == ElementKind::ByteString;
  }
};

// The tensor type that holds these elements: floating point of every width becomes F32, bool and 8 bits
// without sign U8, integers I32 or I64. Nothing for strings and for widths that no tensor holds.
[[nodiscard]] std::optional<DType> tensorType(const ElementType& type);

// True where the bytes in the file are already those of the tensor.
[[nodiscard]] bool isVerbatim(const ElementType& type, bool fortranOrder, std::size_t rank);

// Product of the extents times `size`, or nothing where an extent is negative or the product passes 2^62.
[[nodiscard]] std::optional<std::size_t> extentBytes(std::span<const Index> shape, std::size_t size);

// Makes a tensor of elements in a file. `data` has exactly extentBytes() bytes. Borrows from `owner` where
// the bytes can be used as they lie, copies and converts otherwise. `where` begins every message.
[[nodiscard]] Result<Tensor> makeTensor(const ElementType& type, const std::vector<Index>& shape,
                                        bool fortranOrder, std::span<const std::byte> data,
                                        std::shared_ptr<const void> owner, const std::string& where);

// The elements of an array of strings as UTF-8, in row-major order; trailing zeros are padding.
[[nodiscard]] Result<std::vector<std::string>> makeStrings(const ElementType& type,
                                                           std::span<const std::byte> data,
                                                           const std::string& where);

[[nodiscard]] float halfToFloat(std::uint16_t bits);
[[nodiscard]] float brainToFloat(std::uint16_t bits);

}  // namespace attnscope
