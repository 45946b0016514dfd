// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/spectrum.h"

#include <algorithm>
#include <cmath>

#include <Spectra/SymEigsSolver.h>
#include <Eigen/Dense>

namespace attnscope {

namespace {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A^T A or A A^T, whichever is smaller, applied without being formed: n^2 numbers are not copied to double.
class GramProduct {
 public:
  using Scalar = double;
  explicit GramProduct(const Eigen::Map<const RowMatrix>& matrix)
      : m_matrix(matrix), m_tall(matrix.rows() >= matrix.cols()) {}
  [[nodiscard]] Eigen::Index rows() const { return std::min(m_matrix.rows(), m_matrix.cols()); }
  [[nodiscard]] Eigen::Index cols() const { return rows(); }

  // NOLINTNEXTLINE(readability-identifier-naming): the name is Spectra's.
  void perform_op(const double* in, double* out) const {
    const Eigen::Map<const Eigen::VectorXd> x(in, rows());
    Eigen::Map<Eigen::VectorXd> y(out, rows());
    y = m_tall ? byRows(forwards(x)) : forwards(byRows(x));
  }

 private:
  [[nodiscard]] Eigen::VectorXd forwards(const Eigen::VectorXd& x) const {
    Eigen::VectorXd y(m_matrix.rows());
    for (Eigen::Index i = 0; i < m_matrix.rows(); ++i) y[i] = m_matrix.row(i).cast<double>().dot(x);
    return y;
  }
  [[nodiscard]] Eigen::VectorXd byRows(const Eigen::VectorXd& x) const {
    Eigen::VectorXd y = Eigen::VectorXd::Zero(m_matrix.cols());
    for (Eigen::Index i = 0; i < m_matrix.rows(); ++i) y += x[i] * m_matrix.row(i).transpose().cast<double>();
    return y;
  }

  const Eigen::Map<const RowMatrix>& m_matrix;
  bool m_tall;
};

std::vector<double> exactValues(const Eigen::Map<const RowMatrix>& matrix) {
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(matrix.cast<double>());
  const Eigen::VectorXd& values = svd.singularValues();
  return {values.data(), values.data() + values.size()};
}

std::vector<double> leadingValues(const Eigen::Map<const RowMatrix>& matrix, Eigen::Index wanted) {
  GramProduct product(matrix);
  const Eigen::Index small = product.rows();
  const Eigen::Index subspace = std::min(small, std::max<Eigen::Index>(2 * wanted + 1, 20));
  Spectra::SymEigsSolver<GramProduct> solver(product, wanted, subspace);
  solver.init();
  solver.compute(Spectra::SortRule::LargestAlge, 1000, 1e-9, Spectra::SortRule::LargestAlge);
  if (solver.info() != Spectra::CompInfo::Successful) return {};
  const Eigen::VectorXd values = solver.eigenvalues();
  std::vector<double> singular;
  for (const double value : values) singular.push_back(std::sqrt(std::max(value, 0.0)));
  return singular;
}

}  // namespace

std::vector<double> singularValues(const Tensor& matrix, Index atMost) {
  if (matrix.rank() != 2 || matrix.empty() || atMost < 1) return {};
  const Eigen::Map<const RowMatrix> map(matrix.values<float>().data(), matrix.dim(0), matrix.dim(1));
  const Index small = std::min(matrix.dim(0), matrix.dim(1));
  std::vector<double> values;
  // A partial decomposition pays only for a small part of the values; it also needs more room than it
  // returns.
  if (std::max(matrix.dim(0), matrix.dim(1)) > 512 && 2 * atMost < small)
    values = leadingValues(map, static_cast<Eigen::Index>(atMost));
  if (values.empty()) values = exactValues(map);
  if (static_cast<Index>(values.size()) > atMost) values.resize(static_cast<std::size_t>(atMost));
  return values;
}

Tensor projectToPlane(std::span<const float> rows, Index n, Index d) {
  Tensor plane = Tensor::zeros(DType::F32, {n, 2});
  if (n < 1 || d < 1) return plane;
  const Eigen::Map<const RowMatrix> points(rows.data(), n, d);
  const Eigen::RowVectorXd mean = points.cast<double>().colwise().mean();
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(d, d);
  for (Eigen::Index i = 0; i < n; ++i) {
    const Eigen::VectorXd x = (points.row(i).cast<double>() - mean).transpose();
    covariance.selfadjointView<Eigen::Lower>().rankUpdate(x);
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance.selfadjointView<Eigen::Lower>());
  const std::span<float> out = plane.mutableValues<float>();
  for (Eigen::Index axis = 0; axis < std::min<Eigen::Index>(2, d); ++axis) {
    Eigen::VectorXd direction = solver.eigenvectors().col(d - 1 - axis);
    Eigen::Index largest = 0;
    direction.cwiseAbs().maxCoeff(&largest);
    if (direction[largest] < 0.0) direction = -direction;
    for (Eigen::Index i = 0; i < n; ++i)
      out[static_cast<std::size_t>(2 * i + axis)] =
          static_cast<float>((points.row(i).cast<double>() - mean).dot(direction.transpose()));
  }
  return plane;
}

}  // namespace attnscope
