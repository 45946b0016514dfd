// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "kernels/backend.h"

namespace attnscope {

// The CUDA devices of this machine, or one entry that says why there is none. Needs neither a driver nor a
// GPU.
[[nodiscard]] std::vector<DeviceInfo> cudaDevices();

// The backend of device "cuda:<number>"; the error is the reason why it cannot be used.
[[nodiscard]] Result<const Backend*> cudaBackend(int number);

}  // namespace attnscope
