// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernels/cuda/device/args.h"

namespace attnscope::cuda::emulation {

// In which order the threads of a block run from barrier to barrier. No order may change a result.
enum class ThreadOrder { Forward, Backward, Scattered };

// Runs kernels block by block on the calling thread. Finds barriers that only a part of a block reaches or
// that are reached at different places, exchanges whose lanes do not come or read a lane that takes no part,
// threads that end while others wait, and writes beyond shared memory.
class Emulator {
 public:
  Emulator();
  ~Emulator();
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  // Empty, or what is wrong with the kernel.
  [[nodiscard]] std::string run(const Blocks& blocks, ThreadOrder order, const std::function<void()>& kernel);

  struct Impl;

 private:
  std::unique_ptr<Impl> m_impl;
};

}  // namespace attnscope::cuda::emulation
