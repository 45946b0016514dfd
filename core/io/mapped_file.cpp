// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace attnscope {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : m_fd(fd) {}
  ~Descriptor() {
    if (m_fd >= 0) ::close(m_fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return m_fd; }

 private:
  int m_fd;
};

tl::unexpected<Error> unreadable(const std::string& path, int code) {
  const char* remedy = code == ENOENT   ? "Check the path."
                       : code == EACCES ? "Check the permissions of the file."
                                        : "Check that the file can be read.";
  return fail(ErrorKind::Input,
              fmt::format("{}: cannot be opened: {}. {}", path, std::strerror(code), remedy));
}

}  // namespace

Result<FileBytes> mapFile(const std::string& path) {
  if (path.find('\0') != std::string::npos)
    return fail(ErrorKind::Input, "A path must not contain a zero byte.");
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return unreadable(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return unreadable(path, errno);
  if (S_ISDIR(info.st_mode))
    return fail(ErrorKind::Input, path + ": is a folder, expected a file. Name one file in it.");
  if (!S_ISREG(info.st_mode))
    return fail(ErrorKind::Input, path + ": is not a regular file. Save its contents to a file first.");
  if (info.st_size == 0) return fail(ErrorKind::Input, path + ": is empty (0 bytes).");

  const auto size = static_cast<std::size_t>(info.st_size);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t reserved = (size + page - 1) / page * page + page;
  // Reserve one page more than the file has, then lay the file over the front: reads at the tail stay legal.
  void* base = ::mmap(nullptr, reserved, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return unreadable(path, errno);
  if (::mmap(base, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file.get(), 0) == MAP_FAILED) {
    const int code = errno;
    ::munmap(base, reserved);
    return unreadable(path, code);
  }
  const std::shared_ptr<const void> owner(
      base, [reserved](const void* p) { ::munmap(const_cast<void*>(p), reserved); });
  return FileBytes{path, {static_cast<const std::byte*>(base), size}, owner};
}

}  // namespace attnscope
