// SPDX-License-Identifier: GPL-3.0-or-later
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/reference/dense.h"

namespace attnscope {

namespace {

double halfNorm(const dense::Matrix& x, Index i) {
  return 0.5 * dense::dot(x, i, x, i);
}

dense::Matrix scaled(dense::Matrix x, double factor) {
  for (double& cell : x.cells) cell *= factor;
  return x;
}

// log of sum_a exp(t_a).
double logSum(const std::vector<double>& terms) {
  const double largest = *std::max_element(terms.begin(), terms.end());
  double sum = 0.0;
  for (const double term : terms) sum += std::exp(term - largest);
  return largest + std::log(sum);
}

// log of the kernel of two rows: sums over the directions of exp(w.(x + y) - |x|^2/2 - |y|^2/2), for the
// hyperbolic kind also of exp(-w.(x + y) - ...).
double logKernel(const std::vector<double>& wx, const std::vector<double>& wy, double norms, bool both) {
  std::vector<double> terms;
  for (std::size_t a = 0; a < wx.size(); ++a) {
    terms.push_back(wx[a] + wy[a] - norms);
    if (both) terms.push_back(-wx[a] - wy[a] - norms);
  }
  return logSum(terms);
}

std::vector<double> projections(const dense::Matrix& x, Index i, const dense::Matrix& omega) {
  std::vector<double> made;
  for (Index a = 0; a < omega.rows; ++a) made.push_back(dense::dot(x, i, omega, a));
  return made;
}

double signedKernel(const std::vector<double>& wx, const std::vector<double>& wy, bool relu, double eps) {
  double sum = 0.0;
  for (std::size_t a = 0; a < wx.size(); ++a)
    sum += relu ? (std::max(wx[a], 0.0) + eps) * (std::max(wy[a], 0.0) + eps)
                : std::cos(wx[a] - wy[a]);  // sin sin + cos cos
  return sum;
}

}  // namespace

// The quadratic form of the same features. Constants that cancel in a row are left out: 1/sqrt(m), and for
// the trigonometric kind exp(|x|^2/2) and the largest exp(|y|^2/2).
Result<OracleHead> performerOracle(const OracleRequest& request) {
  const auto q = dense::queries(request);
  const auto v = dense::values(request);
  const double scale = request.options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.cols)));
  const auto x = scaled(q, std::sqrt(scale));
  const auto y = scaled(dense::keys(request), std::sqrt(scale));
  const auto omega = dense::headOf(request.tensors.at("omega"), request.head);
  const std::string& kind = request.params.choice("kind");
  const bool exponential = kind == "positive" || kind == "hyperbolic";
  const auto allowed = [&](Index i, Index j) {
    return !request.options.causal || j <= dense::positionOf(i, x.rows, y.rows);
  };
  std::vector<std::vector<double>> wy;
  double largest = 0.0;
  for (Index j = 0; j < y.rows; ++j) {
    wy.push_back(projections(y, j, omega));
    largest = std::max(largest, halfNorm(y, j));
  }
  dense::Matrix kernel(x.rows, y.rows);
  for (Index i = 0; i < x.rows; ++i) {
    const auto wx = projections(x, i, omega);
    for (Index j = 0; j < y.rows; ++j) {
      const auto& other = wy[static_cast<std::size_t>(j)];
      if (exponential)
        kernel.at(i, j) = logKernel(wx, other, halfNorm(x, i) + halfNorm(y, j), kind == "hyperbolic");
      else
        kernel.at(i, j) = signedKernel(wx, other, kind == "relu", request.params.real("eps")) *
                          (kind == "trig" ? std::exp(halfNorm(y, j) - largest) : 1.0);
    }
  }
  if (exponential) {
    dense::Softmax softmax = dense::softmax(kernel, allowed);
    softmax.lse.clear();
    return dense::fromWeights(std::move(softmax), v, allowed);
  }
  dense::Softmax weights{dense::Matrix(x.rows, y.rows), {}};
  for (Index i = 0; i < x.rows; ++i) {
    double sum = 0.0;
    for (Index j = 0; j < y.rows; ++j)
      if (allowed(i, j)) sum += kernel.at(i, j);
    for (Index j = 0; j < y.rows; ++j)
      if (allowed(i, j) && sum != 0.0) weights.weights.at(i, j) = kernel.at(i, j) / sum;
  }
  return dense::fromWeights(std::move(weights), v, allowed);
}

}  // namespace attnscope
