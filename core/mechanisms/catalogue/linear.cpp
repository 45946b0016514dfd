// SPDX-License-Identifier: GPL-3.0-or-later
// Linear Transformer: Katharopoulos et al., "Transformers are RNNs", arXiv 2006.16236, equations 4-12.
#include <cmath>

#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

Feature featureOf(const std::string& name) {
  if (name == "exp") return Feature::Exp;
  if (name == "relu") return Feature::Relu;
  if (name == "relu2") return Feature::Relu2;
  if (name == "poly2") return Feature::Poly2;
  return Feature::Elu1;
}

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "linear";
  card.name = "Linear Transformer";
  card.family = Family::LowRankKernels;
  card.paper = "Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention";
  card.authors = "Katharopoulos, Vyas, Pappas, Fleuret";
  card.year = 2020;
  card.arxiv = "2006.16236";
  card.surveyComplexity = "O(n)";
  card.countedComplexity =
      "2 n r d_v multiply-adds, r features; causal by chunks of C: n (C (r + d_v) + 2 r d_v)";
  card.summary =
      "If similarity is a product of features, the sum over the keys can be done once, before any query "
      "arrives. Kept as a "
      "running state, it turns a causal transformer into a recurrent network with a memory of fixed size.";
  card.formula =
      "o\u1d62 = \u03c6(q\u1d62)\u1d40S / \u03c6(q\u1d62)\u1d40z,  S = \u03a3\u2c7c "
      "\u03c6(k\u2c7c)v\u2c7c\u1d40,  z = \u03a3\u2c7c \u03c6(k\u2c7c),  \u03c6(x) = elu(x) + 1";
  card.ours =
      "Feature maps other than elu + 1 are options for comparison. There is no scale: the paper has none.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(choiceParam("feature", "The map \u03c6 applied to every query and key.",
                               {"elu1", "exp", "relu", "relu2", "poly2"},
                               {"elu(x) + 1, the paper's", "exp(x)", "max(x, 0)", "max(x, 0)\u00b2, sharper",
                                "all products x_a x_b (d\u00b2 features)"},
                               "elu1"));
  params.back().symbol = "\u03c6";
  params.back().paperValue = ParamValue{std::string("elu1")};
  params.push_back(realParam(
      "eps", "\u03b5", "Added to every denominator; the paper has none, its code 1e-6.", 0.0, 1.0,
      [](const Shape&) { return 0.0; }, "0"));
  params.back().paperValue = ParamValue{0.0};
  params.push_back(intParam(
      "chunk", "C",
      "Tokens handled between two updates of the state when causal; changes the speed, "
      "not the result.",
      1, [](const Shape& s) { return static_cast<double>(s.nK); }, [](const Shape&) { return Index{64}; },
      "64"));
  params.back().unit = "tokens";
  return params;
}

// How the state grows: |z| and the norm of S after every token, replayed from the features.
InsidePanel stateCurve(std::span<const float> phiK, std::span<const float> v, Index n, Index r, Index dV) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "State over time";
  panel.caption = "Size of the running sums after each key: a memory of fixed shape that only ever adds.";
  panel.xTitle = "keys read";
  panel.yTitle = "norm";
  InsidePanel::Curve stateNorm{"|S|", {}, {}};
  InsidePanel::Curve sumNorm{"|z|", {}, {}};
  std::vector<double> state(static_cast<std::size_t>(r * dV), 0.0);
  std::vector<double> sum(static_cast<std::size_t>(r), 0.0);
  const Index stride = std::max<Index>(1, n / 256);
  for (Index j = 0; j < n; ++j) {
    for (Index a = 0; a < r; ++a) {
      const double f = phiK[static_cast<std::size_t>(j * r + a)];
      sum[static_cast<std::size_t>(a)] += f;
      for (Index c = 0; c < dV; ++c)
        state[static_cast<std::size_t>(a * dV + c)] += f * v[static_cast<std::size_t>(j * dV + c)];
    }
    if (j % stride != 0 && j + 1 != n) continue;
    double s2 = 0.0;
    double z2 = 0.0;
    for (const double x : state) s2 += x * x;
    for (const double x : sum) z2 += x * x;
    stateNorm.x.push_back(static_cast<double>(j + 1));
    stateNorm.y.push_back(std::sqrt(s2));
    sumNorm.x.push_back(static_cast<double>(j + 1));
    sumNorm.y.push_back(std::sqrt(z2));
  }
  panel.curves = {std::move(stateNorm), std::move(sumNorm)};
  return panel;
}

InsidePanel matrixPanel(std::string title, std::string caption, std::string yTitle, std::string xTitle,
                        Tensor values, bool diverging) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = std::move(title);
  panel.caption = std::move(caption);
  panel.xTitle = std::move(xTitle);
  panel.yTitle = std::move(yTitle);
  panel.values = std::move(values);
  panel.diverging = diverging;
  return panel;
}

// S after the last key.
Tensor finalState(std::span<const float> phiK, std::span<const float> v, Index n, Index r, Index dV) {
  std::vector<double> state(static_cast<std::size_t>(r * dV), 0.0);
  for (Index j = 0; j < n; ++j)
    for (Index a = 0; a < r; ++a)
      for (Index c = 0; c < dV; ++c)
        state[static_cast<std::size_t>(a * dV + c)] +=
            static_cast<double>(phiK[static_cast<std::size_t>(j * r + a)]) *
            v[static_cast<std::size_t>(j * dV + c)];
  const std::vector<float> narrow(state.begin(), state.end());
  return Tensor::fromFloats({r, dV}, narrow);
}

class LinearTransformer final : public Mechanism {
 public:
  LinearTransformer() : Mechanism(makeCard(), makeParams()) {}

  Result<Plan> lower(const LoweringRequest& request) const override {
    const Shape shape = request.input.shape();
    const Feature feature = featureOf(request.params.choice("feature"));
    const Index width = featureWidth(feature, shape.d);
    Plan plan = Plan::begin(card().id, shape, request.options.causal);
    plan.labels = {Label{"through the state", "every key that the running sums S and z have taken in"}};
    const BufferId phiQ = plan.addBuffer("phi_q", shape.nQ, width, "phi_q");
    const BufferId phiK = plan.addBuffer("phi_k", shape.nK, width, "phi_k");
    plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
    plan.steps.emplace_back(FeatureMapStep{"map queries", kQuery, phiQ, feature});
    plan.steps.emplace_back(FeatureMapStep{"map keys", kKey, phiK, feature});
    LinearAttendStep step;
    step.title = "read the state";
    step.phiQ = phiQ;
    step.phiK = phiK;
    step.out = plan.out;
    step.denominator = plan.addBuffer("denominator", shape.nQ, 1, "denominator");
    step.causal = request.options.causal;
    step.eps = request.params.real("eps");
    step.chunk = request.params.integer("chunk");
    plan.steps.emplace_back(std::move(step));
    return plan;
  }

  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    const Tensor phiQ = request.buffer("phi_q");
    const Tensor phiK = request.buffer("phi_k");
    if (phiQ.empty() || phiK.empty()) return std::vector<InsidePanel>{};
    const Shape shape = request.input.shape();
    const Index r = phiK.dim(2);
    const auto q = phiQ.slice<float>(request.head);
    const auto k = phiK.slice<float>(request.head);
    const auto v = request.input.v.slice<float>(request.input.kvHead(request.head));
    std::vector<InsidePanel> panels;
    panels.push_back(stateCurve(k, v, shape.nK, r, shape.dV));
    if (!request.job.advance(0)) return cancelled();
    panels.push_back(matrixPanel("Final state S",
                                 "One row a feature, one column a value channel: all that "
                                 "later queries can know.",
                                 "feature", "value channel", finalState(k, v, shape.nK, r, shape.dV), true));
    panels.push_back(matrixPanel("\u03c6(K)", "Features of the keys: all positive, so weights cannot cancel.",
                                 "key", "feature", Tensor::fromFloats({shape.nK, r}, k), false));
    panels.back().yTokens.tokens = InsidePanel::AxisTokens::Keys;
    panels.push_back(matrixPanel("\u03c6(Q)", "Features of the queries.", "query", "feature",
                                 Tensor::fromFloats({shape.nQ, r}, q), false));
    panels.back().yTokens.tokens = InsidePanel::AxisTokens::Queries;
    return panels;
  }
};

}  // namespace

const Mechanism& linearMechanism() {
  static const LinearTransformer mechanism;
  return mechanism;
}

}  // namespace attnscope
