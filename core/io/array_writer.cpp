// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "core/io/array_file.h"
#include "core/io/npy_header.h"

namespace attnscope {

namespace {

// 1980-01-01 00:00, the first moment that a zip can name (as two fields in DOS's format).
constexpr zip_uint16_t kDosTime = 0;
constexpr zip_uint16_t kDosDate = (1 << 5) | 1;

tl::unexpected<Error> unwritable(const std::string& path, const std::string& reason) {
  return fail(ErrorKind::Output,
              fmt::format("{}: cannot be written: {}. Check the folder, its permissions and the free space.",
                          path, reason));
}

// A file beside the target that becomes the target when it is complete, and vanishes otherwise.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& target) : m_target(target), m_path(target + ".partial-XXXXXX") {
    m_fd = ::mkstemp(m_path.data());
    if (m_fd < 0) m_reason = std::strerror(errno);
  }
  ~TemporaryFile() {
    if (m_fd >= 0) ::close(m_fd);
    if (m_reason.empty() && !m_renamed) ::unlink(m_path.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] Status status() const {
    if (m_reason.empty()) return {};
    return unwritable(m_target, m_reason);
  }
  [[nodiscard]] const std::string& path() const { return m_path; }

  [[nodiscard]] Status write(const void* data, std::size_t bytes) {
    const char* from = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t done = ::write(m_fd, from, bytes);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return unwritable(m_target, std::strerror(errno));
      from += done;
      bytes -= static_cast<std::size_t>(done);
    }
    return {};
  }

  [[nodiscard]] Status commit() {
    const mode_t mask = ::umask(0);  // mkstemp makes 0600; a result is as readable as any other file
    ::umask(mask);
    if (::chmod(m_path.c_str(), 0666 & ~mask) != 0 || ::rename(m_path.c_str(), m_target.c_str()) != 0)
      return unwritable(m_target, std::strerror(errno));
    m_renamed = true;
    return {};
  }

 private:
  std::string m_target;
  std::string m_path;
  std::string m_reason;
  int m_fd = -1;
  bool m_renamed = false;
};

// One array as libzip reads it: the header, then the elements where they lie in the tensor.
struct ArraySource {
  std::string header;
  const Tensor* tensor = nullptr;
};

Status addArray(zip_t* zip, const std::string& name, const ArraySource& array, const std::string& path) {
  const std::array<zip_buffer_fragment_t, 2> parts = {{
      {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(array.header.data())), array.header.size()},
      {static_cast<zip_uint8_t*>(const_cast<void*>(array.tensor->raw())), array.tensor->bytes()},
  }};
  const zip_uint64_t used = array.tensor->bytes() > 0 ? 2 : 1;
  zip_source_t* source = zip_source_buffer_fragment(zip, parts.data(), used, 0);
  if (source == nullptr) return unwritable(path, zip_strerror(zip));
  const zip_int64_t index = zip_file_add(zip, (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return unwritable(path, fmt::format("array '{}': {}", name, zip_strerror(zip)));
  }
  const auto member = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(zip, member, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(zip, member, kDosTime, kDosDate, 0) != 0)
    return unwritable(path, zip_strerror(zip));
  return {};
}

Status checkNames(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::set<std::string> names;
  for (const NamedTensor& named : tensors) {
    if (named.name.empty() || !names.insert(named.name).second)
      return fail(ErrorKind::Output,
                  fmt::format("{}: two arrays are called '{}', or one has no name.", path, named.name));
  }
  return {};
}

}  // namespace

Status writeNpz(const std::string& path, const std::vector<NamedTensor>& tensors) {
  ATTN_TRY(checkNames(path, tensors));
  TemporaryFile temporary(path);
  ATTN_TRY(temporary.status());
  int code = 0;
  zip_t* zip = zip_open(temporary.path().c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (zip == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    return unwritable(path, reason);
  }
  std::vector<ArraySource> arrays;  // libzip reads them when it closes
  arrays.reserve(tensors.size());
  for (const NamedTensor& named : tensors) {
    arrays.push_back({formatNpyHeader(named.tensor.dtype(), named.tensor.shape()), &named.tensor});
    if (Status added = addArray(zip, named.name, arrays.back(), path); !added) {
      zip_discard(zip);
      return added;
    }
  }
  if (zip_close(zip) != 0) {
    const std::string reason = zip_strerror(zip);
    zip_discard(zip);
    return unwritable(path, reason);
  }
  return temporary.commit();
}

Status writeNpy(const std::string& path, const Tensor& tensor) {
  TemporaryFile temporary(path);
  ATTN_TRY(temporary.status());
  const std::string header = formatNpyHeader(tensor.dtype(), tensor.shape());
  ATTN_TRY(temporary.write(header.data(), header.size()));
  ATTN_TRY(temporary.write(tensor.raw(), tensor.bytes()));
  return temporary.commit();
}

}  // namespace attnscope
