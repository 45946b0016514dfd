// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/tensor.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace attnscope {

namespace {

constexpr std::size_t kAlignment = 64;

Index elementCount(const std::vector<Index>& shape) {
  Index count = 1;
  for (const Index extent : shape) count *= extent;
  return count;
}

std::shared_ptr<const void> allocate(std::size_t bytes) {
  // One whole vector of slack, so that a kernel may read a full register at the tail.
  void* data = ::operator new (bytes + kAlignment, std::align_val_t{kAlignment});
  return {data,
          [](const void* p) { ::operator delete (const_cast<void*>(p), std::align_val_t{kAlignment}); }};
}

template <class T>
constexpr DType dtypeOf();
template <>
constexpr DType dtypeOf<float>() {
  return DType::F32;
}
template <>
constexpr DType dtypeOf<double>() {
  return DType::F64;
}
template <>
constexpr DType dtypeOf<std::int32_t>() {
  return DType::I32;
}
template <>
constexpr DType dtypeOf<std::int64_t>() {
  return DType::I64;
}
template <>
constexpr DType dtypeOf<std::uint8_t>() {
  return DType::U8;
}

}  // namespace

const char* dtypeName(DType type) {
  switch (type) {
    case DType::F32:
      return "float32";
    case DType::F64:
      return "float64";
    case DType::I32:
      return "int32";
    case DType::I64:
      return "int64";
    case DType::U8:
      return "uint8";
  }
  return "?";
}

std::size_t dtypeSize(DType type) {
  switch (type) {
    case DType::F32:
    case DType::I32:
      return 4;
    case DType::F64:
    case DType::I64:
      return 8;
    case DType::U8:
      return 1;
  }
  return 0;
}

Tensor::Tensor(DType type, std::vector<Index> shape)
    : m_type(type), m_shape(std::move(shape)), m_size(elementCount(m_shape)), m_data(allocate(bytes())) {}

Tensor Tensor::zeros(DType type, std::vector<Index> shape) {
  Tensor tensor(type, std::move(shape));
  std::memset(const_cast<void*>(tensor.m_data.get()), 0, tensor.bytes());
  return tensor;
}

Tensor Tensor::fromFloats(std::vector<Index> shape, std::span<const float> values) {
  Tensor tensor(DType::F32, std::move(shape));
  if (!values.empty()) std::memcpy(tensor.mutableValues<float>().data(), values.data(), tensor.bytes());
  return tensor;
}

Tensor Tensor::fromInts(std::vector<Index> shape, std::span<const std::int32_t> values) {
  Tensor tensor(DType::I32, std::move(shape));
  if (!values.empty())
    std::memcpy(tensor.mutableValues<std::int32_t>().data(), values.data(), tensor.bytes());
  return tensor;
}

Tensor Tensor::outline(DType type, std::vector<Index> shape) {
  Tensor tensor;
  tensor.m_type = type;
  tensor.m_shape = std::move(shape);
  tensor.m_size = elementCount(tensor.m_shape);
  tensor.m_borrowed = true;
  return tensor;
}

Tensor Tensor::borrow(DType type, std::vector<Index> shape, const void* data,
                      std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.m_type = type;
  tensor.m_shape = std::move(shape);
  tensor.m_size = elementCount(tensor.m_shape);
  tensor.m_data = std::shared_ptr<const void>(std::move(owner), data);
  tensor.m_borrowed = true;
  return tensor;
}

void Tensor::check(DType type) const {
  if (!hasValues()) {
    std::fputs("attnscope: values of a tensor were read that are not made yet\n", stderr);
    std::abort();
  }
  if (type == m_type) return;
  std::fprintf(stderr, "attnscope: a %s tensor was read as %s\n", dtypeName(m_type), dtypeName(type));
  std::abort();
}

template <class T>
std::span<const T> Tensor::values() const {
  check(dtypeOf<T>());
  return {static_cast<const T*>(m_data.get()), static_cast<std::size_t>(m_size)};
}

template <class T>
std::span<T> Tensor::mutableValues() {
  check(dtypeOf<T>());
  if (m_borrowed) {
    std::fputs("attnscope: a borrowed tensor was opened for writing\n", stderr);
    std::abort();
  }
  return {static_cast<T*>(const_cast<void*>(m_data.get())), static_cast<std::size_t>(m_size)};
}

Tensor Tensor::reshaped(std::vector<Index> shape) const {
  Tensor view = *this;
  view.m_shape = std::move(shape);
  if (elementCount(view.m_shape) != m_size) {
    std::fputs("attnscope: a tensor was reshaped to another number of elements\n", stderr);
    std::abort();
  }
  return view;
}

#define ATTN_INSTANTIATE(T)                           \
  template std::span<const T> Tensor::values() const; \
  template std::span<T> Tensor::mutableValues();
ATTN_INSTANTIATE(float)
ATTN_INSTANTIATE(double)
ATTN_INSTANTIATE(std::int32_t)
ATTN_INSTANTIATE(std::int64_t)
ATTN_INSTANTIATE(std::uint8_t)
#undef ATTN_INSTANTIATE

std::string shapeText(std::span<const Index> shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(shape[axis]);
  }
  if (shape.size() == 1) text += ",";
  return text + ")";
}

}  // namespace attnscope
