// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "kernels/cuda/device/args.h"

namespace attnscope::cuda {

// Sums longer than this keep their digits in the product kernel, which adds pieces in double; cuBLAS adds in
// float32.
inline constexpr std::int64_t kLongestBlasSum = 2048;

// cuBLAS, opened when it is first wanted: the program starts without it, and then multiplies by its own
// kernel. Used by one thread at a time.
class Blas {
 public:
  // The first of `libraries` that can be opened and has what is needed; the error says why there is none.
  // Needs no device.
  [[nodiscard]] static Result<std::unique_ptr<Blas>> load(const std::vector<std::string>& libraries = {
                                                              "libcublas.so.13", "libcublas.so.12"});
  ~Blas();
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  [[nodiscard]] const std::string& name() const { return m_name; }  // "cuBLAS 13.0.2"
  // Before the first product, with the device current; more often does nothing.
  [[nodiscard]] Status start();
  // Queues out = a b for every head on a stream of the CUDA runtime; leaves bias and relu to the caller.
  [[nodiscard]] Status multiply(const ProductArgs& args, int heads, void* stream) const;

 private:
  struct Functions;
  Blas();

  std::unique_ptr<Functions> m_functions;
  void* m_handle = nullptr;  // of cuBLAS
  std::string m_name;
};

}  // namespace attnscope::cuda
