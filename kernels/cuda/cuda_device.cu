// SPDX-License-Identifier: GPL-3.0-or-later
#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "kernels/cuda/cuda_backend.h"
#include "kernels/cuda/cuda_devices.h"
#include "kernels/cuda/host/blas.h"
#include "kernels/cuda/host/staging.h"
#include "kernels/cuda/kernels/all.cuh"

namespace attnscope {

namespace {

using cuda::Blocks;

// A call of the runtime as a sentence for the user. Most errors of kernels last until the program ends.
Status check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return {};
  std::string text = std::string("CUDA: ") + what + " failed: " + cudaGetErrorString(status) + ".";
  switch (status) {
    case cudaErrorMemoryAllocation:
      text += " Other programs may use the GPU's memory; use --device cpu, or a shorter input.";
      break;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorInvalidDeviceFunction:
      text +=
          " This program was not built for this GPU's architecture; use --device cpu, or build it with "
          "ATTNSCOPE_CUDA_ARCHITECTURES naming it.";
      break;
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
      text += " The NVIDIA driver is older than CUDA 13 needs (580); update it, or use --device cpu.";
      break;
    case cudaErrorNoDevice:
    case cudaErrorDevicesUnavailable:
      text += " No GPU can be used, or another program holds it alone; use --device cpu.";
      break;
    default:
      text += " The GPU is lost to this program until it is started again; use --device cpu.";
  }
  return fail(ErrorKind::Compute, std::move(text));
}

class GpuDevice final : public cuda::Device, private cuda::CopyStream {
 public:
  explicit GpuDevice(int number) : m_number(number) {
    auto blas = cuda::Blas::load();
    if (blas)
      m_blas = std::move(*blas);
    else
      m_withoutBlas = blas.error().message;
  }
  ~GpuDevice() override {
    m_staging.reset();
    for (cudaEvent_t event : m_moments)
      if (event != nullptr) cudaEventDestroy(event);
    for (cudaEvent_t event : m_slots)
      if (event != nullptr) cudaEventDestroy(event);
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
    info.products = m_blas && m_blasWorks ? m_blas->name() : "this program's kernel; " + m_withoutBlas;
    // Tensor cores need code that was made for them: what the driver makes of a build for older GPUs is
    // empty.
    cudaFuncAttributes tensorCores{};
    if (info.available && cudaFuncGetAttributes(&tensorCores, cuda::runAttendTf32) == cudaSuccess &&
        tensorCores.ptxVersion >= 80)
      info.precisions = {Precision::Fp32, Precision::Tf32, Precision::Bf16};
    if (!info.available)
      info.reason = std::string(cudaGetErrorString(status)) + " (compute capability " +
                    std::to_string(properties.major) + "." + std::to_string(properties.minor) + ")";
    return info;
  }

  Status activate() override {
    ATTN_TRY(check(cudaSetDevice(m_number), "choosing the device"));
    if (m_staging) return {};
    if (m_stream == nullptr)
      ATTN_TRY(check(cudaStreamCreateWithFlags(&m_stream, cudaStreamNonBlocking), "making a stream"));
    for (cudaEvent_t& event : m_moments)
      if (event == nullptr) ATTN_TRY(check(cudaEventCreate(&event), "making an event"));
    for (cudaEvent_t& event : m_slots)
      if (event == nullptr)
        ATTN_TRY(check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event"));
    m_staging = std::make_unique<cuda::Staging>(static_cast<cuda::CopyStream&>(*this));
    return {};
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
    return m_staging->upload(to, from, bytes);
  }
  Status download(void* to, const void* from, std::size_t bytes) override {
    return m_staging->download(to, from, bytes);
  }
  Status synchronise() override { return check(cudaStreamSynchronize(m_stream), "waiting for the kernels"); }

  Status mark(cuda::Moment moment) override {
    return check(cudaEventRecord(m_moments[static_cast<std::size_t>(moment)], m_stream),
                 "recording an event");
  }
  Result<double> elapsed(cuda::Moment from, cuda::Moment to) override {
    const cudaEvent_t end = m_moments[static_cast<std::size_t>(to)];
    ATTN_TRY(check(cudaEventSynchronize(end), "waiting for the kernels"));
    float milliseconds = 0.0F;
    ATTN_TRY(check(cudaEventElapsedTime(&milliseconds, m_moments[static_cast<std::size_t>(from)], end),
                   "reading the clock"));
    return 1e-3 * static_cast<double>(milliseconds);
  }

  // A library that does not start is as good as none: the kernel multiplies then.
  Result<bool> multiplyByLibrary(const cuda::ProductArgs& args, int heads) override {
    if (!m_blas || !m_blasWorks) return false;
    if (const Status started = m_blas->start(); !started) {
      m_withoutBlas = started.error().message;
      m_blasWorks = false;
      return false;
    }
    ATTN_TRY(m_blas->multiply(args, heads, m_stream));
    return true;
  }

#define ATTN_LAUNCH(name)                                                                             \
  Status launch(const cuda::name##Args& args, const Blocks& blocks) override {                        \
    cuda::run##name<<<dim3(blocks.x, blocks.y, blocks.z), dim3(cuda::kThreads), 0, m_stream>>>(args); \
    return check(cudaGetLastError(), "starting the kernel " #name);                                   \
  }
  ATTN_CUDA_KERNELS(ATTN_LAUNCH)
#undef ATTN_LAUNCH

 private:
  Result<void*> allocatePinned(std::size_t bytes) override {
    void* memory = nullptr;
    ATTN_TRY(check(cudaMallocHost(&memory, bytes), "allocating page-locked memory"));
    return memory;
  }
  void releasePinned(void* memory) override {
    cudaFreeHost(memory);
  }
  Status startUpload(void* to, const void* pinned, std::size_t bytes, int slot) override {
    ATTN_TRY(
        check(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, m_stream), "copying to the device"));
    return record(slot);
  }
  Status startDownload(void* pinned, const void* from, std::size_t bytes, int slot) override {
    ATTN_TRY(check(cudaMemcpyAsync(pinned, from, bytes, cudaMemcpyDeviceToHost, m_stream),
                   "copying from the device"));
    return record(slot);
  }
  Status waitFor(int slot) override {  // nothing, where nothing was recorded
    return check(cudaEventSynchronize(m_slots[static_cast<std::size_t>(slot)]), "waiting for a copy");
  }
  Status record(int slot) {
    return check(cudaEventRecord(m_slots[static_cast<std::size_t>(slot)], m_stream), "recording an event");
  }

  int m_number;
  cudaStream_t m_stream = nullptr;
  std::array<cudaEvent_t, cuda::kMoments> m_moments{};
  std::array<cudaEvent_t, 2> m_slots{};
  std::unique_ptr<cuda::Staging> m_staging;
  std::unique_ptr<cuda::Blas> m_blas;
  std::string m_withoutBlas;  // why; written before m_blasWorks says so
  std::atomic<bool> m_blasWorks{true};
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
  count.why = status == cudaErrorInsufficientDriver
                  ? "no NVIDIA driver, or one older than CUDA 13 needs (580)"
              : status == cudaErrorNoDevice ? "the driver finds no GPU"
              : status != cudaSuccess       ? cudaGetErrorString(status)
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
