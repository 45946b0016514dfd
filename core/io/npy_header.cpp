// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/npy_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace attnscope {

namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxDictionary = std::size_t{1} << 20;
constexpr std::size_t kMaxRank = 32;  // numpy's own limit
constexpr Index kMaxExtent = Index{1} << 62;

// Reads the one Python literal that a header is: a dict of 'descr', 'fortran_order' and 'shape'.
class DictParser {
 public:
  explicit DictParser(std::string_view text) : m_text(text) {}

  [[nodiscard]] bool parse() {
    if (!accept('{')) return false;
    while (!accept('}')) {
      std::string key;
      if (!quoted(key) || !accept(':') || !value(key)) return false;
      if (!accept(',') && peek() != '}') return false;
    }
    skipSpace();
    return m_at == m_text.size();
  }

  std::optional<std::string> descr;
  std::optional<bool> fortranOrder;
  std::optional<std::vector<Index>> shape;
  bool structured = false;

 private:
  bool value(const std::string& key) {
    if (key == "descr") {
      if (peek() == '[' || peek() == '(') {
        structured = true;
        return false;
      }
      std::string text;
      if (descr || !quoted(text)) return false;
      descr = text;
      return true;
    }
    if (key == "fortran_order") {
      if (fortranOrder) return false;
      if (word("True")) fortranOrder = true;
      if (word("False")) fortranOrder = false;
      return fortranOrder.has_value();
    }
    return key == "shape" && !shape && tuple();
  }

  bool tuple() {
    if (!accept('(')) return false;
    std::vector<Index> extents;
    while (!accept(')')) {
      skipSpace();
      Index extent = 0;
      const auto [end, code] = std::from_chars(m_text.data() + m_at, m_text.data() + m_text.size(), extent);
      if (code != std::errc{} || extent < 0 || extent > kMaxExtent || extents.size() == kMaxRank)
        return false;
      m_at = static_cast<std::size_t>(end - m_text.data());
      if (m_at < m_text.size() && m_text[m_at] == 'L') ++m_at;  // written by Python 2
      extents.push_back(extent);
      if (!accept(',') && peek() != ')') return false;
    }
    shape = std::move(extents);
    return true;
  }

  bool quoted(std::string& text) {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return false;
    const std::size_t end = m_text.find(quote, m_at + 1);
    if (end == std::string_view::npos) return false;
    text = std::string(m_text.substr(m_at + 1, end - m_at - 1));
    m_at = end + 1;
    return true;
  }

  bool word(std::string_view expected) {
    skipSpace();
    if (m_text.substr(m_at, expected.size()) != expected) return false;
    m_at += expected.size();
    return true;
  }

  bool accept(char expected) {
    if (peek() != expected) return false;
    ++m_at;
    return true;
  }

  char peek() {
    skipSpace();
    return m_at < m_text.size() ? m_text[m_at] : '\0';
  }

  void skipSpace() {
    while (m_at < m_text.size() && std::strchr(" \t\n\r", m_text[m_at]) != nullptr && m_text[m_at] != '\0')
      ++m_at;
  }

  std::string_view m_text;
  std::size_t m_at = 0;
};

std::optional<ElementType> parseDescr(const std::string& descr) {
  if (descr.size() < 3 || std::strchr("<>|=", descr[0]) == nullptr) return std::nullopt;
  std::size_t size = 0;
  const char* end = descr.data() + descr.size();
  const auto [stop, code] = std::from_chars(descr.data() + 2, end, size);
  if (code != std::errc{} || stop != end || size > (std::size_t{1} << 24)) return std::nullopt;
  ElementType type;
  type.size = size;
  type.bigEndian = descr[0] == '>';
  switch (descr[1]) {
    case 'f':
      type.kind = ElementKind::Float;
      break;
    case 'i':
      type.kind = ElementKind::Int;
      break;
    case 'u':
      type.kind = ElementKind::UInt;
      break;
    case 'b':
      type.kind = ElementKind::Bool;
      break;
    case 'S':
      type.kind = ElementKind::ByteString;
      break;
    case 'U':
      type.kind = ElementKind::Unicode;
      type.size = size * 4;
      break;
    default:
      return std::nullopt;
  }
  if (!type.isText() && !tensorType(type)) return std::nullopt;
  return type;
}

std::string printable(std::string_view text) {
  std::string shown(text.substr(0, 80));
  for (char& c : shown) c = c >= ' ' && c <= '~' ? c : '?';
  return text.size() > 80 ? shown + "..." : shown;
}

}  // namespace

Result<std::size_t> npyHeaderLength(std::span<const std::byte> prefix, const std::string& where) {
  if (prefix.size() < kNpyPrefix || std::memcmp(prefix.data(), kMagic.data(), kMagic.size()) != 0)
    return fail(ErrorKind::Input,
                where +
                    ": is not an array in numpy's format (it does not begin with \\x93NUMPY), "
                    "or is cut off. Save it again with numpy.save.");
  const auto at = [&](std::size_t i) { return std::to_integer<std::size_t>(prefix[i]); };
  const std::size_t version = at(6);
  if (version < 1 || version > 3)
    return fail(ErrorKind::Input,
                fmt::format("{}: has npy version {}.{}, expected 1, 2 or 3. Save it again with "
                            "numpy.save.",
                            where, version, at(7)));
  const std::size_t length =
      version == 1 ? at(8) | at(9) << 8 : at(8) | at(9) << 8 | at(10) << 16 | at(11) << 24;
  if (length > kMaxDictionary)
    return fail(ErrorKind::Input,
                fmt::format("{}: claims a header of {} bytes, expected at most {}. The file is "
                            "damaged; save it again.",
                            where, length, kMaxDictionary));
  return length + (version == 1 ? 10 : 12);
}

Result<NpyHeader> parseNpyHeader(std::span<const std::byte> header, const std::string& where) {
  ATTN_ASSIGN(length, npyHeaderLength(header, where));
  if (length > header.size())
    return fail(ErrorKind::Input,
                fmt::format("{}: is cut off inside its header ({} of {} bytes). Save or copy it "
                            "again.",
                            where, header.size(), length));
  const std::size_t begin = header[6] == std::byte{1} ? 10 : 12;
  const std::string_view text(reinterpret_cast<const char*>(header.data()) + begin, length - begin);
  DictParser dict(text);
  const bool parsed = dict.parse();
  if (dict.structured)
    return fail(ErrorKind::Input, where +
                                      ": is a structured array (several fields an element), expected plain "
                                      "numbers. Save each field as an array of its own.");
  if (!parsed || !dict.descr || !dict.fortranOrder || !dict.shape)
    return fail(ErrorKind::Input,
                fmt::format("{}: has a header that is not a dictionary of descr, fortran_order and "
                            "shape: \"{}\". Save it again with numpy.save.",
                            where, printable(text)));
  NpyHeader result;
  result.descr = printable(*dict.descr);
  const std::optional<ElementType> type = parseDescr(*dict.descr);
  if (!type)
    return fail(ErrorKind::Input,
                fmt::format("{}: has elements of type '{}', expected f2, f4, f8, integers, bool or "
                            "strings. Convert it with .astype('float32').",
                            where, result.descr));
  const std::optional<std::size_t> bytes = extentBytes(*dict.shape, type->size);
  if (!bytes)
    return fail(ErrorKind::Input,
                fmt::format("{}: claims the shape {}, more bytes than any machine has. The header "
                            "is damaged; save it again.",
                            where, shapeText(*dict.shape)));
  result.type = *type;
  result.fortranOrder = *dict.fortranOrder;
  result.shape = *dict.shape;
  result.dataOffset = length;
  result.dataBytes = *bytes;
  return result;
}

std::string formatNpyHeader(DType type, std::span<const Index> shape) {
  const char* descr = "<f4";
  if (type == DType::F64) descr = "<f8";
  if (type == DType::I32) descr = "<i4";
  if (type == DType::I64) descr = "<i8";
  if (type == DType::U8) descr = "|u1";
  std::string dict =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", descr, shapeText(shape));
  const std::size_t unpadded = 10 + dict.size() + 1;
  dict.append((64 - unpadded % 64) % 64, ' ');
  dict += '\n';
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(dict.size() & 0xFF);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

}  // namespace attnscope
