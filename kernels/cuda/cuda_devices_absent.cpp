// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_devices.h"

namespace attnscope {

std::vector<DeviceInfo> cudaDevices() {
  return {{"cuda", "CUDA", false, "this program was built without nvcc, so it has no CUDA support", 0}};
}

}  // namespace attnscope
