// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace attnscope {

// Named arrays in a file: .npz, .npy (one array named ""), .safetensors. Recognised by content.
// Opening parses and checks the headers only. Tensors come out as F32 (f16, bf16, f32, f64, and floating
// input in big-endian or Fortran order are converted) or as I32/I64/U8 for integers and bool. A float32
// little-endian C-order array in .safetensors or .npy is not copied: the tensor borrows the mapped file.
// Members of an npz are always copied, since nothing aligns them.
class ArrayFile {
 public:
  struct Entry {
    std::string name;
    std::string dtype;  // as the file says it: "F16", "<f4"
    std::vector<Index> shape;
    bool mapped = false;  // reading it copies nothing
  };

  virtual ~ArrayFile() = default;
  [[nodiscard]] virtual std::string path() const = 0;
  [[nodiscard]] virtual std::string format() const = 0;  // "npz", "npy", "safetensors"
  [[nodiscard]] virtual const std::vector<Entry>& entries() const = 0;
  [[nodiscard]] virtual const std::map<std::string, std::string>& metadata() const = 0;  // safetensors only
  [[nodiscard]] virtual Result<Tensor> read(const std::string& name) const = 0;
  // npy/npz arrays of strings ('U' or 'S'), as UTF-8.
  [[nodiscard]] virtual Result<std::vector<std::string>> readStrings(const std::string& name) const = 0;
};

[[nodiscard]] Result<std::shared_ptr<const ArrayFile>> openArrayFile(const std::string& path);

// Writers. Each writes to a temporary file beside the target and renames it, so that an interrupted run
// leaves no half file; an existing file is replaced. The same tensors give the same bytes (no time stamps).
[[nodiscard]] Status writeNpz(const std::string& path, const std::vector<NamedTensor>& tensors);
[[nodiscard]] Status writeNpy(const std::string& path, const Tensor& tensor);

}  // namespace attnscope
