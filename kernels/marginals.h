// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "kernels/effective.h"

namespace attnscope {

// The two sides of the matrix that one head applied.
struct Marginals {
  std::vector<float> received;  // n_k: sum over the queries of W_ij; 1 if every key got the same of n_q = n_k
  std::vector<float>
      spread;  // n_q: (sum_j |W_ij|)^2 / sum_j W_ij^2, the keys that really share a row; 0 for none
};

// O(n_q n_k d) time, O(n_k) memory beside a slab of a few megabytes. Any thread. Errors as of
// EffectiveMatrix::block().
[[nodiscard]] Result<Marginals> marginalsOf(const EffectiveMatrix& matrix, Index head,
                                            const JobContext& job = {});

}  // namespace attnscope
