// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"

namespace attnscope {

// The CPU always; the CUDA device too, with the reason if it cannot be used.
[[nodiscard]] std::vector<DeviceInfo> allDevices();

// "auto" (a GPU if there is one, else the CPU), "cpu" or "cuda". Error (Compute) gives the reason and the
// remedy.
[[nodiscard]] Result<const Backend*> findBackend(const std::string& device);

}  // namespace attnscope
