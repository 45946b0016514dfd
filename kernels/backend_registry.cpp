// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/backend_registry.h"

#include <charconv>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/cuda/cuda_devices.h"
#include "kernels/fallback_backend.h"
#include "kernels/self_check.h"

namespace attnscope {

namespace {

// "cuda" is the first device, "cuda:2" the third; -1 for anything else.
int cudaNumber(const std::string& device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return -1;
  int number = -1;
  const char* end = device.data() + device.size();
  const auto read = std::from_chars(device.data() + 5, end, number);
  return read.ec == std::errc() && read.ptr == end ? number : -1;
}

}  // namespace

std::vector<DeviceInfo> allDevices() {
  std::vector<DeviceInfo> devices = {cpuBackend().info()};
  for (DeviceInfo& device : cudaDevices()) {
    if (device.available) device.reason = autoDevice().refused;
    devices.push_back(std::move(device));
  }
  return devices;
}

AutoDevice chooseDevice(const std::vector<const Backend*>& devices) {
  AutoDevice choice{&cpuBackend(), {}};
  for (const Backend* device : devices) {
    const Status checked = selfCheck(*device);
    if (checked) {
      choice.backend = device;
      break;
    }
    if (choice.refused.empty())
      choice.refused = device->info().id + " failed its self-check: " + checked.error().message;
  }
  return choice;
}

const AutoDevice& autoDevice() {
  static const AutoDevice choice = [] {
    std::vector<const Backend*> devices;
    for (int number = 0; const auto backend = cudaBackend(number); ++number) devices.push_back(*backend);
    return chooseDevice(devices);
  }();
  return choice;
}

Result<const Backend*> findBackend(const std::string& device) {
  if (device == "auto") {
    static const FallbackBackend withCpu(*autoDevice().backend, cpuBackend());
    if (autoDevice().backend == &cpuBackend()) return &cpuBackend();
    return &withCpu;
  }
  if (device == "cpu") return &cpuBackend();
  if (const int number = cudaNumber(device); number >= 0) {
    auto backend = cudaBackend(number);
    if (backend) return *backend;
    return fail(ErrorKind::Compute, "The device '" + device + "' cannot be used: " + backend.error().message +
                                        ". Choose cpu, or auto.");
  }
  return fail(ErrorKind::Usage,
              "There is no device '" + device + "'. Known: auto, cpu, cuda, and cuda:0 and so on.");
}

}  // namespace attnscope
