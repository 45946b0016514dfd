// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/reference/relative.h"

#include <cmath>

namespace attnscope::dense {

RelativeLogit::RelativeLogit(const OracleRequest& request)
    : m_a(request.params.flag("term_a")),
      m_b(request.params.flag("term_b")),
      m_c(request.params.flag("term_c")),
      m_d(request.params.flag("term_d")),
      m_projection(headOf(request.tensors.at("rel_proj"), request.head)) {
  const auto u = request.tensors.at("content_bias").slice<float>(request.head);
  const auto w = request.tensors.at("position_bias").slice<float>(request.head);
  m_u.assign(u.begin(), u.end());
  m_w.assign(w.begin(), w.end());
  for (const double x : m_projection.cells) m_flat = m_flat && x == 0.0;
}

double RelativeLogit::operator()(const Matrix& q, Index i, const Matrix& keys, Index j,
                                 double distance) const {
  const Index d = q.cols;
  double logit = 0.0;
  for (Index c = 0; c < d; ++c) {
    if (m_a) logit += q.at(i, c) * keys.at(j, c);
    if (m_c) logit += m_u[static_cast<std::size_t>(c)] * keys.at(j, c);
  }
  if (m_flat) return logit;
  std::vector<double> wave;
  for (Index a = 0; a < d; ++a) {
    const Index pair = a < d / 2 ? a : a - d / 2;
    const double angle =
        distance / std::pow(10000.0, 2.0 * static_cast<double>(pair) / static_cast<double>(d));
    wave.push_back(a < d / 2 ? std::sin(angle) : std::cos(angle));
  }
  for (Index c = 0; c < d; ++c) {
    double r = 0.0;
    for (Index a = 0; a < d; ++a) r += wave[static_cast<std::size_t>(a)] * m_projection.at(a, c);
    if (m_b) logit += q.at(i, c) * r;
    if (m_d) logit += m_w[static_cast<std::size_t>(c)] * r;
  }
  return logit;
}

}  // namespace attnscope::dense
