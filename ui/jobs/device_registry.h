// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/backend_registry.h"

namespace attnscope {

// Where the window finds devices: this machine's, or what a test puts in their place. Any thread.
struct DeviceRegistry {
  std::function<std::vector<DeviceInfo>()> all = allDevices;
  std::function<Result<const Backend*>(const std::string&)> find = findBackend;
};

}  // namespace attnscope
