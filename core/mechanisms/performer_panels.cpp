// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/performer_panels.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/mechanisms/random_directions.h"

namespace attnscope {

namespace {

using Kind = RandomFeatureStep::Kind;
using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr Index kMostRows = 512;     // of a picture
constexpr Index kMostKeys = 1024;    // of the error curve
constexpr Index kMostQueries = 192;  // of the error curve
constexpr Index kMostCurve = 1024;   // directions of the error curve

RowMatrix rowsOf(std::span<const float> values, Index rows, Index cols) {
  return FloatRows(values.data(), rows, cols).cast<double>();
}

InsidePanel matrixPanel(std::string title, std::string caption, std::string yTitle, std::string xTitle) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = std::move(title);
  panel.caption = std::move(caption);
  panel.yTitle = std::move(yTitle);
  panel.xTitle = std::move(xTitle);
  return panel;
}

const RandomFeatureStep& queryStep(const Plan& plan) {
  return std::get<RandomFeatureStep>(plan.steps.front());
}

InsidePanel gramPanel(const RandomFeatureStep& step, Index head) {
  const Index rows = std::min(step.omega.dim(1), kMostRows);
  const RowMatrix w = rowsOf(step.omega.slice<float>(head), rows, step.omega.dim(2));
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> gram =
      (w * w.transpose()).cast<float>();
  InsidePanel panel = matrixPanel(
      "\u03a9\u03a9\u1d40",
      "Products of the directions: within a block of d orthogonal ones only the diagonal is left.",
      "direction", "direction");
  if (rows < step.omega.dim(1)) panel.caption += fmt::format(" The first {} are shown.", rows);
  panel.values = Tensor::fromFloats({rows, rows}, {gram.data(), static_cast<std::size_t>(gram.size())});
  panel.diverging = true;
  return panel;
}

InsidePanel normPanel(const RandomFeatureStep& step, Index head) {
  const Index m = step.omega.dim(1);
  const Index d = step.omega.dim(2);
  const RowMatrix w = rowsOf(step.omega.slice<float>(head), m, d);
  const Eigen::VectorXd norms = w.rowwise().norm();
  const double middle = std::sqrt(static_cast<double>(d));
  const double low = std::min(norms.minCoeff(), middle - 2.0);
  const double high = std::max(norms.maxCoeff(), middle + 2.0);
  constexpr std::size_t kBins = 24;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Lengths of the directions";
  panel.caption = fmt::format(
      "How many directions have which length; a normal vector of {} numbers has about \u221ad = {:.3g}.", d,
      middle);
  panel.xTitle = "length";
  panel.yTitle = "directions";
  panel.bars.assign(kBins, 0.0);
  const double step1 = (high - low) / static_cast<double>(kBins);
  for (const double norm : norms) {
    const auto bin = static_cast<std::size_t>(std::max(0.0, (norm - low) / step1));
    panel.bars[std::min(bin, kBins - 1)] += 1.0;
  }
  for (std::size_t b = 0; b < kBins; ++b)
    panel.barNames.push_back(fmt::format("{:.3g}", low + (static_cast<double>(b) + 0.5) * step1));
  return panel;
}

InsidePanel featurePanel(const Tensor& phi, Kind kind, Index head) {
  const Index n = phi.dim(1);
  const Index r = phi.dim(2);
  const Index rows = std::min(n, kMostRows);
  const Index cols = std::min<Index>(r, 2 * kMostRows);
  const auto from = phi.slice<float>(head);
  std::vector<float> cells;
  cells.reserve(static_cast<std::size_t>(rows * cols));
  for (Index t = 0; t < rows; ++t)
    for (Index a = 0; a < cols; ++a) cells.push_back(from[static_cast<std::size_t>((t * n / rows) * r + a)]);
  const bool exponents = holdsExponents(kind);
  InsidePanel panel = matrixPanel(
      exponents ? "log \u03c6(K)" : "\u03c6(K)",
      exponents
          ? "Exponents of the keys' features: a long key is far below 0 in most and high in a few."
          : (kind == Kind::Trig ? "Features of the keys: signed, so weights can cancel or turn negative."
                                : "Features of the keys: none is negative."),
      "key", "feature");
  if (rows < n) panel.caption += fmt::format(" {} of {} keys are shown.", rows, n);
  if (cols < r) panel.caption += fmt::format(" The first {} features are shown.", cols);
  panel.values = Tensor::fromFloats({rows, cols}, cells);
  panel.diverging = kind != Kind::Relu;
  panel.yTokens = {InsidePanel::AxisTokens::Keys, 0, n};
  return panel;
}

// Sizes of z, the sum of the features of the keys read so far, and of S, their products with the values,
// after every key. Exponential features are summed relative to the largest exponent so far, and drawn as
// logarithms. S is left out where it would take seconds.
Result<InsidePanel> statePanel(const InsidesRequest& request, const Tensor& phi, Kind kind) {
  constexpr double kMostWork = 3e8;
  const Shape shape = request.input.shape();
  const bool logs = holdsExponents(kind);
  const Index r = phi.dim(2);
  const Index n = phi.dim(1);
  const auto features = phi.slice<float>(request.head);
  const auto v = request.input.v.slice<float>(request.input.kvHead(request.head));
  const bool withState = static_cast<double>(n) * static_cast<double>(r * shape.dV) <= kMostWork;
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "State over time";
  panel.caption = logs ? "Logarithm of the size of the running sums after each key: they only ever add."
                       : "Size of the running sums after each key: they only ever add.";
  panel.xTitle = "keys read";
  panel.yTitle = logs ? "log of the norm" : "norm";
  panel.curves = {{logs ? "log |z|" : "|z|", {}, {}}};
  if (withState) panel.curves.push_back({logs ? "log |S|" : "|S|", {}, {}});
  Eigen::VectorXd z = Eigen::VectorXd::Zero(r);
  RowMatrix s = RowMatrix::Zero(withState ? r : 0, shape.dV);
  Eigen::VectorXd feature(r);
  Eigen::RowVectorXd value(shape.dV);
  double largest = logs ? -INFINITY : 0.0;
  const Index stride = std::max<Index>(1, n / 256);
  for (Index j = 0; j < n; ++j) {
    if (j % 64 == 0 && !request.job.advance(0)) return cancelled();
    for (Index a = 0; a < r; ++a) feature[a] = features[static_cast<std::size_t>(j * r + a)];
    for (Index c = 0; c < shape.dV; ++c) value[c] = v[static_cast<std::size_t>(j * shape.dV + c)];
    if (logs) {
      const double next = std::max(largest, feature.maxCoeff());
      const double shrink = std::exp(largest - next);
      z *= shrink;
      s *= shrink;
      largest = next;
      feature = (feature.array() - largest).exp();
    }
    z += feature;
    if (withState) s += feature * value;
    if (j % stride != 0 && j + 1 != n) continue;
    const double norms[] = {z.norm(), withState ? s.norm() : 0.0};
    for (std::size_t c = 0; c < panel.curves.size(); ++c) {
      if (logs && !(norms[c] > 0.0)) continue;  // values that are all 0 have no logarithm
      panel.curves[c].x.push_back(static_cast<double>(j + 1));
      panel.curves[c].y.push_back(logs ? largest + std::log(norms[c]) : norms[c]);
    }
  }
  return panel;
}

InsidePanel denominatorPanel(const Tensor& denominator, Kind kind, Index head) {
  const auto values = denominator.slice<float>(head);
  const bool logs = holdsExponents(kind);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = logs ? "Log denominators" : "Denominators";
  panel.xTitle = "query";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Queries;
  panel.yTitle = logs ? "log denominator" : "denominator";
  InsidePanel::Curve curve{panel.yTitle, {}, {}};
  Index bad = 0;
  Index firstBad = -1;
  constexpr std::size_t kMarkers = 24;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;  // a query that reads nothing
    const bool notPositive = !logs && values[i] <= 0.0F;
    if (notPositive) {
      ++bad;
      if (firstBad < 0) firstBad = static_cast<Index>(i);
      if (panel.markers.size() < kMarkers)
        panel.markers.push_back({static_cast<double>(i), panel.markers.empty() ? "\u2264 0" : ""});
    }
    curve.x.push_back(static_cast<double>(i));
    curve.y.push_back(values[i]);
  }
  if (logs)
    panel.caption = "What each query's weights are divided by; positive features keep it above 0.";
  else if (bad == 0)
    panel.caption = "What each query's weights are divided by; here all are above 0.";
  else
    panel.caption = fmt::format(
        "{} of {} queries (first {}) divide by 0 or less: their weights are no average and mean nothing.",
        bad, values.size(), firstBad);
  panel.curves.push_back(std::move(curve));
  return panel;
}

// The features of rows x as doubles, exponents relative to `shift` (one a column for keys, one a row for
// queries).
RowMatrix exponentsOf(const RowMatrix& x, const RowMatrix& w, Kind kind) {
  const RowMatrix products = x * w.transpose();
  const Eigen::VectorXd half = 0.5 * x.rowwise().squaredNorm();
  RowMatrix made(x.rows(), kind == Kind::Hyperbolic ? 2 * w.rows() : w.rows());
  made.leftCols(w.rows()) = products.colwise() - half;
  if (kind == Kind::Hyperbolic) made.rightCols(w.rows()) = (-products).colwise() - half;
  return made;
}

// Unnormalised weights of all pairs; a row may be scaled by anything positive.
RowMatrix kernelOf(const RowMatrix& x, const RowMatrix& y, const RowMatrix& w, Kind kind, double eps) {
  if (holdsExponents(kind)) {
    RowMatrix keys = exponentsOf(y, w, kind);
    const Eigen::RowVectorXd largest = keys.colwise().maxCoeff();
    keys = (keys.rowwise() - largest).array().exp().matrix();
    RowMatrix queries = exponentsOf(x, w, kind).rowwise() + largest;
    const Eigen::VectorXd shift = queries.rowwise().maxCoeff();
    queries = (queries.colwise() - shift).array().exp().matrix();
    return queries * keys.transpose();
  }
  RowMatrix a = x * w.transpose();
  RowMatrix b = y * w.transpose();
  if (kind == Kind::Relu)
    return (a.array().max(0.0) + eps).matrix() * (b.array().max(0.0) + eps).matrix().transpose();
  const Eigen::VectorXd half = 0.5 * y.rowwise().squaredNorm();
  const Eigen::RowVectorXd factor = (half.array() - half.maxCoeff()).exp().matrix().transpose();
  RowMatrix kernel = a.array().sin().matrix() * b.array().sin().matrix().transpose() +
                     a.array().cos().matrix() * b.array().cos().matrix().transpose();
  return (kernel.array().rowwise() * factor.array()).matrix();
}

struct Sample {
  RowMatrix x;
  RowMatrix y;
  RowMatrix v;
  std::vector<Index> query;  // token of each row of x
  Index offset = 0;          // of positions, when causal
  bool causal = false;
};

// Up to kMostQueries queries, spread over those that see the first kMostKeys keys or, if not causal, over
// all.
Sample takeSample(const InsidesRequest& request, double inputScale) {
  const Shape shape = request.input.shape();
  Sample sample;
  sample.causal = request.plan.plan().causal;
  sample.offset = shape.nK - shape.nQ;
  const Index keys = std::min(shape.nK, kMostKeys);
  const Index kv = request.input.kvHead(request.head);
  sample.y = inputScale * rowsOf(request.input.k.slice<float>(kv), keys, shape.d);
  sample.v = rowsOf(request.input.v.slice<float>(kv), keys, shape.dV);
  const Index first = sample.causal ? std::max<Index>(0, -sample.offset) : 0;
  const Index last = sample.causal ? std::min(shape.nQ, keys - sample.offset) : shape.nQ;
  const Index count = std::max<Index>(0, std::min(last - first, kMostQueries));
  for (Index t = 0; t < count; ++t) sample.query.push_back(first + t * (last - first) / count);
  const RowMatrix q = rowsOf(request.input.q.slice<float>(request.head), shape.nQ, shape.d);
  sample.x.resize(count, shape.d);
  for (Index t = 0; t < count; ++t)
    sample.x.row(t) = inputScale * q.row(sample.query[static_cast<std::size_t>(t)]);
  return sample;
}

// out = kernel V by rows of sum 1, over the keys that each query reads.
RowMatrix attend(const Sample& sample, RowMatrix kernel) {
  for (Index t = 0; t < kernel.rows(); ++t) {
    const Index end = sample.causal ? sample.query[static_cast<std::size_t>(t)] + sample.offset + 1
                                    : static_cast<Index>(kernel.cols());
    for (Index j = end; j < kernel.cols(); ++j) kernel(t, j) = 0.0;
    const double sum = kernel.row(t).sum();
    if (sum != 0.0) kernel.row(t) /= sum;
  }
  return kernel * sample.v;
}

// Quantiles of the formula over pairs of the sample; empty where there is no formula.
std::vector<double> entryErrors(const Sample& sample, Kind kind, const std::vector<double>& quantiles) {
  std::vector<double> errors;
  for (Index t = 0; t < sample.x.rows(); t += 7)
    for (Index j = 0; j < sample.y.rows(); j += 13)
      errors.push_back(
          relativeEntryError(kind, {sample.x.row(t).dot(sample.y.row(j)), sample.x.row(t).squaredNorm(),
                                    sample.y.row(j).squaredNorm()}));
  std::vector<double> found;
  if (errors.empty()) return found;
  std::sort(errors.begin(), errors.end());
  for (const double share : quantiles)
    found.push_back(errors[static_cast<std::size_t>(share * static_cast<double>(errors.size() - 1))]);
  for (const double x : found)
    if (!(x > 0.0) || !std::isfinite(x)) return {};
  return found;
}

Result<RowMatrix> curveDirections(const InsidesRequest& request, const RandomFeatureStep& step) {
  const Index d = step.omega.dim(2);
  const ParamTensor& param = request.plan.plan().params.front();
  if (param.origin == "file")
    return rowsOf(step.omega.slice<float>(request.head), std::min(step.omega.dim(1), kMostCurve), d);
  const DirectionLaw law{request.params.flag("orthogonal"), request.params.choice("norms") == "sqrt_d"};
  constexpr std::uint64_t kSeedOfCurve = 1;
  ATTN_ASSIGN(drawn, drawDirections(kSeedOfCurve, 1, kMostCurve, d, law, request.job));
  return rowsOf(drawn.slice<float>(0), kMostCurve, d);
}

Result<InsidePanel> errorPanel(const InsidesRequest& request, const RandomFeatureStep& step) {
  const Sample sample = takeSample(request, step.inputScale);
  ATTN_ASSIGN(w, curveDirections(request, step));
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Error against the number of directions";
  panel.xTitle = "directions m";
  panel.yTitle = "relative mean square error";
  panel.logX = true;
  panel.logY = true;
  const RowMatrix logits = sample.x * sample.y.transpose();
  RowMatrix softmax = (logits.colwise() - logits.rowwise().maxCoeff().eval()).array().exp().matrix();
  const RowMatrix exact = attend(sample, std::move(softmax));
  const double power = std::max(exact.squaredNorm(), std::numeric_limits<double>::min());
  InsidePanel::Curve measured{"output against full attention", {}, {}};
  std::vector<InsidePanel::Curve> theory{{"one weight before division, by formula: median", {}, {}},
                                         {"a quarter of the pairs is below", {}, {}},
                                         {"a quarter is above", {}, {}}};
  const std::vector<double> entry = entryErrors(sample, step.kind, {0.5, 0.25, 0.75});
  for (Index m = 16; m <= static_cast<Index>(w.rows()); m *= 2) {
    if (!request.job.advance(0)) return cancelled();
    const RowMatrix out = attend(sample, kernelOf(sample.x, sample.y, w.topRows(m), step.kind, step.eps));
    measured.x.push_back(static_cast<double>(m));
    measured.y.push_back((out - exact).squaredNorm() / power);
    for (std::size_t c = 0; c < entry.size(); ++c) {
      theory[c].x.push_back(static_cast<double>(m));
      theory[c].y.push_back(entry[c] / static_cast<double>(m));
    }
  }
  panel.caption = fmt::format(
      "Measured on {} queries and {} keys of this input, with the first m of {}; above 1 the output is worse "
      "than 0.",
      sample.x.rows(), sample.y.rows(),
      request.plan.plan().params.front().origin == "file" ? "the given directions"
                                                          : "1024 directions of a draw for this curve");
  panel.markers.push_back({static_cast<double>(step.omega.dim(1)), fmt::format("m = {}", step.omega.dim(1))});
  panel.curves.push_back(std::move(measured));
  if (!entry.empty())
    for (InsidePanel::Curve& curve : theory) panel.curves.push_back(std::move(curve));
  return panel;
}

}  // namespace

double relativeEntryError(Kind kind, const KernelEntry& entry) {
  const double sum = entry.xx + entry.yy + 2.0 * entry.dot;         // |x + y|^2
  const double difference = entry.xx + entry.yy - 2.0 * entry.dot;  // |x - y|^2
  switch (kind) {
    case Kind::Positive:
      return std::expm1(sum);
    case Kind::Hyperbolic:
      return -0.5 * std::expm1(-sum) * std::expm1(sum);
    case Kind::Trig:
      return 0.5 * std::exp(sum - 4.0 * entry.dot) * std::pow(std::expm1(-difference), 2.0);
    case Kind::Relu:
      break;
  }
  return 0.0;  // another kernel: nothing to compare with
}

Result<std::vector<InsidePanel>> performerPanels(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const RandomFeatureStep& step = queryStep(plan);
  std::vector<InsidePanel> panels;
  panels.push_back(gramPanel(step, request.head));
  panels.push_back(normPanel(step, request.head));
  if (!request.job.advance(0)) return cancelled();
  const Tensor keys = request.buffer("phi_k");
  if (!keys.empty()) panels.push_back(featurePanel(keys, step.kind, request.head));
  // The factor of trigonometric features, exp(|k|^2 / 2), is not among them: their sums would be others.
  if (!keys.empty() && step.kind != Kind::Trig) {
    ATTN_ASSIGN(state, statePanel(request, keys, step.kind));
    panels.push_back(std::move(state));
  }
  ATTN_ASSIGN(error, errorPanel(request, step));
  panels.push_back(std::move(error));
  const Tensor denominator = request.buffer(holdsExponents(step.kind) ? "log_denominator" : "denominator");
  if (!denominator.empty()) panels.push_back(denominatorPanel(denominator, step.kind, request.head));
  return panels;
}

}  // namespace attnscope
