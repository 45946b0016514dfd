// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/host/device_run.h"

#include <bit>

#include "kernels/cuda/host/blas.h"

namespace attnscope::cuda {

Status DeviceRun::set(BufferId id, const Tensor& tensor) {
  ATTN_ASSIGN(memory, uploadShared(tensor.raw(), tensor.bytes()));
  m_held[static_cast<std::size_t>(id)] = {std::move(memory), tensor.dim(0)};
  return {};
}

Status DeviceRun::setConstant(BufferId id, const Tensor& tensor) {
  if (m_stays == nullptr || tensor.empty()) return set(id, tensor);
  ATTN_ASSIGN(data, keep<float>(tensor.raw(), 0, [&] { return tensor.values<float>(); }));
  (void)data;
  m_held[static_cast<std::size_t>(id)] = {m_stepMemory.back(), tensor.dim(0)};
  return {};
}

Result<SharedMemory> DeviceRun::uploadShared(const void* values, std::size_t bytes) {
  ATTN_ASSIGN(memory, DeviceMemory::make(m_device, bytes));
  if (bytes > 0) ATTN_TRY(copyTo(memory.as<void>(), values, bytes));
  return std::make_shared<const DeviceMemory>(std::move(memory));
}

Result<float*> DeviceRun::create(BufferId id) {
  const auto bytes = static_cast<std::size_t>(heads() * rowCount(id) * colCount(id)) * sizeof(float);
  ATTN_ASSIGN(memory, DeviceMemory::make(m_device, bytes));
  Held& held = m_held[static_cast<std::size_t>(id)];
  held = {std::make_shared<const DeviceMemory>(std::move(memory)), heads()};
  return held.memory->as<float>();
}

Rows DeviceRun::rows(BufferId id) const {
  const Held& held = m_held[static_cast<std::size_t>(id)];
  return {held.memory->as<float>(), rowCount(id) * colCount(id), static_cast<std::int32_t>(held.heads),
          static_cast<std::int32_t>(heads()), colCount(id)};
}

Index DeviceRun::floats(BufferId id) const {
  return m_held[static_cast<std::size_t>(id)].heads * rowCount(id) * colCount(id);
}

Result<Tensor> DeviceRun::fetch(BufferId id) {
  const Held& held = m_held[static_cast<std::size_t>(id)];
  if (held.heads == 0) return Tensor();  // no step wrote it
  Tensor tensor(DType::F32, {held.heads, rowCount(id), colCount(id)});
  if (!tensor.empty())
    ATTN_TRY(copyFrom(tensor.mutableValues<float>().data(), held.memory->as<void>(), tensor.bytes()));
  return tensor;
}

Rows DeviceRun::rowsOf(const float* data, const std::vector<Index>& shape) const {
  Index headSize = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) headSize *= shape[axis];
  return {data, headSize, static_cast<std::int32_t>(shape.front()), static_cast<std::int32_t>(heads()),
          shape.back()};
}

Result<Rows> DeviceRun::keepRows(const Tensor& tensor) {
  return keepRows(tensor.raw(), tensor.shape(), [&] { return tensor; });
}

Status DeviceRun::copyTo(void* to, const void* from, std::size_t bytes) {
  ATTN_TRY(m_device.mark(Moment::CopyBegins));
  ATTN_TRY(m_device.upload(to, from, bytes));
  ATTN_TRY(m_device.mark(Moment::CopyEnds));
  ATTN_ASSIGN(seconds, m_device.elapsed(Moment::CopyBegins, Moment::CopyEnds));
  m_secondsTo += seconds;
  return {};
}

Status DeviceRun::copyFrom(void* to, const void* from, std::size_t bytes) {
  ATTN_TRY(m_device.mark(Moment::CopyBegins));
  ATTN_TRY(m_device.download(to, from, bytes));
  ATTN_TRY(m_device.mark(Moment::CopyEnds));
  ATTN_ASSIGN(seconds, m_device.elapsed(Moment::CopyBegins, Moment::CopyEnds));
  m_secondsFrom += seconds;
  return {};
}

Status DeviceRun::multiply(const ProductArgs& args) {
  if (args.depth <= kLongestBlasSum) {
    ATTN_ASSIGN(done, m_device.multiplyByLibrary(args, static_cast<int>(heads())));
    if (done && args.bias.data == nullptr && args.relu == 0) return {};
    if (done) {
      const auto all = static_cast<std::int32_t>(heads());
      const Rows product{args.out, args.m * args.n, all, all, args.n};
      return m_device.launch(BiasArgs{product, args.bias, args.out, args.m, args.relu},
                             cellBlocks(args.m * args.n, heads()));
    }
  }
  return m_device.launch(args,
                         {blocksOf(args.n, kSide), blocksOf(args.m, kSide), static_cast<unsigned>(heads())});
}

Status DeviceRun::fill(void* out, Index words, std::uint32_t word) {
  if (words == 0) return {};
  return m_device.launch(FillArgs{static_cast<std::uint32_t*>(out), words, word}, cellBlocks(words, 1));
}

Status DeviceRun::fillFloats(float* out, Index count, float value) {
  return fill(out, count, std::bit_cast<std::uint32_t>(value));
}

Status DeviceRun::finish(double units) {
  ATTN_TRY(m_device.synchronise());
  const bool goOn = units > 0.0 ? m_job.advance(units) : !m_job.isCancelled();
  if (!goOn) return cancelled();
  return {};
}

}  // namespace attnscope::cuda
