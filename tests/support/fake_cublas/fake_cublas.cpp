// SPDX-License-Identifier: GPL-3.0-or-later
// A library with cuBLAS's names that multiplies memory of the host by plain loops, in columns and by the
// arguments as NVIDIA documents them (cublasSgemmStridedBatched). With FAKE_CUBLAS_BROKEN it lacks the
// product, with FAKE_CUBLAS_UNWILLING it does not start.
#include <cstdlib>

namespace {

int products = 0;
void* lastStream = nullptr;
int handleMemory = 0;

constexpr int kNotInitialised = 1;
constexpr int kInvalidValue = 7;

}  // namespace

extern "C" {

int fakeCublasProducts() {
  return products;
}
void* fakeCublasStream() {
  return lastStream;
}

int cublasCreate_v2(void** handle) {
#ifdef FAKE_CUBLAS_UNWILLING
  return kNotInitialised;
#else
  *handle = &handleMemory;
  return 0;
#endif
}
int cublasDestroy_v2(void* handle) {
  return handle == &handleMemory ? 0 : kNotInitialised;
}
int cublasSetStream_v2(void* handle, void* stream) {
  lastStream = stream;
  return handle == &handleMemory ? 0 : kNotInitialised;
}
int cublasGetProperty(int type, int* value) {
  const int version[] = {13, 4, 2};
  if (type < 0 || type > 2) return kInvalidValue;
  *value = version[type];
  return 0;
}

#ifndef FAKE_CUBLAS_BROKEN
int cublasSgemmStridedBatched(void* handle, int transA, int transB, int m, int n, int k, const float* alpha,
                              const float* a, int lda, long long strideA, const float* b, int ldb,
                              long long strideB, const float* beta, float* c, int ldc, long long strideC,
                              int batches) {
  if (handle != &handleMemory) return kNotInitialised;
  if (m < 0 || n < 0 || k < 0 || batches < 0) return kInvalidValue;
  const int rowsOfA = transA == 0 ? m : k;
  const int rowsOfB = transB == 0 ? k : n;
  if (lda < rowsOfA || ldb < rowsOfB || ldc < m) return kInvalidValue;
  ++products;
  for (int batch = 0; batch < batches; ++batch) {
    const float* left = a + batch * strideA;
    const float* right = b + batch * strideB;
    float* out = c + batch * strideC;
    for (int col = 0; col < n; ++col)
      for (int row = 0; row < m; ++row) {
        double sum = 0.0;
        for (int i = 0; i < k; ++i) {
          const float x = transA == 0 ? left[row + static_cast<long long>(i) * lda]
                                      : left[i + static_cast<long long>(row) * lda];
          const float y = transB == 0 ? right[i + static_cast<long long>(col) * ldb]
                                      : right[col + static_cast<long long>(i) * ldb];
          sum += static_cast<double>(x) * static_cast<double>(y);
        }
        float& place = out[row + static_cast<long long>(col) * ldc];
        // beta = 0 means that c is not read, whatever stands there.
        const double before = *beta == 0.0F ? 0.0 : static_cast<double>(*beta) * static_cast<double>(place);
        place = static_cast<float>(static_cast<double>(*alpha) * sum + before);
      }
  }
  return 0;
}
#endif

}  // extern "C"
