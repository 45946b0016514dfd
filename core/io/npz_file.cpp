// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

#include "core/base/memory.h"
#include "core/io/array_formats.h"
#include "core/io/npy_header.h"

namespace attnscope {

namespace {

struct ZipCloser {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct ZipFileCloser {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using ZipPointer = std::unique_ptr<zip_t, ZipCloser>;
using ZipFilePointer = std::unique_ptr<zip_file_t, ZipFileCloser>;

struct Member {
  zip_uint64_t index = 0;
  NpyHeader header;
};

// Reads exactly `to.size()` bytes, or says what stopped it.
Status readExactly(zip_file_t* file, std::span<std::byte> to, const std::string& where) {
  std::size_t done = 0;
  while (done < to.size()) {
    const zip_int64_t got =
        zip_fread(file, to.data() + done, std::min<std::size_t>(to.size() - done, 1U << 24));
    if (got < 0)
      return fail(ErrorKind::Input, fmt::format("{}: cannot be unpacked: {}. Copy or save the file again.",
                                                where, zip_file_strerror(file)));
    if (got == 0)
      return fail(ErrorKind::Input,
                  fmt::format("{}: ends after {} of {} bytes. The file is cut off; copy or save it "
                              "again.",
                              where, done, to.size()));
    done += static_cast<std::size_t>(got);
  }
  return {};
}

// Members are unpacked into memory: numpy does not align stored ones, so there is nothing to gain from
// mapping.
class NpzFile final : public ArrayFile {
 public:
  NpzFile(FileBytes file, ZipPointer zip) : m_file(std::move(file)), m_zip(std::move(zip)) {}

  [[nodiscard]] std::string path() const override { return m_file.path; }
  [[nodiscard]] std::string format() const override { return "npz"; }
  [[nodiscard]] const std::vector<Entry>& entries() const override { return m_entries; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const override { return m_metadata; }
  [[nodiscard]] Result<Tensor> read(const std::string& name) const override;
  [[nodiscard]] Result<std::vector<std::string>> readStrings(const std::string& name) const override;

  // Reads the directory and the header of every .npy member.
  [[nodiscard]] Status readHeaders();

 private:
  [[nodiscard]] std::string where(const std::string& name) const {
    return m_file.path + ": array '" + name + "'";
  }
  [[nodiscard]] Status addMember(zip_uint64_t index, const zip_stat_t& info, const std::string& name);
  [[nodiscard]] Result<const Member*> find(const std::string& name) const;
  [[nodiscard]] Status readData(const Member& member, std::span<std::byte> to, const std::string& name) const;

  FileBytes m_file;
  ZipPointer m_zip;
  mutable std::mutex m_mutex;  // guards m_zip: libzip is not to be used from two threads at once
  std::vector<Entry> m_entries;
  std::vector<Member> m_members;  // as m_entries
  std::map<std::string, std::string> m_metadata;
};

Status NpzFile::readHeaders() {
  bool torch = false;
  const zip_int64_t count = zip_get_num_entries(m_zip.get(), 0);
  for (zip_int64_t index = 0; index < count; ++index) {
    zip_stat_t info;
    zip_stat_init(&info);
    if (zip_stat_index(m_zip.get(), static_cast<zip_uint64_t>(index), 0, &info) != 0 ||
        (info.valid & ZIP_STAT_NAME) == 0 || (info.valid & ZIP_STAT_SIZE) == 0)
      return fail(ErrorKind::Input,
                  fmt::format("{}: member {} of the zip cannot be read: {}. Copy or save the file "
                              "again.",
                              m_file.path, index, zip_strerror(m_zip.get())));
    const std::string member = info.name;
    torch = torch || member.ends_with("data.pkl");
    if (member.ends_with(".npy"))
      ATTN_TRY(addMember(static_cast<zip_uint64_t>(index), info, member.substr(0, member.size() - 4)));
  }
  if (!m_entries.empty()) return {};
  if (torch)
    return fail(ErrorKind::Input, m_file.path +
                                      ": is a PyTorch file, whose pickle can run code when loaded and is not "
                                      "read. Convert it: safetensors.torch.save_file(torch.load(path), "
                                      "\"in.safetensors\").");
  return fail(ErrorKind::Input,
              m_file.path + ": is a zip without any .npy array. Save the arrays with numpy.savez.");
}

Status NpzFile::addMember(zip_uint64_t index, const zip_stat_t& info, const std::string& name) {
  const auto same = [&](const Entry& entry) { return entry.name == name; };
  if (std::any_of(m_entries.begin(), m_entries.end(), same))
    return fail(ErrorKind::Input, where(name) + " occurs twice. Save the file again with different names.");
  // A deflated byte stands for at most 1032; anything beyond is a lie that must not size an allocation.
  if ((info.valid & ZIP_STAT_COMP_SIZE) == 0 || info.comp_size > m_file.bytes.size() ||
      info.size / 1040 > info.comp_size + 1)
    return fail(ErrorKind::Input,
                fmt::format("{}: claims {} bytes in a file of {}. The file is damaged; save it "
                            "again.",
                            where(name), info.size, m_file.bytes.size()));
  const ZipFilePointer file(zip_fopen_index(m_zip.get(), index, 0));
  if (!file)
    return fail(ErrorKind::Input, fmt::format("{}: cannot be unpacked: {}. Save it with numpy.savez or "
                                              "savez_compressed.",
                                              where(name), zip_strerror(m_zip.get())));
  std::vector<std::byte> bytes(kNpyPrefix);
  ATTN_TRY(readExactly(file.get(), bytes, where(name)));
  ATTN_ASSIGN(length, npyHeaderLength(bytes, where(name)));
  bytes.resize(std::max(length, kNpyPrefix));
  ATTN_TRY(readExactly(file.get(), std::span(bytes).subspan(kNpyPrefix), where(name)));
  Member member{index, {}};
  ATTN_ASSIGN(header, parseNpyHeader(bytes, where(name)));
  member.header = std::move(header);
  if (info.size - length != member.header.dataBytes)
    return fail(
        ErrorKind::Input,
        fmt::format(
            "{}: has {} bytes of data, expected {} for the shape {} of '{}'. The file is damaged; save "
            "it again.",
            where(name), info.size - length, member.header.dataBytes, shapeText(member.header.shape),
            member.header.descr));
  m_entries.push_back({name, member.header.descr, member.header.shape, false});
  m_members.push_back(std::move(member));
  return {};
}

Result<const Member*> NpzFile::find(const std::string& name) const {
  std::string known;
  for (std::size_t i = 0; i < m_entries.size(); ++i) {
    if (m_entries[i].name == name) return &m_members[i];
    if (i < 20) known += (i > 0 ? ", " : "") + m_entries[i].name;
  }
  return fail(ErrorKind::Input, fmt::format("{}: has no array '{}'; it has {}.", m_file.path, name, known));
}

Status NpzFile::readData(const Member& member, std::span<std::byte> to, const std::string& name) const {
  const std::scoped_lock lock(m_mutex);
  const ZipFilePointer file(zip_fopen_index(m_zip.get(), member.index, 0));
  if (!file)
    return fail(ErrorKind::Input,
                fmt::format("{}: cannot be unpacked: {}.", where(name), zip_strerror(m_zip.get())));
  std::vector<std::byte> skipped(member.header.dataOffset);
  ATTN_TRY(readExactly(file.get(), skipped, where(name)));
  ATTN_TRY(readExactly(file.get(), to, where(name)));
  std::byte extra{};
  // The checksum is compared when the end is reached, so the end has to be read as well.
  if (zip_fread(file.get(), &extra, 1) != 0)
    return fail(ErrorKind::Input, fmt::format("{}: is damaged ({}). Copy or save the file again.",
                                              where(name), zip_file_strerror(file.get())));
  return {};
}

Result<Tensor> NpzFile::read(const std::string& name) const {
  ATTN_ASSIGN(member, find(name));
  const NpyHeader& header = member->header;
  if (header.type.isText()) return fail(ErrorKind::Input, where(name) + " holds strings, expected numbers.");
  ATTN_TRY(requireMemory(2.0 * static_cast<double>(header.dataBytes), where(name)));
  if (isVerbatim(header.type, header.fortranOrder, header.shape.size())) {
    Tensor tensor(*tensorType(header.type), header.shape);
    auto* data = static_cast<std::byte*>(const_cast<void*>(tensor.raw()));  // still ours alone: being filled
    ATTN_TRY(readData(*member, {data, header.dataBytes}, name));
    return tensor;
  }
  std::vector<std::byte> bytes(header.dataBytes);
  ATTN_TRY(readData(*member, bytes, name));
  return makeTensor(header.type, header.shape, header.fortranOrder, bytes, nullptr, where(name));
}

Result<std::vector<std::string>> NpzFile::readStrings(const std::string& name) const {
  ATTN_ASSIGN(member, find(name));
  if (!member->header.type.isText()) return makeStrings(member->header.type, {}, where(name));
  ATTN_TRY(requireMemory(2.0 * static_cast<double>(member->header.dataBytes), where(name)));
  std::vector<std::byte> bytes(member->header.dataBytes);
  ATTN_TRY(readData(*member, bytes, name));
  return makeStrings(member->header.type, bytes, where(name));
}

}  // namespace

Result<std::shared_ptr<const ArrayFile>> openNpz(const FileBytes& file) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(file.bytes.data(), file.bytes.size(), 0, &error);
  ZipPointer zip(source != nullptr ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr);
  if (!zip) {
    const std::string reason = zip_error_strerror(&error);
    if (source != nullptr) zip_source_free(source);
    zip_error_fini(&error);
    return fail(ErrorKind::Input,
                fmt::format("{}: is not a complete zip: {}. The file is cut off or damaged; copy or "
                            "save it again.",
                            file.path, reason));
  }
  zip_error_fini(&error);
  auto result = std::make_shared<NpzFile>(file, std::move(zip));
  ATTN_TRY(result->readHeaders());
  return result;
}

}  // namespace attnscope
