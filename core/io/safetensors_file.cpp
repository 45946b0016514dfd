// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/io/array_formats.h"
#include "core/io/elements.h"

namespace attnscope {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr std::size_t kPrefix = 8;

struct TypeName {
  const char* name;
  ElementType type;
  bool readable = true;
};

constexpr std::array kTypes = {
    TypeName{"F32", {ElementKind::Float, 4}},
    TypeName{"F16", {ElementKind::Float, 2}},
    TypeName{"BF16", {ElementKind::BFloat, 2}},
    TypeName{"F64", {ElementKind::Float, 8}},
    TypeName{"BOOL", {ElementKind::Bool, 1}},
    TypeName{"U8", {ElementKind::UInt, 1}},
    TypeName{"I8", {ElementKind::Int, 1}},
    TypeName{"U16", {ElementKind::UInt, 2}},
    TypeName{"I16", {ElementKind::Int, 2}},
    TypeName{"U32", {ElementKind::UInt, 4}},
    TypeName{"I32", {ElementKind::Int, 4}},
    TypeName{"U64", {ElementKind::UInt, 8}},
    TypeName{"I64", {ElementKind::Int, 8}},
    TypeName{"F8_E4M3", {ElementKind::Float, 1}, false},
    TypeName{"F8_E5M2", {ElementKind::Float, 1}, false},
};

struct Extent {
  std::size_t begin = 0;
  std::size_t end = 0;
  const TypeName* type = nullptr;
};

class SafetensorsFile final : public ArrayFile {
 public:
  explicit SafetensorsFile(FileBytes file) : m_file(std::move(file)) {}

  [[nodiscard]] std::string path() const override { return m_file.path; }
  [[nodiscard]] std::string format() const override { return "safetensors"; }
  [[nodiscard]] const std::vector<Entry>& entries() const override { return m_entries; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override { return m_metadata; }
  [[nodiscard]] Result<Tensor> read(const std::string& name) const override;
  [[nodiscard]] Result<std::vector<std::string>> readStrings(const std::string& name) const override {
    return fail(ErrorKind::Input, where(name) + ": safetensors hold no strings. Put them into the metadata.");
  }

  [[nodiscard]] Status parse();

 private:
  [[nodiscard]] std::string where(const std::string& name) const {
    return m_file.path + ": tensor '" + name + "'";
  }
  [[nodiscard]] Result<Json> parseHeader();
  [[nodiscard]] Status addMetadata(const Json& value);
  [[nodiscard]] Status addTensor(const std::string& name, const Json& value);
  [[nodiscard]] Status checkExtents() const;
  [[nodiscard]] std::span<const std::byte> data() const { return m_file.bytes.subspan(m_dataOffset); }

  FileBytes m_file;
  std::size_t m_dataOffset = 0;
  std::vector<Entry> m_entries;
  std::vector<Extent> m_extents;  // as m_entries
  std::map<std::string, std::string> m_metadata;
};

Result<Json> SafetensorsFile::parseHeader() {
  const std::size_t size = m_file.bytes.size();
  std::uint64_t length = 0;
  if (size >= kPrefix) std::memcpy(&length, m_file.bytes.data(), kPrefix);
  if (size < kPrefix || length > kMaxHeader || length > size - kPrefix)
    return fail(
        ErrorKind::Input,
        fmt::format(
            "{}: claims a header of {} bytes in a file of {} (the limit is {}). It is not a safetensors "
            "file, or is cut off; copy or save it again.",
            m_file.path, length, size, kMaxHeader));
  m_dataOffset = kPrefix + static_cast<std::size_t>(length);
  const char* begin = reinterpret_cast<const char*>(m_file.bytes.data()) + kPrefix;
  // Two entries of one name would let a file say different things to different readers.
  std::set<std::string> names;
  std::string twice;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth == 1 && event == Json::parse_event_t::key && !names.insert(value.get<std::string>()).second)
      twice = value.get<std::string>();
    return true;
  };
  Json header = Json::parse(begin, begin + length, watch, false);
  if (header.is_discarded() || !header.is_object())
    return fail(ErrorKind::Input, m_file.path +
                                      ": its header is not a JSON object. It is not a safetensors file, or "
                                      "is damaged; save it again.");
  if (!twice.empty()) return fail(ErrorKind::Input, where(twice) + " occurs twice. Save the file again.");
  return header;
}

Status SafetensorsFile::addMetadata(const Json& value) {
  if (!value.is_object())
    return fail(ErrorKind::Input,
                m_file.path + ": __metadata__ is not an object of strings. Save the file again.");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      return fail(ErrorKind::Input,
                  fmt::format("{}: the metadata '{}' is not a string. Nested values go in as one "
                              "string of JSON.",
                              m_file.path, key));
    m_metadata[key] = text.get<std::string>();
  }
  return {};
}

// A non-negative integer below 2^62, or nothing.
std::optional<std::size_t> count(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  if (!value.is_number_unsigned() && value.get<std::int64_t>() < 0) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  return number < (std::uint64_t{1} << 62) ? std::optional<std::size_t>(number) : std::nullopt;
}

Status SafetensorsFile::addTensor(const std::string& name, const Json& value) {
  const auto damaged = [&](const std::string& what) {
    return fail(ErrorKind::Input, where(name) + " " + what + " The header is damaged; save the file again.");
  };
  if (!value.is_object() || !value.contains("dtype") || !value["dtype"].is_string() ||
      !value.contains("shape") || !value["shape"].is_array() || !value.contains("data_offsets") ||
      !value["data_offsets"].is_array() || value["data_offsets"].size() != 2)
    return damaged("lacks dtype, shape or two data_offsets.");
  Entry entry{name, value["dtype"].get<std::string>(), {}, false};
  for (const Json& extent : value["shape"]) {
    const std::optional<std::size_t> number = count(extent);
    if (!number || entry.shape.size() == 64) return damaged("has a shape that is not a list of sizes.");
    entry.shape.push_back(static_cast<Index>(*number));
  }
  const std::optional<std::size_t> begin = count(value["data_offsets"][0]);
  const std::optional<std::size_t> end = count(value["data_offsets"][1]);
  if (!begin || !end || *begin > *end) return damaged("has data_offsets that are not a range.");
  if (*end > data().size())
    return fail(ErrorKind::Input,
                fmt::format("{} ends at byte {} of the data, of which the file has {}. The file is cut "
                            "off; copy or save it again.",
                            where(name), *end, data().size()));
  const auto type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& t) { return entry.dtype == t.name; });
  Extent extent{*begin, *end, type == kTypes.end() ? nullptr : &*type};
  if (extent.type != nullptr) {
    const std::optional<std::size_t> bytes = extentBytes(entry.shape, extent.type->type.size);
    if (!bytes || *bytes != *end - *begin)
      return damaged(fmt::format("takes {} bytes, expected {} for the shape {} of {}.", *end - *begin,
                                 bytes ? std::to_string(*bytes) : "more than any machine has",
                                 shapeText(entry.shape), entry.dtype));
    const auto address = reinterpret_cast<std::uintptr_t>(data().data()) + extent.begin;
    entry.mapped = extent.type->readable && isVerbatim(extent.type->type, false, entry.shape.size()) &&
                   address % extent.type->type.size == 0;
  }
  m_entries.push_back(std::move(entry));
  m_extents.push_back(extent);
  return {};
}

// The extents have to tile the data: an overlap or a hole means that the header does not belong to it.
Status SafetensorsFile::checkExtents() const {
  std::vector<std::size_t> order(m_extents.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(m_extents[a].begin, m_extents[a].end) < std::pair(m_extents[b].begin, m_extents[b].end);
  });
  std::size_t reached = 0;
  for (const std::size_t i : order) {
    if (m_extents[i].begin != reached)
      return fail(ErrorKind::Input,
                  fmt::format("{} begins at byte {} of the data, expected {}: it {} the one before. "
                              "The header is damaged; save the file again.",
                              where(m_entries[i].name), m_extents[i].begin, reached,
                              m_extents[i].begin < reached ? "overlaps" : "leaves a hole after"));
    reached = m_extents[i].end;
  }
  if (reached != data().size())
    return fail(ErrorKind::Input,
                fmt::format("{}: its tensors take {} bytes, but {} follow the header. The file is "
                            "damaged; save it again.",
                            m_file.path, reached, data().size()));
  return {};
}

Status SafetensorsFile::parse() {
  ATTN_ASSIGN(header, parseHeader());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      ATTN_TRY(addMetadata(value));
    } else {
      ATTN_TRY(addTensor(name, value));
    }
  }
  return checkExtents();
}

Result<Tensor> SafetensorsFile::read(const std::string& name) const {
  std::string known;
  for (std::size_t i = 0; i < m_entries.size(); ++i) {
    if (i < 20) known += (i > 0 ? ", " : "") + m_entries[i].name;
    if (m_entries[i].name != name) continue;
    const Extent& extent = m_extents[i];
    if (extent.type == nullptr || !extent.type->readable)
      return fail(ErrorKind::Input,
                  fmt::format("{} has the type {}, expected F16, BF16, F32, F64, BOOL or integers. "
                              "Convert it, e.g. tensor.float().",
                              where(name), m_entries[i].dtype));
    return makeTensor(extent.type->type, m_entries[i].shape, false,
                      data().subspan(extent.begin, extent.end - extent.begin), m_file.owner, where(name));
  }
  return fail(ErrorKind::Input, fmt::format("{}: has no tensor '{}'; it has {}.", m_file.path, name,
                                            known.empty() ? "none" : known));
}

}  // namespace

Result<std::shared_ptr<const ArrayFile>> openSafetensors(const FileBytes& file) {
  auto result = std::make_shared<SafetensorsFile>(file);
  ATTN_TRY(result->parse());
  return result;
}

}  // namespace attnscope
