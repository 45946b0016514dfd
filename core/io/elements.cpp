// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/elements.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/base/memory.h"

static_assert(std::endian::native == std::endian::little, "the readers assume a little-endian machine");

namespace attnscope {

namespace {

// One element as an unsigned integer of the same width, byte order undone.
template <class U>
U loadBits(const std::byte* from, bool bigEndian) {
  U bits;
  std::memcpy(&bits, from, sizeof bits);
  if constexpr (sizeof(U) == 2) return bigEndian ? static_cast<U>(__builtin_bswap16(bits)) : bits;
  if constexpr (sizeof(U) == 4) return bigEndian ? static_cast<U>(__builtin_bswap32(bits)) : bits;
  if constexpr (sizeof(U) == 8) return bigEndian ? static_cast<U>(__builtin_bswap64(bits)) : bits;
  return bits;
}

// Visits the elements in row-major order whatever their order in the file.
class ElementWalk {
 public:
  ElementWalk(const std::vector<Index>& shape, bool fortranOrder)
      : m_shape(shape), m_index(shape.size(), 0), m_stride(shape.size(), 1) {
    Index stride = 1;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      m_stride[axis] = stride;
      stride *= shape[axis];
    }
    m_plain = !fortranOrder || shape.size() < 2;
  }

  // Position in the file of the current element; moves on to the next.
  std::size_t next() {
    const auto here = static_cast<std::size_t>(m_offset);
    if (m_plain) {
      ++m_offset;
      return here;
    }
    for (std::size_t axis = m_shape.size(); axis-- > 0;) {
      m_offset += m_stride[axis];
      if (++m_index[axis] < m_shape[axis]) return here;
      m_offset -= m_stride[axis] * m_shape[axis];
      m_index[axis] = 0;
    }
    return here;
  }

 private:
  const std::vector<Index>& m_shape;
  std::vector<Index> m_index;
  std::vector<Index> m_stride;
  Index m_offset = 0;
  bool m_plain = true;
};

template <class U, class To, class Convert>
void convertAll(std::span<To> to, const std::byte* from, bool bigEndian, ElementWalk walk, Convert convert) {
  for (To& value : to)
    value = static_cast<To>(convert(loadBits<U>(from + walk.next() * sizeof(U), bigEndian)));
}

void convertFloats(const ElementType& type, std::span<float> to, const std::byte* from,
                   const ElementWalk& walk) {
  const bool big = type.bigEndian;
  if (type.kind == ElementKind::BFloat) {
    convertAll<std::uint16_t>(to, from, big, walk, brainToFloat);
  } else if (type.size == 2) {
    convertAll<std::uint16_t>(to, from, big, walk, halfToFloat);
  } else if (type.size == 4) {
    convertAll<std::uint32_t>(to, from, big, walk,
                              [](std::uint32_t bits) { return std::bit_cast<float>(bits); });
  } else {
    convertAll<std::uint64_t>(to, from, big, walk,
                              [](std::uint64_t bits) { return std::bit_cast<double>(bits); });
  }
}

void convertInts(const ElementType& type, Tensor& tensor, const std::byte* from, const ElementWalk& walk) {
  const bool big = type.bigEndian;
  if (type.kind == ElementKind::Bool) {
    convertAll<std::uint8_t>(tensor.mutableValues<std::uint8_t>(), from, big, walk,
                             [](std::uint8_t bits) { return bits != 0 ? 1 : 0; });
  } else if (type.size == 1 && type.kind == ElementKind::UInt) {
    convertAll<std::uint8_t>(tensor.mutableValues<std::uint8_t>(), from, big, walk,
                             [](auto bits) { return bits; });
  } else if (type.size == 1) {
    convertAll<std::uint8_t>(tensor.mutableValues<std::int32_t>(), from, big, walk,
                             [](std::uint8_t bits) { return static_cast<std::int8_t>(bits); });
  } else if (type.size == 2 && type.kind == ElementKind::UInt) {
    convertAll<std::uint16_t>(tensor.mutableValues<std::int32_t>(), from, big, walk,
                              [](auto bits) { return bits; });
  } else if (type.size == 2) {
    convertAll<std::uint16_t>(tensor.mutableValues<std::int32_t>(), from, big, walk,
                              [](std::uint16_t bits) { return static_cast<std::int16_t>(bits); });
  } else if (type.size == 4 && type.kind == ElementKind::UInt) {
    convertAll<std::uint32_t>(tensor.mutableValues<std::int64_t>(), from, big, walk,
                              [](auto bits) { return bits; });
  } else if (type.size == 4) {
    convertAll<std::uint32_t>(tensor.mutableValues<std::int32_t>(), from, big, walk,
                              [](std::uint32_t bits) { return static_cast<std::int32_t>(bits); });
  } else {
    convertAll<std::uint64_t>(tensor.mutableValues<std::int64_t>(), from, big, walk,
                              [](auto bits) { return bits; });
  }
}

void appendUtf8(std::string& text, std::uint32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | (code >> 6));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | (code >> 12));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (code >> 18));
    text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace

float brainToFloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

float halfToFloat(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;  // subnormal or zero, exact in float
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
}

std::optional<DType> tensorType(const ElementType& type) {
  const std::size_t size = type.size;
  switch (type.kind) {
    case ElementKind::Float:
      return size == 2 || size == 4 || size == 8 ? std::optional(DType::F32) : std::nullopt;
    case ElementKind::BFloat:
      return size == 2 ? std::optional(DType::F32) : std::nullopt;
    case ElementKind::Bool:
      return size == 1 ? std::optional(DType::U8) : std::nullopt;
    case ElementKind::UInt:
      if (size == 1) return DType::U8;
      if (size == 2) return DType::I32;
      return size == 4 || size == 8 ? std::optional(DType::I64) : std::nullopt;
    case ElementKind::Int:
      if (size == 1 || size == 2 || size == 4) return DType::I32;
      return size == 8 ? std::optional(DType::I64) : std::nullopt;
    case ElementKind::Unicode:
    case ElementKind::ByteString:
      return std::nullopt;
  }
  return std::nullopt;
}

bool isVerbatim(const ElementType& type, bool fortranOrder, std::size_t rank) {
  if (fortranOrder && rank > 1) return false;
  if (type.bigEndian && type.size > 1) return false;
  switch (type.kind) {
    case ElementKind::Float:
      return type.size == 4;
    case ElementKind::UInt:
      return type.size == 1;
    case ElementKind::Int:
      return type.size == 4 || type.size == 8;
    default:
      return false;
  }
}

std::optional<std::size_t> extentBytes(std::span<const Index> shape, std::size_t size) {
  constexpr std::size_t kLimit = std::size_t{1} << 62;
  // A zero extent makes the product 0, but the others are still multiplied: all of them must be believable.
  std::size_t product = size;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
      continue;
    }
    if (__builtin_mul_overflow(product, static_cast<std::size_t>(extent), &product) || product > kLimit)
      return std::nullopt;
  }
  return empty ? 0 : product;
}

Result<Tensor> makeTensor(const ElementType& type, const std::vector<Index>& shape, bool fortranOrder,
                          std::span<const std::byte> data, std::shared_ptr<const void> owner,
                          const std::string& where) {
  const std::optional<DType> target = tensorType(type);
  if (!target) return fail(ErrorKind::Input, where + ": holds elements that cannot be read as numbers.");
  const bool verbatim = isVerbatim(type, fortranOrder, shape.size());
  const bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % dtypeSize(*target) == 0;
  if (verbatim && aligned && owner && !data.empty())
    return Tensor::borrow(*target, shape, data.data(), std::move(owner));

  const double count = static_cast<double>(data.size()) / static_cast<double>(type.size);
  ATTN_TRY(requireMemory(count * static_cast<double>(dtypeSize(*target)), where));
  Tensor tensor(*target, shape);
  if (data.empty()) return tensor;
  const ElementWalk walk(shape, fortranOrder);
  if (*target == DType::F32) {
    convertFloats(type, tensor.mutableValues<float>(), data.data(), walk);
    return tensor;
  }
  convertInts(type, tensor, data.data(), walk);
  if (type.kind == ElementKind::UInt && type.size == 8) {
    const auto values = tensor.values<std::int64_t>();
    if (std::any_of(values.begin(), values.end(), [](std::int64_t value) { return value < 0; }))
      return fail(ErrorKind::Input, where + ": holds an integer above 2^63 - 1. Save it with a signed type.");
  }
  return tensor;
}

Result<std::vector<std::string>> makeStrings(const ElementType& type, std::span<const std::byte> data,
                                             const std::string& where) {
  if (!type.isText())
    return fail(ErrorKind::Input,
                where + ": holds numbers, expected an array of strings (dtype 'U' or 'S').");
  std::vector<std::string> strings;
  for (std::size_t begin = 0; type.size > 0 && begin + type.size <= data.size(); begin += type.size) {
    const auto element = data.subspan(begin, type.size);
    std::string text;
    if (type.kind == ElementKind::Unicode) {
      std::size_t length = type.size / 4;
      const auto code = [&](std::size_t i) {
        return loadBits<std::uint32_t>(&element[4 * i], type.bigEndian);
      };
      while (length > 0 && code(length - 1) == 0) --length;
      for (std::size_t i = 0; i < length; ++i) appendUtf8(text, code(i));
    } else {
      text.assign(reinterpret_cast<const char*>(element.data()), element.size());
      while (!text.empty() && text.back() == '\0') text.pop_back();
    }
    strings.push_back(std::move(text));
  }
  return strings;
}

}  // namespace attnscope
