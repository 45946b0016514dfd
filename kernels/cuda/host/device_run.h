// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <vector>

#include "kernels/backend.h"
#include "kernels/cuda/device/device.h"
#include "kernels/cuda/host/shared_device.h"

namespace attnscope::cuda {

// One run of a plan on a device: its buffers there, and what a step needs beside them. What the plan alone
// decides is left in `stays`, or, where that is null, let go with the step that reads it.
class DeviceRun {
 public:
  DeviceRun(Device& device, const FrozenPlan& frozen, const RunOptions& options, const JobContext& job,
            PlanOnDevice* stays)
      : m_device(device),
        m_frozen(frozen),
        m_options(options),
        m_job(job),
        m_stays(stays),
        m_held(plan().buffers.size()),
        m_executed(plan().steps.size()) {}

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
  // The same from a tensor of the plan.
  [[nodiscard]] Status setConstant(BufferId id, const Tensor& tensor);
  // Storage for what a step writes; not initialised.
  [[nodiscard]] Result<float*> create(BufferId id);
  [[nodiscard]] Rows rows(BufferId id) const;
  [[nodiscard]] float* data(BufferId id) const {
    return m_held[static_cast<std::size_t>(id)].memory->as<float>();
  }
  [[nodiscard]] SharedMemory memory(BufferId id) const { return m_held[static_cast<std::size_t>(id)].memory; }
  [[nodiscard]] Index floats(BufferId id) const;
  [[nodiscard]] Result<Tensor> fetch(BufferId id);

  // Memory that lives until the step ends.
  template <class T>
  [[nodiscard]] Result<T*> scratch(Index count) {
    ATTN_ASSIGN(memory, DeviceMemory::make(m_device, static_cast<std::size_t>(count) * sizeof(T)));
    m_stepMemory.push_back(std::make_shared<const DeviceMemory>(std::move(memory)));
    return m_stepMemory.back()->template as<T>();
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
  // What the plan alone decides: part `part` of what is made of the thing at `place` in it. Copied by the
  // first run; make() gives the numbers, in a vector, where they are not there yet.
  template <class T, class Make>
  [[nodiscard]] Result<const T*> keep(const void* place, int part, const Make& make) {
    if (m_stays == nullptr) {
      const auto values = make();
      return upload(std::span<const T>(values));
    }
    SharedMemory memory = m_stays->find({place, part});
    if (!memory) {
      const auto values = make();
      const double before = m_secondsTo;
      ATTN_ASSIGN(made, uploadShared(std::span<const T>(values).data(), values.size() * sizeof(T)));
      m_secondsKept += m_secondsTo - before;
      memory = std::move(made);
      m_stays->insert({place, part}, memory);
    }
    m_stepMemory.push_back(std::move(memory));
    return m_stepMemory.back()->template as<T>();
  }
  template <class T>
  [[nodiscard]] Result<const T*> keep(const std::vector<T>& values) {
    return keep<T>(values.data(), 0, [&] { return std::span<const T>(values); });
  }
  // A tensor (H or 1, ..., cols) as rows: one of the plan, or made of what is at `place` in it.
  [[nodiscard]] Result<Rows> keepRows(const Tensor& tensor);
  template <class Make>
  [[nodiscard]] Result<Rows> keepRows(const void* place, const std::vector<Index>& shape, const Make& make) {
    Tensor made;
    ATTN_ASSIGN(data, keep<float>(place, 0, [&] {
                  made = make();
                  return made.template values<float>();
                }));
    return rowsOf(data, shape);
  }
  // What the steps since the last call used beside buffers.
  [[nodiscard]] std::vector<SharedMemory> takeStepMemory() { return std::exchange(m_stepMemory, {}); }

  // How an attend step was launched.
  void setExecuted(std::size_t step, const AttendArgs& args) { m_executed[step] = args; }
  [[nodiscard]] const AttendArgs& executed(std::size_t step) const { return m_executed[step]; }

  // Copies, timed by the device.
  [[nodiscard]] Status copyTo(void* to, const void* from, std::size_t bytes);
  [[nodiscard]] Status copyFrom(void* to, const void* from, std::size_t bytes);
  [[nodiscard]] double secondsTo() const { return m_secondsTo; }
  [[nodiscard]] double secondsFrom() const { return m_secondsFrom; }
  [[nodiscard]] double secondsKept() const { return m_secondsKept; }  // of those to the device, what stays

  // out = relu?(a b + bias) by cuBLAS where there is one and the sums are short, else by the kernel.
  [[nodiscard]] Status multiply(const ProductArgs& args);

  [[nodiscard]] Status fill(void* out, Index words, std::uint32_t word);
  [[nodiscard]] Status fillFloats(float* out, Index count, float value);
  // Waits for the launches so far; Cancelled if the job is to stop.
  [[nodiscard]] Status finish(double units = 0.0);

 private:
  struct Held {
    SharedMemory memory;
    Index heads = 0;
  };
  [[nodiscard]] Result<SharedMemory> uploadShared(const void* values, std::size_t bytes);
  [[nodiscard]] Rows rowsOf(const float* data, const std::vector<Index>& shape) const;
  [[nodiscard]] const BufferSpec& spec(BufferId id) const {
    return plan().buffers[static_cast<std::size_t>(id)];
  }

  Device& m_device;
  const FrozenPlan& m_frozen;
  const RunOptions& m_options;
  const JobContext& m_job;
  PlanOnDevice* m_stays;
  std::vector<Held> m_held;
  std::vector<AttendArgs> m_executed;
  std::vector<SharedMemory> m_stepMemory;
  double m_secondsTo = 0.0;
  double m_secondsFrom = 0.0;
  double m_secondsKept = 0.0;
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
