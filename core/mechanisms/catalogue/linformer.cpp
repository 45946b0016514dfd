// SPDX-License-Identifier: GPL-3.0-or-later
// Linformer: Wang, Li, Khabsa, Fang, Ma, arXiv 2006.04768, section 4.
#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <tuple>

#include "core/analysis/softmax.h"
#include "core/analysis/spectrum.h"
#include "core/base/byte_cache.h"
#include "core/base/memory.h"
#include "core/base/rng.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/convolved_slots.h"

namespace attnscope {

namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "linformer";
  card.name = "Linformer";
  card.family = Family::LowRankKernels;
  card.paper = "Linformer: Self-Attention with Linear Complexity";
  card.authors = "Wang, Li, Khabsa, Fang, Ma";
  card.year = 2020;
  card.arxiv = "2006.04768";
  card.surveyComplexity = "O(n)";
  card.countedComplexity = "2 n k (d + d_v) multiply-adds, n k pairs";
  card.causal = CausalSupport::Never;
  card.decodable = false;
  card.summary =
      "A softmax matrix has n columns, but a few dozen directions carry nearly all of it. So mix the n keys "
      "and values down "
      "to k summaries along the length and let every query read those.";
  card.formula = "o\u1d62 = softmax(s q\u1d62 (E K)\u1d40) F V";
  card.ours =
      "Segment means instead of learned projections by default: an untrained projection mixes unrelated "
      "tokens. The fit to "
      "the input (the best F for every V) is ours.";
  return card;
}

// A convolution of width and stride ceil(n / k) makes ceil(n / width) summaries, which is k for some k only.
bool isWholeConvolution(Index n, Index k) {
  return ceilDiv(n, ceilDiv(n, k)) == k;
}

// The valid number of summaries closest to k; of two the smaller. 1 and n always are.
Index nearestConvolution(Index n, Index k) {
  for (Index away = 0; away < n; ++away) {
    if (k - away >= 1 && isWholeConvolution(n, k - away)) return k - away;
    if (k + away <= n && isWholeConvolution(n, k + away)) return k + away;
  }
  return 1;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "k", "k", "Number of summaries that every query reads.", 1,
      [](const Shape& s) { return static_cast<double>(s.nK); },
      [](const Shape& s) { return 2 * ceilSqrt(s.nK); }, "2 ceil(sqrt n)"));
  params.back().derivedDefault = [](const Shape& s, const ParamValues& before) {
    const Index k = std::min(2 * ceilSqrt(s.nK), s.nK);
    const bool conv = before.isGiven("projection") && before.choice("projection") == "conv";
    return ParamValue{conv ? nearestConvolution(s.nK, k) : k};
  };
  params.back().unit = "summaries";
  params.back().paperValue = ParamValue{Index{256}};
  params.back().paperText = "128 at n = 512, 256 at n = 1024 and up to 4096";
  params.push_back(choiceParam(
      "projection", "How keys and values become summaries.",
      {"mean", "gaussian", "xavier", "strided", "max", "conv", "fitted"},
      {"mean of each segment", "N(0, 1/k), the theorem's", "Xavier uniform, as initialised in code",
       "first token of each segment", "maximum of the keys, mean of the values of each segment",
       "strided convolution conv_k, conv_v (a mean unless given)",
       "segment means for keys, the best F for this input"},
      "mean"));
  params.back().paperText = "learned";
  params.push_back(choiceParam(
      "sharing", "Which projections are the same matrix.", {"none", "headwise", "kv"},
      {"own E and F for every head", "one E and one F for all heads", "E = F for all heads"}, "none"));
  params.back().visibleWhenId = "projection";
  params.back().visibleWhenValues = {"gaussian", "xavier"};
  return params;
}

std::vector<Index> segmentBounds(Index n, Index k) {
  std::vector<Index> bounds;
  for (Index a = 0; a <= k; ++a) bounds.push_back(a * n / k);
  return bounds;
}

// A reduction of segments as the matrix that it stands for: (1, k, n).
Tensor segmentMatrix(const SegmentReduce& reduce) {
  const auto k = static_cast<Index>(reduce.bounds.size()) - 1;
  const Index n = reduce.bounds.back();
  Tensor tensor = Tensor::zeros(DType::F32, {1, k, n});
  auto values = tensor.mutableValues<float>();
  for (Index a = 0; a < k; ++a) {
    const Index begin = reduce.bounds[static_cast<std::size_t>(a)];
    const Index end = reduce.bounds[static_cast<std::size_t>(a) + 1];
    const bool first = reduce.kind == SegmentReduce::Kind::First;
    for (Index j = begin; j < (first ? begin + 1 : end); ++j)
      values[static_cast<std::size_t>(a * n + j)] = first ? 1.0F : 1.0F / static_cast<float>(end - begin);
  }
  return tensor;
}

// What is drawn: by seed, name, heads, summaries, keys and whether normal.
using Drawn = std::tuple<std::uint64_t, std::string, Index, Index, Index, bool>;

Result<Tensor> drawProjection(const LoweringRequest& request, const std::string& name, Index k) {
  // A million numbers are drawn again whenever a slider of the window moves or a measurement repeats.
  static ByteCache<Drawn, Tensor> kept(std::size_t{32} << 20);
  const Shape shape = request.input.shape();
  const bool gaussian = request.params.choice("projection") == "gaussian";
  const Index heads = request.params.choice("sharing") == "none" ? shape.heads : 1;
  const std::string& drawn = request.params.choice("sharing") == "kv" ? "proj_k" : name;
  const Drawn key{request.options.seed, drawn, heads, k, shape.nK, gaussian};
  if (const auto known = kept.find(key)) return *known;
  const double deviation = 1.0 / std::sqrt(static_cast<double>(k));
  const double bound = std::sqrt(6.0 / static_cast<double>(k + shape.nK));
  const RandomStream stream(request.options.seed, "linformer", drawn);
  Tensor tensor(DType::F32, {heads, k, shape.nK});
  const auto values = tensor.mutableValues<float>();
  tbb::parallel_for(Index{0}, heads * k, [&](Index line) {
    if (request.job.isCancelled()) return;
    const RandomStream::Counter counter = {static_cast<std::uint32_t>(line / k),
                                           static_cast<std::uint32_t>(line % k), 0};
    std::vector<double> row(static_cast<std::size_t>(shape.nK));
    if (gaussian)
      stream.fillNormals(counter, row);
    else
      for (std::size_t j = 0; j < row.size(); ++j)
        row[j] = 2.0 * stream.uniform(counter, static_cast<std::uint32_t>(j)) - 1.0;
    std::transform(row.begin(), row.end(), values.begin() + line * shape.nK,
                   [&](double x) { return static_cast<float>((gaussian ? deviation : bound) * x); });
  });
  if (request.job.isCancelled()) return cancelled();
  kept.insert(key, std::make_shared<const Tensor>(tensor), tensor.bytes());
  return tensor;
}

// softmax(scale a b^T) by rows.
RowMatrix softmaxRows(const RowMatrix& a, const RowMatrix& b, double scale) {
  RowMatrix logits = scale * a * b.transpose();
  for (Index i = 0; i < logits.rows(); ++i) {
    logits.row(i).array() = (logits.row(i).array() - logits.row(i).maxCoeff()).exp();
    logits.row(i) /= logits.row(i).sum();
  }
  return logits;
}

// F = pinv(Pbar) P: of all F the one that brings Pbar F closest to full attention P (least squares), for
// every V. P is made and used a block of rows at a time.
Result<Tensor> fitValues(const LoweringRequest& request, const SegmentReduce& segments, double scale) {
  const Shape shape = request.input.shape();
  const auto k = static_cast<Index>(segments.bounds.size()) - 1;
  Tensor fitted(DType::F32, {shape.heads, k, shape.nK});
  const Tensor means = segmentMatrix(segments);
  const RowMatrix e = FloatRows(means.values<float>().data(), k, shape.nK).cast<double>();
  for (Index h = 0; h < shape.heads; ++h) {
    const RowMatrix q = FloatRows(request.input.q.slice<float>(h).data(), shape.nQ, shape.d).cast<double>();
    const RowMatrix keys =
        FloatRows(request.input.k.slice<float>(request.input.kvHead(h)).data(), shape.nK, shape.d)
            .cast<double>();
    const RowMatrix pBar = softmaxRows(q, e * keys, scale);
    RowMatrix right = RowMatrix::Zero(k, shape.nK);  // Pbar^T P
    constexpr Index kBlock = 128;
    for (Index begin = 0; begin < shape.nQ; begin += kBlock) {
      if (!request.job.advance(0)) return cancelled();
      const Index rows = std::min(kBlock, shape.nQ - begin);
      right.noalias() +=
          pBar.middleRows(begin, rows).transpose() * softmaxRows(q.middleRows(begin, rows), keys, scale);
    }
    // pinv(Pbar) = (Pbar^T Pbar)^+ Pbar^T; the small matrix may be singular (equal summaries).
    const Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd> gram(pBar.transpose() * pBar);
    const RowMatrix f = gram.solve(Eigen::MatrixXd(right));
    Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
        fitted.mutableSlice<float>(h).data(), k, shape.nK) = f.cast<float>();
  }
  return fitted;
}

struct Projections {
  LengthWeight keys;
  LengthWeight values;
};

Tensor weightMatrix(const LengthWeight& weight) {
  if (const auto* tensor = std::get_if<Tensor>(&weight)) return *tensor;
  SegmentReduce reduce = std::get<SegmentReduce>(weight);
  return segmentMatrix(reduce);
}

// A shared (1, ...) or per-head tensor with the axis of heads that files have.
Tensor forAllHeads(const Tensor& tensor, Index heads) {
  if (tensor.dim(0) == heads) return tensor;
  Tensor repeated(DType::F32, {heads, tensor.dim(1), tensor.dim(2)});
  for (Index h = 0; h < heads; ++h) {
    const auto from = tensor.slice<float>(0);
    std::copy(from.begin(), from.end(), repeated.mutableSlice<float>(h).begin());
  }
  return repeated;
}

class Linformer final : public Mechanism {
 public:
  Linformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<LengthWeight> ownProjection(const LoweringRequest& request, Plan& plan, const std::string& name,
                                   bool forKeys) {
  const Index k = request.params.integer("k");
  const std::string& kind = request.params.choice("projection");
  const SegmentReduce segments{SegmentReduce::Kind::Mean, segmentBounds(plan.shape.nK, k)};
  if (isGivenTensor(request, name)) {
    ATTN_ASSIGN(owned,
                ownTensor(request, name, DType::F32, {k, plan.shape.nK}, {1}, [] { return Tensor(); }));
    plan.params.push_back({name, "file", [tensor = owned.tensor] { return tensor; }});
    return LengthWeight{owned.tensor};
  }
  LengthWeight weight = segments;
  std::string origin = "segment means";
  const bool drawn = kind == "gaussian" || kind == "xavier";
  if (request.patternOnly() && (drawn || (kind == "fitted" && !forKeys))) {
    weight = Tensor::outline(DType::F32, {plan.shape.heads, k, plan.shape.nK});
  } else if (drawn) {
    const double bytes =
        4.0 * static_cast<double>(k) * static_cast<double>(plan.shape.nK) *
        static_cast<double>(request.params.choice("sharing") == "none" ? plan.shape.heads : 1);
    ATTN_TRY(requireMemory(bytes, "linformer: the projection " + name));
    ATTN_ASSIGN(projection, drawProjection(request, name, k));
    weight = std::move(projection);
    origin = originText(request, false);
  } else if (kind == "strided") {
    weight = SegmentReduce{SegmentReduce::Kind::First, segments.bounds};
    origin = "first token of each segment";
  } else if (kind == "max" && forKeys) {
    weight = SegmentReduce{SegmentReduce::Kind::Max, segments.bounds};
    return weight;  // not linear in K: there is no matrix to name
  } else if (kind == "fitted" && !forKeys) {
    ATTN_ASSIGN(fitted, fitValues(request, segments, request.defaultScale()));
    weight = std::move(fitted);
    origin = "fitted to this input";
  }
  plan.params.push_back({name, origin, [weight, heads = plan.shape.heads] {
                           return forAllHeads(weightMatrix(weight), heads);
                         }});
  return weight;
}

Status addProjections(const LoweringRequest& request, Plan& plan, BufferId slotKeys) {
  ATTN_ASSIGN(keys, ownProjection(request, plan, "proj_k", true));
  ATTN_ASSIGN(values, ownProjection(request, plan, "proj_v", false));
  plan.slotComposition = [values] { return weightMatrix(values); };
  plan.steps.emplace_back(ProjectStep{"keys to summaries, E K", kKey, slotKeys, std::move(keys)});
  plan.steps.emplace_back(
      ProjectStep{"values to summaries, F V", kValue, plan.slotValues, std::move(values)});
  return {};
}

Status addConvolutions(const LoweringRequest& request, Plan& plan, BufferId slotKeys) {
  const Index n = plan.shape.nK;
  const Index k = plan.slotCount;
  const Index width = ceilDiv(n, k);
  if (!isWholeConvolution(n, k))
    return fail(
        ErrorKind::Usage,
        fmt::format("linformer: projection=conv has a kernel as wide as its stride, ceil(n/k) = {} for "
                    "n = {} and k = {}, which makes {} summaries and not {}. The nearest k that fits is "
                    "{}.",
                    width, n, k, ceilDiv(n, width), k, nearestConvolution(n, k)));
  ATTN_TRY(addConvolvedSlots(request, plan, kKey, slotKeys, "conv_k", width));
  ATTN_ASSIGN(taps, addConvolvedSlots(request, plan, kValue, plan.slotValues, "conv_v", width));
  plan.slotComposition = [taps, k, n] { return convolvedComposition(taps, k, n); };
  return {};
}

Result<Plan> Linformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const Index k = request.params.integer("k");
  Plan plan = Plan::begin(card().id, shape, false);
  plan.labels = {Label{"summary", "every query reads every summary"}};
  plan.slotCount = k;
  const BufferId slotKeys = plan.addBuffer("slot_keys", k, shape.d, "slot_keys");
  plan.slotValues = plan.addBuffer("slot_values", k, shape.dV, "slot_values");
  ATTN_TRY(request.params.choice("projection") == "conv" ? addConvolutions(request, plan, slotKeys)
                                                         : addProjections(request, plan, slotKeys));
  plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
  plan.lse = plan.addBuffer("lse", shape.nQ, 1);
  AttendStep step;
  step.title = "read the summaries";
  step.k = slotKeys;
  step.v = plan.slotValues;
  step.out = plan.out;
  step.lse = plan.lse;
  step.axis = KeyAxis::Slots;
  step.scale = request.defaultScale();
  step.heads = sameForAllHeads(shape.heads, {nullptr, nullptr, densePattern(shape.nQ, k, false)});
  plan.steps.emplace_back(std::move(step));
  return plan;
}

InsidePanel projectionPanel(const std::string& title, const Tensor& tensor, Index head, bool keys) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = title;
  panel.caption = (keys ? "Row a says which keys summary a is made of."
                        : "Row a says which values summary a is made of.");
  panel.xTitle = "token";
  panel.yTitle = "summary";
  panel.xTokens.tokens = InsidePanel::AxisTokens::Keys;
  const Index h = tensor.dim(0) == 1 ? 0 : head;
  panel.values = Tensor::fromFloats({tensor.dim(1), tensor.dim(2)}, tensor.slice<float>(h));
  const auto values = panel.values.values<float>();
  panel.diverging = std::any_of(values.begin(), values.end(), [](float x) { return x < 0.0F; });
  return panel;
}

// How much of full attention k directions can carry: cumulative share of the singular values of P.
Result<InsidePanel> spectrumPanel(const InsidesRequest& request) {
  const Shape shape = request.input.shape();
  constexpr Index kMost =
      1024;  // rows and columns; longer inputs are shown by their first tokens, and say so
  const Index rows = std::min(shape.nQ, kMost);
  const Index cols = std::min(shape.nK, kMost);
  const RowMatrix q =
      FloatRows(request.input.q.slice<float>(request.head).data(), rows, shape.d).cast<double>();
  const RowMatrix keys =
      FloatRows(request.input.k.slice<float>(request.input.kvHead(request.head)).data(), cols, shape.d)
          .cast<double>();
  const RowMatrix p = softmaxRows(q, keys, 1.0 / std::sqrt(static_cast<double>(shape.d)));
  if (!request.job.advance(0)) return cancelled();
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> narrow = p.cast<float>();
  const auto sigma = singularValues(
      Tensor::fromFloats({rows, cols}, {narrow.data(), static_cast<std::size_t>(narrow.size())}),
      std::min(rows, cols));
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Spectrum of P";
  panel.xTitle = "directions kept";
  panel.yTitle = "share kept";
  InsidePanel::Curve curve{"cumulative", {}, {}};
  double total = 0.0;
  for (const double s : sigma) total += s;
  double sum = 0.0;
  const Index k = request.params.integer("k");
  double atK = 1.0;
  for (std::size_t m = 0; m < sigma.size(); ++m) {
    sum += sigma[m];
    curve.x.push_back(static_cast<double>(m + 1));
    curve.y.push_back(total > 0.0 ? sum / total : 1.0);
    if (static_cast<Index>(m) + 1 == k) atK = curve.y.back();
  }
  panel.markers.push_back({static_cast<double>(std::min(k, static_cast<Index>(sigma.size()))),
                           fmt::format("k = {}: {:.0f} %", k, 100.0 * atK)});
  panel.curves.push_back(std::move(curve));
  panel.caption = "Share of the singular values of full attention, P, that k directions could carry at best" +
                  (rows < shape.nQ ? fmt::format(" (first {} tokens).", rows) : std::string("."));
  return panel;
}

// The map before E unfolds it: (queries, summaries).
std::vector<InsidePanel> summaryWeights(const InsidesRequest& request) {
  constexpr Index kMostShown = 512;
  const Tensor keys = request.buffer("slot_keys");
  if (keys.empty()) return {};
  const Shape shape = request.input.shape();
  const Index rows = std::min(shape.nQ, kMostShown);
  double scale = 1.0;
  for (const Step& step : request.plan.plan().steps)
    if (const auto* attend = std::get_if<AttendStep>(&step)) scale = attend->scale;
  const auto weights = softmaxProducts(
      request.input.q.slice<float>(request.head).first(static_cast<std::size_t>(rows * shape.d)),
      keys.slice<float>(request.head), shape.d, scale);
  InsidePanel panel;
  panel.title = "P\u0304, weights on the summaries";
  panel.caption =
      "What the softmax runs over: k numbers a query, not n. The map of the wall is P\u0304 times F, "
      "unfolded to the tokens.";
  if (rows < shape.nQ) panel.caption += fmt::format(" The first {} queries.", rows);
  panel.xTitle = "summary";
  panel.yTitle = "query";
  panel.yTokens.tokens = InsidePanel::AxisTokens::Queries;
  const std::vector<float> narrow(weights.begin(), weights.end());
  panel.values = Tensor::fromFloats({rows, keys.dim(1)}, narrow);
  std::vector<InsidePanel> panels;
  panels.push_back(std::move(panel));
  return panels;
}

Result<std::vector<InsidePanel>> Linformer::insides(const InsidesRequest& request) const {
  std::vector<InsidePanel> panels;
  ATTN_ASSIGN(spectrum, spectrumPanel(request));
  panels.push_back(std::move(spectrum));
  const double bytes = 8.0 * static_cast<double>(request.params.integer("k")) *
                       static_cast<double>(request.input.shape().nK) *
                       static_cast<double>(request.input.shape().heads);
  const Index slots = request.params.integer("k");
  for (const ParamTensor& param : request.plan.plan().params) {
    if (!request.job.advance(0)) return cancelled();
    if (param.name.ends_with("_bias")) continue;
    ATTN_TRY(requireMemory(bytes, "linformer: the picture of " + param.name));
    Tensor tensor = param.make();
    // Taps are drawn as the projection that they amount to where channels are not told apart.
    if (tensor.rank() == 4) tensor = convolvedComposition(tensor, slots, request.input.shape().nK);
    const bool keys = param.name.ends_with("_k");
    panels.push_back(projectionPanel((keys ? "E, " : "F, ") + param.origin, tensor, request.head, keys));
  }
  for (InsidePanel& panel : summaryWeights(request)) panels.push_back(std::move(panel));
  return panels;
}

}  // namespace

const Mechanism& linformerMechanism() {
  static const Linformer mechanism;
  return mechanism;
}

}  // namespace attnscope
