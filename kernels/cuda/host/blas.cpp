// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/host/blas.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace attnscope::cuda {

namespace {

// Of cublas_api.h, which has not changed here since CUDA 8.
constexpr int kSuccess = 0;
constexpr int kNotTransposed = 0;

}  // namespace

struct Blas::Functions {
  int (*create)(void** handle);
  int (*destroy)(void* handle);
  int (*setStream)(void* handle, void* stream);
  int (*property)(int type, int* value);
  int (*multiply)(void* handle, int transA, int transB, int m, int n, int k, const float* alpha,
                  const float* a, int lda, long long strideA, const float* b, int ldb, long long strideB,
                  const float* beta, float* c, int ldc, long long strideC, int batches);

  // Empty, or the function that the library does not have.
  std::string find(void* library) {
    std::string missing;
    const auto one = [&](auto*& function, const char* symbol) {
      void* found = dlsym(library, symbol);
      if (found == nullptr) missing = symbol;
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    one(create, "cublasCreate_v2");
    one(destroy, "cublasDestroy_v2");
    one(setStream, "cublasSetStream_v2");
    one(property, "cublasGetProperty");
    one(multiply, "cublasSgemmStridedBatched");
    return missing;
  }
};

Blas::Blas() : m_functions(std::make_unique<Functions>()) {}

// The library stays: what it keeps for the driver must not go before the program does.
Blas::~Blas() {
  if (m_handle != nullptr) m_functions->destroy(m_handle);
}

Result<std::unique_ptr<Blas>> Blas::load(const std::vector<std::string>& libraries) {
  std::string why;
  for (const std::string& name : libraries) {
    std::unique_ptr<Blas> blas(new Blas);
    void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* reason = dlerror();
      why += fmt::format("{}{}", why.empty() ? "" : "; ", reason != nullptr ? reason : name);
      continue;
    }
    if (const std::string missing = blas->m_functions->find(library); !missing.empty()) {
      why += fmt::format("{}{} has no {}", why.empty() ? "" : "; ", name, missing);
      continue;
    }
    int version[3] = {};  // major, minor, patch
    for (int part = 0; part < 3; ++part) blas->m_functions->property(part, &version[part]);
    blas->m_name = fmt::format("cuBLAS {}.{}.{}", version[0], version[1], version[2]);
    return blas;
  }
  return fail(ErrorKind::Compute, "no cuBLAS: " + why);
}

Status Blas::start() {
  if (m_handle != nullptr) return {};
  const int status = m_functions->create(&m_handle);
  if (status == kSuccess) return {};
  m_handle = nullptr;
  return fail(ErrorKind::Compute, fmt::format("{} does not start (status {})", m_name, status));
}

// cuBLAS reads columns. A matrix in rows is, read in columns, its transpose; so it is asked for
// out^T (n, m) = b^T (n, depth) a^T (depth, m), whose operands are b and a as they stand.
Status Blas::multiply(const ProductArgs& args, int heads, void* stream) const {
  const float one = 1.0F;
  const float zero = 0.0F;
  const auto shared = [heads](const Rows& rows) { return rows.held == 1 || rows.held == heads; };
  const auto stride = [](const Rows& rows) {
    return rows.held == 1 ? 0LL : static_cast<long long>(rows.headSize);
  };
  // Heads that share others in groups have no one stride.
  const int batches = shared(args.a) && shared(args.b) ? heads : 1;
  const auto held = [heads](const Rows& rows, int head) {
    return rows.data + static_cast<std::int64_t>(head) * rows.held / heads * rows.headSize;
  };
  int status = m_functions->setStream(m_handle, stream);
  for (int head = 0; head < heads && status == kSuccess; head += batches)
    status = m_functions->multiply(
        m_handle, kNotTransposed, kNotTransposed, static_cast<int>(args.n), static_cast<int>(args.m),
        static_cast<int>(args.depth), &one, held(args.b, head), static_cast<int>(args.b.cols), stride(args.b),
        held(args.a, head), static_cast<int>(args.a.cols), stride(args.a), &zero,
        args.out + head * args.m * args.n, static_cast<int>(args.n), args.m * args.n, batches);
  if (status == kSuccess) return {};
  return fail(ErrorKind::Compute,
              fmt::format("{}: a product of {} x {} x {} failed with status {}. Use --device cpu.", m_name,
                          args.m, args.depth, args.n, status));
}

}  // namespace attnscope::cuda
