// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include "core/io/array_formats.h"
#include "core/io/npy_header.h"

namespace attnscope {

namespace {

class NpyFile final : public ArrayFile {
 public:
  NpyFile(FileBytes file, NpyHeader header) : m_file(std::move(file)), m_header(std::move(header)) {
    const bool aligned = m_header.dataOffset % m_header.type.size == 0;  // the mapping begins at a page
    const bool mapped = aligned && isVerbatim(m_header.type, m_header.fortranOrder, m_header.shape.size());
    m_entries.push_back({"", m_header.descr, m_header.shape, mapped});
  }

  [[nodiscard]] std::string path() const override { return m_file.path; }
  [[nodiscard]] std::string format() const override { return "npy"; }
  [[nodiscard]] const std::vector<Entry>& entries() const override { return m_entries; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override { return m_metadata; }

  [[nodiscard]] Result<Tensor> read(const std::string& name) const override {
    ATTN_TRY(checkName(name));
    if (m_header.type.isText())
      return fail(ErrorKind::Input, m_file.path + ": holds strings, expected an array of numbers.");
    return makeTensor(m_header.type, m_header.shape, m_header.fortranOrder, data(), m_file.owner,
                      m_file.path);
  }

  [[nodiscard]] Result<std::vector<std::string>> readStrings(const std::string& name) const override {
    ATTN_TRY(checkName(name));
    return makeStrings(m_header.type, data(), m_file.path);
  }

 private:
  [[nodiscard]] Status checkName(const std::string& name) const {
    if (name.empty()) return {};
    return fail(ErrorKind::Input,
                fmt::format("{}: a .npy file holds one array without a name, there is no '{}'. Use "
                            ".npz or .safetensors for named arrays.",
                            m_file.path, name));
  }
  [[nodiscard]] std::span<const std::byte> data() const {
    return m_file.bytes.subspan(m_header.dataOffset, m_header.dataBytes);
  }

  FileBytes m_file;
  NpyHeader m_header;
  std::vector<Entry> m_entries;
  std::map<std::string, std::string> m_metadata;
};

}  // namespace

Result<std::shared_ptr<const ArrayFile>> openNpy(const FileBytes& file) {
  ATTN_ASSIGN(header, parseNpyHeader(file.bytes, file.path));
  const std::size_t found = file.bytes.size() - header.dataOffset;
  if (found != header.dataBytes)
    return fail(ErrorKind::Input,
                fmt::format("{}: has {} bytes of data, expected {} for the shape {} of '{}'. {}", file.path,
                            found, header.dataBytes, shapeText(header.shape), header.descr,
                            found < header.dataBytes ? "The file is cut off; copy or save it again."
                                                     : "Save one array a file, or several in a .npz."));
  return std::make_shared<const NpyFile>(file, std::move(header));
}

}  // namespace attnscope
