// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/device/device.h"
#include "kernels/cuda/emulation/emulator.h"

namespace attnscope::cuda::emulation {

// A device for tests: the kernels' sources run on the CPU. New memory is full of NaN and stands between guard
// zones that are checked after every launch. Never listed as a device of the machine.
struct EmulationOptions {
  ThreadOrder order = ThreadOrder::Forward;
  std::uint64_t memory = std::uint64_t{1} << 30;
  bool tensorCores = true;
  std::vector<std::string> blas{};  // libraries that stand for cuBLAS; none: products by the kernel
  std::function<Status()> fault{};  // asked before each call; its error is what the call returns
  std::atomic<std::uint64_t>* uploadedBytes = nullptr;    // counts what is copied to the device
  std::atomic<std::uint64_t>* pictureLaunches = nullptr;  // and launches of the kernel of weights
};
[[nodiscard]] std::unique_ptr<Device> makeEmulatedDevice(const EmulationOptions& options = {});

}  // namespace attnscope::cuda::emulation
