// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/packed_array.h"

#include <fmt/format.h>

#include <algorithm>

namespace attnscope {

namespace {

constexpr std::string_view kRoles = "qkv";

class PackedFile final : public ArrayFile {
 public:
  explicit PackedFile(std::shared_ptr<const ArrayFile> file) : m_file(std::move(file)) {
    const Entry& all = m_file->entries().front();
    for (const char role : kRoles)
      m_entries.push_back({std::string(1, role), all.dtype, {all.shape.begin() + 1, all.shape.end()}, false});
  }

  [[nodiscard]] std::string path() const override { return m_file->path(); }
  [[nodiscard]] std::string format() const override { return m_file->format(); }
  [[nodiscard]] const std::vector<Entry>& entries() const override { return m_entries; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override {
    return m_file->metadata();
  }

  [[nodiscard]] Result<Tensor> read(const std::string& name) const override {
    const std::size_t role = name.size() == 1 ? kRoles.find(name[0]) : std::string_view::npos;
    if (role == std::string_view::npos)
      return fail(ErrorKind::Input, fmt::format("{}: has q, k and v, there is no '{}'.", path(), name));
    ATTN_ASSIGN(all, m_file->read(""));
    if (all.dtype() != DType::F32) return wrongType(all.dtype());
    Tensor tensor(DType::F32, m_entries[role].shape);
    const auto from = all.slice<float>(static_cast<Index>(role));
    std::copy(from.begin(), from.end(), tensor.mutableValues<float>().begin());
    return tensor;
  }

  [[nodiscard]] Result<std::vector<std::string>> readStrings(const std::string& name) const override {
    return fail(ErrorKind::Input, fmt::format("{}: holds no strings under '{}'.", path(), name));
  }

 private:
  [[nodiscard]] Result<Tensor> wrongType(DType found) const {
    return fail(ErrorKind::Input, fmt::format("{}: holds {}, expected floating point. Convert it with "
                                              ".astype('float32').",
                                              path(), dtypeName(found)));
  }

  std::shared_ptr<const ArrayFile> m_file;
  std::vector<Entry> m_entries;
};

}  // namespace

Result<std::shared_ptr<const ArrayFile>> unpacked(std::shared_ptr<const ArrayFile> file) {
  const std::vector<Index>& shape = file->entries().front().shape;
  if (shape.size() < 3 || shape.front() != 3)
    return fail(
        ErrorKind::Input,
        fmt::format("{}: holds one array of the shape {}, expected q, k and v stacked: (3, heads, tokens, "
                    "width). Save it with numpy.stack([q, k, v]), or all three with "
                    "numpy.savez(path, q=q, k=k, v=v).",
                    file->path(), shapeText(shape)));
  return std::make_shared<const PackedFile>(std::move(file));
}

}  // namespace attnscope
