// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/reference/dense.h"

namespace attnscope::dense {

// The logit with relative positions, term by term as Dai et al. write it, before the scale.
class RelativeLogit {
 public:
  // Reads rel_proj, content_bias, position_bias and the switches of the request.
  explicit RelativeLogit(const OracleRequest& request);

  // Query row i of q against row j of keys, at a distance that need not be whole.
  [[nodiscard]] double operator()(const Matrix& q, Index i, const Matrix& keys, Index j,
                                  double distance) const;

 private:
  bool m_a, m_b, m_c, m_d;
  bool m_flat = true;  // rel_proj is 0: r is 0 at every distance
  Matrix m_projection;
  std::vector<double> m_u;
  std::vector<double> m_w;
};

}  // namespace attnscope::dense
