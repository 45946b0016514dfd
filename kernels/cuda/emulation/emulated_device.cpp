// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/emulation/emulated_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "kernels/cuda/host/blas.h"
#include "kernels/cuda/host/staging.h"
#include "kernels/cuda/kernels/all.cuh"

namespace attnscope::cuda::emulation {

namespace {

constexpr std::size_t kGuardWords = 64;
constexpr std::uint32_t kQuietNan = 0x7fc00000;  // a value read from a guard or never written shows

// Every guard word is another NaN: a kernel that reads beyond one buffer and writes beyond another would copy
// it, since sums of a NaN keep its bits.
std::uint32_t guardWord(std::uint32_t allocation, std::size_t place) {
  const auto mixed = (allocation * 2654435761U + static_cast<std::uint32_t>(place)) * 2246822519U;
  return kQuietNan | (mixed >> 10);
}

// [guard | data | guard]
struct Allocation {
  std::vector<std::uint32_t> words;
  std::size_t bytes = 0;
  std::uint32_t number = 0;

  Allocation(std::size_t size, std::uint32_t id)
      : words(2 * kGuardWords + (size + 3) / 4, kPoison), bytes(size), number(id) {
    for (std::size_t w = 0; w < words.size(); ++w)
      if (isGuard(w)) words[w] = guardWord(number, w);
  }
  [[nodiscard]] bool isGuard(std::size_t w) const {
    return w < kGuardWords || w >= words.size() - kGuardWords;
  }
  [[nodiscard]] void* data() { return words.data() + kGuardWords; }
  [[nodiscard]] bool intact() const {
    for (std::size_t g = 0; g < kGuardWords; ++g)
      for (const std::size_t w : {g, words.size() - 1 - g})
        if (words[w] != guardWord(number, w)) return false;
    return true;
  }
};

// A copy that has been queued: it happens when somebody waits or something else is queued behind it.
struct QueuedCopy {
  void* to;
  const void* from;
  std::size_t bytes;
};

class EmulatedDevice final : public Device, private CopyStream {
 public:
  explicit EmulatedDevice(const EmulationOptions& options) : m_options(options) {
    if (auto blas = Blas::load(options.blas)) m_blas = std::move(*blas);
  }

  DeviceInfo info() const override {
    DeviceInfo info{"cuda:emulated", "CUDA kernels emulated on the CPU", true, "", m_options.memory - m_used};
    if (m_options.tensorCores) info.precisions = {Precision::Fp32, Precision::Tf32, Precision::Bf16};
    if (m_blas) info.products = m_blas->name();
    return info;
  }
  Status activate() override { return mayFail(); }
  Result<void*> allocate(std::size_t bytes) override {
    ATTN_TRY(mayFail());
    if (m_used + bytes > m_options.memory)
      return fail(ErrorKind::Compute, fmt::format("the emulated device is out of memory ({} bytes)", bytes));
    Allocation allocation(bytes, ++m_number);
    void* data = allocation.data();
    m_used += bytes;
    m_allocations.emplace(data, std::move(allocation));
    return data;
  }
  void release(void* memory) override {
    drain();
    const auto found = m_allocations.find(memory);
    m_used -= found->second.bytes;
    m_allocations.erase(found);
  }
  Status upload(void* to, const void* from, std::size_t bytes) override {
    if (m_options.uploadedBytes != nullptr) *m_options.uploadedBytes += bytes;
    return m_staging.upload(to, from, bytes);
  }
  Status download(void* to, const void* from, std::size_t bytes) override {
    return m_staging.download(to, from, bytes);
  }
  Status synchronise() override {
    ATTN_TRY(mayFail());
    drain();
    return checkGuards("a copy");
  }
  Status mark(Moment moment) override {
    ATTN_TRY(mayFail());
    drain();
    m_moments[static_cast<std::size_t>(moment)] = std::chrono::steady_clock::now();
    return {};
  }
  Result<double> elapsed(Moment from, Moment to) override {
    ATTN_TRY(mayFail());
    return std::chrono::duration<double>(m_moments[static_cast<std::size_t>(to)] -
                                         m_moments[static_cast<std::size_t>(from)])
        .count();
  }
  Result<bool> multiplyByLibrary(const ProductArgs& args, int heads) override {
    if (!m_blas) return false;
    ATTN_TRY(mayFail());
    drain();
    ATTN_TRY(m_blas->start());
    ATTN_TRY(m_blas->multiply(args, heads, nullptr));
    ATTN_TRY(checkGuards("a product of the library"));
    return true;
  }

#define ATTN_LAUNCH(name)                                                                              \
  Status launch(const name##Args& args, const Blocks& blocks) override {                               \
    ATTN_TRY(mayFail());                                                                               \
    countLaunch(args);                                                                                 \
    drain();                                                                                           \
    return finishLaunch(#name, m_emulator.run(blocks, m_options.order, [&args] { run##name(args); })); \
  }
  ATTN_CUDA_KERNELS(ATTN_LAUNCH)
#undef ATTN_LAUNCH

 private:
  template <class Args>
  void countLaunch(const Args&) {
    if (std::is_same_v<Args, WeightsArgs> && m_options.pictureLaunches != nullptr)
      ++*m_options.pictureLaunches;
  }
  Status mayFail() {
    return m_options.fault ? m_options.fault() : Status{};
  }
  Result<void*> allocatePinned(std::size_t bytes) override {
    ATTN_TRY(mayFail());
    return std::malloc(bytes);
  }
  void releasePinned(void* memory) override {
    std::free(memory);
  }
  Status startUpload(void* to, const void* pinned, std::size_t bytes, int) override {
    ATTN_TRY(mayFail());
    m_copies.push_back({to, pinned, bytes});
    return {};
  }
  Status startDownload(void* pinned, const void* from, std::size_t bytes, int) override {
    ATTN_TRY(mayFail());
    m_copies.push_back({pinned, from, bytes});
    return {};
  }
  Status waitFor(int) override {
    ATTN_TRY(mayFail());
    drain();
    return {};
  }
  void drain() {
    for (const QueuedCopy& copy : m_copies) std::memcpy(copy.to, copy.from, copy.bytes);
    m_copies.clear();
  }

  Status finishLaunch(const char* kernel, const std::string& problem) {
    if (!problem.empty()) return fail(ErrorKind::Compute, fmt::format("kernel {}, {}", kernel, problem));
    return checkGuards(kernel);
  }
  Status checkGuards(const char* who) {
    for (const auto& [place, allocation] : m_allocations)
      if (!allocation.intact())
        return fail(ErrorKind::Compute,
                    fmt::format("{} writes outside a buffer of {} bytes", who, allocation.bytes));
    return {};
  }

  EmulationOptions m_options;
  std::unique_ptr<Blas> m_blas;
  std::vector<QueuedCopy> m_copies;
  Staging m_staging{*this};
  std::array<std::chrono::steady_clock::time_point, kMoments> m_moments{};
  Emulator m_emulator;
  std::map<void*, Allocation> m_allocations;
  std::uint64_t m_used = 0;
  std::uint32_t m_number = 0;
};

}  // namespace

std::unique_ptr<Device> makeEmulatedDevice(const EmulationOptions& options) {
  return std::make_unique<EmulatedDevice>(options);
}

}  // namespace attnscope::cuda::emulation
