// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device/device.h"

namespace attnscope::cuda {

// One run of a plan on a device: its buffers there, and what a step needs beside them.
class DeviceRun {
 public:
  DeviceRun(Device& device, const FrozenPlan& frozen, const RunOptions& options, const JobContext& job)
      : m_device(device), m_frozen(frozen), m_options(options), m_job(job), m_held(plan().buffers.size()) {}

  [[nodiscard]] Device& device() const { return m_device; }
  [[nodiscard]] const FrozenPlan& frozen() const { return m_frozen; }
  [[nodiscard]] const Plan& plan() const { return m_frozen.plan(); }
  [[nodiscard]] const RunOptions& options() const { return m_options; }
  [[nodiscard]] const JobContext& job() const { return m_job; }
  [[nodiscard]] Index heads() const { return plan().shape.heads; }
  [[nodiscard]] Index rowCount(BufferId id) const { return spec(id).rows; }
  [[nodiscard]] Index colCount(BufferId id) const { return spec(id).cols; }

  // Fills a buffer from the host; (held, rows, cols).
  [[nodiscard]] Status set(BufferId id, const Tensor& tensor);
  // Storage for what a step writes; not initialised.
  [[nodiscard]] Result<float*> create(BufferId id);
  [[nodiscard]] Rows rows(BufferId id) const;
  [[nodiscard]] float* data(BufferId id) const {
    return m_held[static_cast<std::size_t>(id)].memory.as<float>();
  }
  [[nodiscard]] Index floats(BufferId id) const;
  [[nodiscard]] Result<Tensor> fetch(BufferId id);

  // Memory that lives until the step ends.
  template <class T>
  [[nodiscard]] Result<T*> scratch(Index count) {
    ATTN_ASSIGN(memory, DeviceMemory::make(m_device, static_cast<std::size_t>(count) * sizeof(T)));
    m_scratch.push_back(std::move(memory));
    return m_scratch.back().template as<T>();
  }
  template <class T>
  [[nodiscard]] Result<const T*> upload(std::span<const T> values) {
    ATTN_ASSIGN(target, scratch<T>(static_cast<Index>(values.size())));
    if (!values.empty()) ATTN_TRY(copyTo(target, values.data(), values.size_bytes()));
    return target;
  }
  template <class T>
  [[nodiscard]] Result<const T*> upload(const std::vector<T>& values) {
    return upload(std::span<const T>(values));
  }
  // A tensor (H or 1, ..., cols) as rows.
  [[nodiscard]] Result<Rows> uploadRows(const Tensor& tensor);
  void endStep() { m_scratch.clear(); }

  // Copies, timed by the device.
  [[nodiscard]] Status copyTo(void* to, const void* from, std::size_t bytes);
  [[nodiscard]] Status copyFrom(void* to, const void* from, std::size_t bytes);
  [[nodiscard]] double secondsTo() const { return m_secondsTo; }
  [[nodiscard]] double secondsFrom() const { return m_secondsFrom; }

  // out = relu?(a b + bias) by cuBLAS where there is one and the sums are short, else by the kernel.
  [[nodiscard]] Status multiply(const ProductArgs& args);

  [[nodiscard]] Status fill(void* out, Index words, std::uint32_t word);
  [[nodiscard]] Status fillFloats(float* out, Index count, float value);
  // Waits for the launches so far; Cancelled if the job is to stop.
  [[nodiscard]] Status finish(double units = 0.0);

 private:
  struct Held {
    DeviceMemory memory;
    Index heads = 0;
  };
  [[nodiscard]] const BufferSpec& spec(BufferId id) const {
    return plan().buffers[static_cast<std::size_t>(id)];
  }

  Device& m_device;
  const FrozenPlan& m_frozen;
  const RunOptions& m_options;
  const JobContext& m_job;
  std::vector<Held> m_held;
  std::vector<DeviceMemory> m_scratch;
  double m_secondsTo = 0.0;
  double m_secondsFrom = 0.0;
};

// Blocks of 256 that cover `count`.
[[nodiscard]] inline unsigned blocksOf(Index count, Index size) {
  return static_cast<unsigned>((count + size - 1) / size);
}
// For kernels with a thread a cell, and with a warp a row.
[[nodiscard]] inline Blocks cellBlocks(Index cells, Index heads) {
  return {blocksOf(cells, kThreads), static_cast<unsigned>(heads), 1};
}
[[nodiscard]] inline Blocks rowBlocks(Index rows, Index heads) {
  return {blocksOf(rows, kThreads / 32), static_cast<unsigned>(heads), 1};
}

}  // namespace attnscope::cuda
