// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/memory.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include "core/base/units.h"

namespace attnscope {

namespace {

std::uint64_t readNumber(const char* path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  return file >> value ? value : std::numeric_limits<std::uint64_t>::max();
}

std::uint64_t systemAvailable() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::uint64_t kib = 0;
  std::string unit;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib * 1024;
    std::getline(file, unit);
  }
  return std::numeric_limits<std::uint64_t>::max();
}

// A line of /proc/self/status, which counts in KiB; 0 if there is none.
std::uint64_t statusBytes(const std::string& wanted) {
  std::ifstream file("/proc/self/status");
  std::string key;
  while (file >> key) {
    std::uint64_t kib = 0;
    if (key == wanted && file >> kib) return kib * 1024;
    std::getline(file, key);
  }
  return 0;
}

}  // namespace

std::uint64_t availableMemory() {
  const std::uint64_t limit = readNumber("/sys/fs/cgroup/memory.max");  // the text "max" reads as no limit
  const std::uint64_t used = readNumber("/sys/fs/cgroup/memory.current");
  const std::uint64_t inGroup =
      limit == std::numeric_limits<std::uint64_t>::max() || used > limit ? limit : limit - used;
  return std::min(systemAvailable(), inGroup);
}

std::uint64_t peakResidentMemory() {
  if (const std::uint64_t peak = statusBytes("VmHWM:")) return peak;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

void keepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

std::uint64_t restartPeakMemory() {
  malloc_trim(0);
  std::ofstream file("/proc/self/clear_refs");  // 5: the peak starts again (proc(5))
  file << 5;
  file.close();
  return file ? statusBytes("VmRSS:") : 0;
}

Status requireMemory(double bytes, const std::string& what) {
  // Looking takes 20 to 50 us, some hundredths of a short pass, and this much any process can get.
  constexpr double kAlwaysThere = 32 << 20;
  if (bytes <= kAlwaysThere) return {};
  const auto free = static_cast<double>(availableMemory());
  if (bytes <= 0.9 * free) return {};
  return fail(ErrorKind::Compute,
              what + " needs " + bytesText(bytes) + ", but only " + bytesText(free) +
                  " of memory is free. Use a shorter input, fewer heads, or close other programs.");
}

}  // namespace attnscope
