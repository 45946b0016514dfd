// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace attnscope {

using Index = std::int64_t;

enum class DType { F32, F64, I32, I64, U8 };

[[nodiscard]] const char* dtypeName(DType type);
[[nodiscard]] std::size_t dtypeSize(DType type);

// A dense row-major array with a shape. Storage is 64-byte aligned unless it is borrowed (a mapped file), and
// shared: copying a Tensor copies a reference. Whoever fills one does so before handing it on; a finished
// tensor is never written again, which is what lets it cross threads without a lock.
class Tensor {
 public:
  Tensor() = default;
  // Uninitialised storage of the given shape. Throws std::bad_alloc: ask requireMemory() first for large
  // ones.
  Tensor(DType type, std::vector<Index> shape);
  static Tensor zeros(DType type, std::vector<Index> shape);
  static Tensor fromFloats(std::vector<Index> shape, std::span<const float> values);
  static Tensor fromInts(std::vector<Index> shape, std::span<const std::int32_t> values);
  // A shape without values, for what is known before it is made: reading its values aborts.
  static Tensor outline(DType type, std::vector<Index> shape);
  // Views memory owned by `owner`; `data` must be aligned for the type and stay unchanged.
  static Tensor borrow(DType type, std::vector<Index> shape, const void* data,
                       std::shared_ptr<const void> owner);

  [[nodiscard]] DType dtype() const { return m_type; }
  [[nodiscard]] const std::vector<Index>& shape() const { return m_shape; }
  [[nodiscard]] Index dim(std::size_t axis) const { return m_shape[axis]; }
  [[nodiscard]] std::size_t rank() const { return m_shape.size(); }
  [[nodiscard]] Index size() const { return m_size; }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(m_size) * dtypeSize(m_type); }
  [[nodiscard]] bool empty() const { return m_size == 0; }
  [[nodiscard]] bool hasValues() const { return m_data != nullptr || m_size == 0; }
  [[nodiscard]] const void* raw() const { return m_data.get(); }

  // Typed access. T must match dtype() (checked, aborts otherwise: a programmer's error).
  template <class T>
  [[nodiscard]] std::span<const T> values() const;
  template <class T>
  [[nodiscard]] std::span<T> mutableValues();

  // The contiguous block at index i of the first axis, e.g. one head of (H, n, d).
  template <class T>
  [[nodiscard]] std::span<const T> slice(Index i) const {
    const Index block = m_shape.empty() || m_shape[0] == 0 ? 0 : m_size / m_shape[0];
    return values<T>().subspan(static_cast<std::size_t>(i * block), static_cast<std::size_t>(block));
  }
  template <class T>
  [[nodiscard]] std::span<T> mutableSlice(Index i) {
    const Index block = m_shape.empty() || m_shape[0] == 0 ? 0 : m_size / m_shape[0];
    return mutableValues<T>().subspan(static_cast<std::size_t>(i * block), static_cast<std::size_t>(block));
  }

  // The same values under another shape with the same number of elements.
  [[nodiscard]] Tensor reshaped(std::vector<Index> shape) const;

 private:
  void check(DType type) const;
  DType m_type = DType::F32;
  std::vector<Index> m_shape;
  Index m_size = 0;
  std::shared_ptr<const void> m_data;
  bool m_borrowed = false;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// "(4, 128, 64)": how shapes appear in every message.
[[nodiscard]] std::string shapeText(std::span<const Index> shape);

}  // namespace attnscope
