// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/emulation/emulated_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "kernels/cuda/kernels/all.cuh"

namespace attnscope::cuda::emulation {

namespace {

constexpr std::size_t kGuardWords = 64;
constexpr std::uint32_t kGuard = 0x7fc0fade;   // NaN: a value read from here shows
constexpr std::uint32_t kPoison = 0x7fc0dead;  // so does one that was never written

// [guard | data | guard]
struct Allocation {
  std::vector<std::uint32_t> words;
  std::size_t bytes = 0;

  explicit Allocation(std::size_t size) : words(2 * kGuardWords + (size + 3) / 4, kPoison), bytes(size) {
    std::fill_n(words.begin(), kGuardWords, kGuard);
    std::fill(words.end() - kGuardWords, words.end(), kGuard);
  }
  [[nodiscard]] void* data() { return words.data() + kGuardWords; }
  [[nodiscard]] bool intact() const {
    const auto isGuard = [](std::uint32_t word) { return word == kGuard; };
    return std::all_of(words.begin(), words.begin() + kGuardWords, isGuard) &&
           std::all_of(words.end() - kGuardWords, words.end(), isGuard);
  }
};

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulationOptions& options) : m_options(options) {}

  DeviceInfo info() const override {
    return {"cuda:emulated", "CUDA kernels emulated on the CPU", true, "", m_options.memory - m_used};
  }
  Status activate() override { return {}; }
  Result<void*> allocate(std::size_t bytes) override {
    if (m_used + bytes > m_options.memory)
      return fail(ErrorKind::Compute, fmt::format("the emulated device is out of memory ({} bytes)", bytes));
    Allocation allocation(bytes);
    void* data = allocation.data();
    m_used += bytes;
    m_allocations.emplace(data, std::move(allocation));
    return data;
  }
  void release(void* memory) override {
    const auto found = m_allocations.find(memory);
    m_used -= found->second.bytes;
    m_allocations.erase(found);
  }
  Status upload(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    return checkGuards("a copy to the device");
  }
  Status download(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    return {};
  }
  Status synchronise() override { return {}; }

#define ATTN_LAUNCH(name)                                                                              \
  Status launch(const name##Args& args, const Blocks& blocks) override {                               \
    return finishLaunch(#name, m_emulator.run(blocks, m_options.order, [&args] { run##name(args); })); \
  }
  ATTN_CUDA_KERNELS(ATTN_LAUNCH)
#undef ATTN_LAUNCH

 private:
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
  Emulator m_emulator;
  std::map<void*, Allocation> m_allocations;
  std::uint64_t m_used = 0;
};

}  // namespace

std::unique_ptr<Device> makeEmulatedDevice(const EmulationOptions& options) {
  return std::make_unique<EmulatedDevice>(options);
}

}  // namespace attnscope::cuda::emulation
