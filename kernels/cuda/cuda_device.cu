// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <memory>
#include <string>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/cuda_devices.h"
#include "kernels/cuda/kernels/all.cuh"

namespace attnscope {

namespace {

using cuda::Blocks;

// A call of the runtime as a sentence for the user. Most errors of kernels last until the program ends.
Status check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return {};
  std::string text = std::string("CUDA: ") + what + " failed: " + cudaGetErrorString(status) + ".";
  if (status == cudaErrorMemoryAllocation)
    text += " Other programs may use the GPU's memory; use --device cpu, or a shorter input.";
  else
    text += " The GPU may be lost to this program until it is started again; use --device cpu.";
  return fail(ErrorKind::Compute, std::move(text));
}

class GpuDevice final : public cuda::Device {
 public:
  explicit GpuDevice(int number) : m_number(number) {}
  ~GpuDevice() override {
    if (m_stream != nullptr) cudaStreamDestroy(m_stream);
  }

  DeviceInfo info() const override {
    DeviceInfo info{"cuda:" + std::to_string(m_number), "CUDA", false, "", 0};
    cudaDeviceProp properties{};
    if (const cudaError_t status = cudaGetDeviceProperties(&properties, m_number); status != cudaSuccess) {
      info.reason = cudaGetErrorString(status);
      return info;
    }
    info.name = properties.name;
    cudaFuncAttributes attributes{};
    std::size_t free = 0;
    std::size_t total = 0;
    cudaError_t status = cudaSetDevice(m_number);
    if (status == cudaSuccess) status = cudaFuncGetAttributes(&attributes, cuda::runFill);
    if (status == cudaSuccess) status = cudaMemGetInfo(&free, &total);
    cudaGetLastError();  // it is reported here, once
    info.available = status == cudaSuccess;
    info.memory = free;
    if (properties.major >= 8) info.precisions = {Precision::Fp32, Precision::Tf32, Precision::Bf16};
    if (!info.available)
      info.reason = std::string(cudaGetErrorString(status)) + " (compute capability " +
                    std::to_string(properties.major) + "." + std::to_string(properties.minor) + ")";
    return info;
  }

  Status activate() override {
    ATTN_TRY(check(cudaSetDevice(m_number), "choosing the device"));
    if (m_stream != nullptr) return {};
    return check(cudaStreamCreateWithFlags(&m_stream, cudaStreamNonBlocking), "making a stream");
  }

  Result<void*> allocate(std::size_t bytes) override {
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, bytes);
    if (status == cudaErrorMemoryAllocation) cudaGetLastError();  // not a lasting error
    ATTN_TRY(check(status, "allocating memory"));
    return memory;
  }
  void release(void* memory) override { cudaFree(memory); }

  Status upload(void* to, const void* from, std::size_t bytes) override {
    ATTN_TRY(
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, m_stream), "copying to the device"));
    return synchronise();  // the source may go away
  }
  Status download(void* to, const void* from, std::size_t bytes) override {
    ATTN_TRY(
        check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, m_stream), "copying from the device"));
    return synchronise();
  }
  Status synchronise() override { return check(cudaStreamSynchronize(m_stream), "waiting for the kernels"); }

#define ATTN_LAUNCH(name)                                                                             \
  Status launch(const cuda::name##Args& args, const Blocks& blocks) override {                        \
    cuda::run##name<<<dim3(blocks.x, blocks.y, blocks.z), dim3(cuda::kThreads), 0, m_stream>>>(args); \
    return check(cudaGetLastError(), "starting the kernel " #name);                                   \
  }
  ATTN_CUDA_KERNELS(ATTN_LAUNCH)
#undef ATTN_LAUNCH

 private:
  int m_number;
  cudaStream_t m_stream = nullptr;
};

// Number of devices, or why there is none.
struct Count {
  int devices = 0;
  std::string why;
};

Count countDevices() {
  Count count;
  const cudaError_t status = cudaGetDeviceCount(&count.devices);
  if (status == cudaSuccess && count.devices > 0) return count;
  cudaGetLastError();
  count.devices = 0;
  count.why = status == cudaErrorInsufficientDriver ? "no NVIDIA driver, or one older than CUDA 13 needs"
              : status == cudaErrorNoDevice         ? "the driver finds no GPU"
              : status != cudaSuccess               ? cudaGetErrorString(status)
                                                    : "no GPU";
  return count;
}

// One backend for each device, made once: backends are used by reference from any thread.
const std::vector<std::unique_ptr<const cuda::CudaBackend>>& backends() {
  static const auto made = [] {
    std::vector<std::unique_ptr<const cuda::CudaBackend>> all;
    const Count count = countDevices();
    for (int d = 0; d < count.devices; ++d)
      all.push_back(std::make_unique<const cuda::CudaBackend>(std::make_unique<GpuDevice>(d)));
    return all;
  }();
  return made;
}

}  // namespace

std::vector<DeviceInfo> cudaDevices() {
  std::vector<DeviceInfo> devices;
  for (const auto& backend : backends()) devices.push_back(backend->info());
  if (devices.empty()) devices.push_back({"cuda", "CUDA", false, countDevices().why, 0});
  return devices;
}

Result<const Backend*> cudaBackend(int number) {
  const auto devices = cudaDevices();
  const auto place = static_cast<std::size_t>(number);
  if (number >= 0 && place < devices.size() && devices[place].available) return backends()[place].get();
  return fail(ErrorKind::Compute,
              number >= 0 && place < devices.size() ? devices[place].reason : "there is no such device");
}

}  // namespace attnscope
