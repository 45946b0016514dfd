// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/backend_registry.h"

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_devices.h"

namespace attnscope {

std::vector<DeviceInfo> allDevices() {
  std::vector<DeviceInfo> devices = {cpuBackend().info()};
  for (DeviceInfo& device : cudaDevices()) devices.push_back(std::move(device));
  return devices;
}

Result<const Backend*> findBackend(const std::string& device) {
  if (device == "auto" || device == "cpu") return &cpuBackend();
  if (device == "cuda")
    return fail(ErrorKind::Compute, "--device cuda: no usable CUDA device: " + cudaDevices().front().reason +
                                        ". Use --device cpu, or auto.");
  return fail(ErrorKind::Usage, "There is no device '" + device + "'. Known: auto, cpu, cuda, reference.");
}

}  // namespace attnscope
