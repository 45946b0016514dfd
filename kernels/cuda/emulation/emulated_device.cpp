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

class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulationOptions& options) : m_options(options) {}

  DeviceInfo info() const override {
    DeviceInfo info{"cuda:emulated", "CUDA kernels emulated on the CPU", true, "", m_options.memory - m_used};
    if (m_options.tensorCores) info.precisions = {Precision::Fp32, Precision::Tf32, Precision::Bf16};
    return info;
  }
  Status activate() override { return {}; }
  Result<void*> allocate(std::size_t bytes) override {
    if (m_used + bytes > m_options.memory)
      return fail(ErrorKind::Compute, fmt::format("the emulated device is out of memory ({} bytes)", bytes));
    Allocation allocation(bytes, ++m_number);
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
  std::uint32_t m_number = 0;
};

}  // namespace

std::unique_ptr<Device> makeEmulatedDevice(const EmulationOptions& options) {
  return std::make_unique<EmulatedDevice>(options);
}

}  // namespace attnscope::cuda::emulation
