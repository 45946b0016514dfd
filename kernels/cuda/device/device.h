// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "core/base/error.h"
#include "kernels/backend.h"
#include "kernels/cuda/device/args.h"

namespace attnscope::cuda {

// Moments in a device's stream of launches and copies. A moment may be marked again.
enum class Moment { StepBegins, StepEnds, CopyBegins, CopyEnds };
inline constexpr int kMoments = 4;

// What the host side needs of a device. One implementation drives a GPU, one runs the same kernel sources on
// the CPU for tests. Calls are made by one thread at a time.
class Device {
 public:
  virtual ~Device() = default;
  [[nodiscard]] virtual DeviceInfo info() const = 0;
  // Before a run, on the thread that makes it.
  [[nodiscard]] virtual Status activate() = 0;
  [[nodiscard]] virtual Result<void*> allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;
  // An upload's source may change when it returns, a download is there; both wait for what was launched
  // before.
  [[nodiscard]] virtual Status upload(void* to, const void* from, std::size_t bytes) = 0;
  [[nodiscard]] virtual Status download(void* to, const void* from, std::size_t bytes) = 0;
  // Waits for everything that was launched; errors of kernels are found here at the latest.
  [[nodiscard]] virtual Status synchronise() = 0;

  [[nodiscard]] virtual Status mark(Moment moment) = 0;
  // Seconds between two marked moments by the device's clock; waits for the second.
  [[nodiscard]] virtual Result<double> elapsed(Moment from, Moment to) = 0;

  // Queues the product of a and b by a library, without bias and relu; false where there is none.
  [[nodiscard]] virtual Result<bool> multiplyByLibrary(const ProductArgs& args, int heads) = 0;

#define ATTN_LAUNCH(name) \
  [[nodiscard]] virtual Status launch(const name##Args& args, const Blocks& blocks) = 0;
  ATTN_CUDA_KERNELS(ATTN_LAUNCH)
#undef ATTN_LAUNCH
};

// Memory of a device, released with its owner.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(DeviceMemory&& other) noexcept
      : m_device(other.m_device), m_data(std::exchange(other.m_data, nullptr)), m_bytes(other.m_bytes) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(m_device, other.m_device);
    std::swap(m_data, other.m_data);
    std::swap(m_bytes, other.m_bytes);
    return *this;
  }
  ~DeviceMemory() {
    if (m_data != nullptr) m_device->release(m_data);
  }

  [[nodiscard]] static Result<DeviceMemory> make(Device& device, std::size_t bytes) {
    DeviceMemory memory;
    ATTN_ASSIGN(data, device.allocate(bytes == 0 ? 1 : bytes));
    memory.m_device = &device;
    memory.m_data = data;
    memory.m_bytes = bytes;
    return memory;
  }

  [[nodiscard]] std::size_t bytes() const { return m_bytes; }

  template <class T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(m_data);
  }

 private:
  Device* m_device = nullptr;
  void* m_data = nullptr;
  std::size_t m_bytes = 0;
};

}  // namespace attnscope::cuda
