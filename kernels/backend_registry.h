// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"

namespace attnscope {

// The CPU always; the CUDA device too, with the reason if it cannot be used.
[[nodiscard]] std::vector<DeviceInfo> allDevices();

// "auto", "cpu", "cuda" or "cuda:<number>". Error (Compute) gives the reason and the remedy. "auto" is the
// CPU: the CUDA kernels have been executed by the tests' emulation only, so a GPU has to be asked for.
[[nodiscard]] Result<const Backend*> findBackend(const std::string& device);

}  // namespace attnscope
