// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"

namespace attnscope {

// The CPU always; CUDA devices too, with the reason if they cannot be used, or are not used unasked.
[[nodiscard]] std::vector<DeviceInfo> allDevices();

// What runs where nobody names a device.
struct AutoDevice {
  const Backend* backend = nullptr;
  std::string refused;  // why a device before it is not taken unasked; empty: none was refused
};

// The first of `devices` that passes the self-check (self_check.h), else the CPU: a device that nobody has
// tried with this program shows that it computes the same before its pictures are believed.
[[nodiscard]] AutoDevice chooseDevice(const std::vector<const Backend*>& devices);

// The choice among this machine's CUDA devices, made at the first call, which takes a moment where there are
// any.
[[nodiscard]] const AutoDevice& autoDevice();

// "auto", "cpu", "cuda" or "cuda:<number>". What a device taken by "auto" fails at is computed on the CPU
// (fallback_backend.h); a device with a name is taken at its word. Error (Compute) gives the reason and the
// remedy.
[[nodiscard]] Result<const Backend*> findBackend(const std::string& device);

}  // namespace attnscope
