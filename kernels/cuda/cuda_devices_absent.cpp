// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/cuda_devices.h"

namespace attnscope {

namespace {

constexpr const char* kReason = "this program was built without nvcc, so it has no CUDA support";

}  // namespace

std::vector<DeviceInfo> cudaDevices() {
  return {{"cuda", "CUDA", false, kReason, 0}};
}

Result<const Backend*> cudaBackend(int) {
  return fail(ErrorKind::Compute, kReason);
}

}  // namespace attnscope
