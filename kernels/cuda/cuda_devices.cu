// SPDX-License-Identifier: GPL-3.0-or-later
#include <cuda_runtime.h>

#include <string>

#include "kernels/cuda/cuda_devices.h"

namespace attnscope {

std::vector<DeviceInfo> cudaDevices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0) {
    const std::string why = status == cudaErrorInsufficientDriver
                                ? "no NVIDIA driver, or one older than CUDA 13 needs"
                            : status == cudaErrorNoDevice ? "the driver finds no GPU"
                            : status != cudaSuccess       ? cudaGetErrorString(status)
                                                          : "no GPU";
    return {{"cuda", "CUDA", false, why, 0}};
  }
  std::vector<DeviceInfo> devices;
  for (int d = 0; d < count; ++d) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, d) != cudaSuccess) continue;
    // A device is found, but no kernel of this version runs on it: say so instead of computing elsewhere in
    // silence.
    devices.push_back({"cuda:" + std::to_string(d), properties.name, false,
                       "this version computes on the CPU only; its CUDA kernels are not written yet",
                       static_cast<std::uint64_t>(properties.totalGlobalMem)});
  }
  return devices;
}

}  // namespace attnscope
