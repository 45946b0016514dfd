// SPDX-License-Identifier: GPL-3.0-or-later
// Performer (FAVOR+): Choromanski et al., "Rethinking Attention with Performers", arXiv 2009.14794.
#include <fmt/format.h>

#include <cmath>

#include "core/base/memory.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/performer_panels.h"
#include "core/mechanisms/random_directions.h"

namespace attnscope {

namespace {

using Kind = RandomFeatureStep::Kind;

constexpr Index kMostFeatures = 65536;

Kind kindOf(const std::string& name) {
  if (name == "hyperbolic") return Kind::Hyperbolic;
  if (name == "trig") return Kind::Trig;
  if (name == "relu") return Kind::Relu;
  return Kind::Positive;
}

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "performer";
  card.name = "Performer (FAVOR+)";
  card.family = Family::LowRankKernels;
  card.paper = "Rethinking Attention with Performers";
  card.authors =
      "Choromanski, Likhosherstov, Dohan, Song, Gane, Sarlos, Hawkins, Davis, Mohiuddin, Kaiser, Belanger, "
      "Colwell, Weller";
  card.year = 2020;
  card.arxiv = "2009.14794";
  card.surveyComplexity = "O(n)";
  card.countedComplexity = "2 n m d + 2 n r d_v multiply-adds, r = m or 2 m features, 2 n r exponentials";
  card.summary =
      "The weight exp(q\u00b7k) is an average over random directions of a product of two positive numbers, "
      "one "
      "made from the query alone and one from the key alone. A few hundred directions turn softmax attention "
      "into linear attention, with a dial between cost and accuracy.";
  card.formula =
      "\u03c6(x)\u2090 = exp(w\u2090\u00b7x \u2212 |x|\u00b2/2), x = \u221as q, y = \u221as k;  o\u1d62 = "
      "\u03a3\u2c7c \u03c6(x\u1d62)\u00b7\u03c6(y\u2c7c) v\u2c7c / \u03a3\u2c7c "
      "\u03c6(x\u1d62)\u00b7\u03c6(y\u2c7c)";
  card.ours =
      "Exponents are kept and every feature has its own running maximum, instead of one maximum over all "
      "keys "
      "and a small number added: nothing is biased and no future leaks when causal. The signs of the QR "
      "decomposition are corrected, without which orthogonal features are biased.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(intParam(
      "features", "m", "Number of random directions.", 1,
      [](const Shape&) { return static_cast<double>(kMostFeatures); },
      [](const Shape&) { return Index{256}; }, "256"));
  params.back().unit = "directions";
  params.back().paperValue = ParamValue{Index{256}};
  params.push_back(choiceParam(
      "kind", "What is made of a direction and a row.", {"positive", "hyperbolic", "trig", "relu"},
      {"exp(w\u00b7x \u2212 |x|\u00b2/2), always positive", "the same with w and \u2212w: less variance",
       "sin and cos: weights can be negative", "max(w\u00b7x, 0) + \u03b5, another kernel than softmax's"},
      "positive"));
  params.back().paperValue = ParamValue{std::string("positive")};
  params.push_back(boolParam(
      "orthogonal", "Directions at right angles within each block of d, instead of independent.", true));
  params.back().paperValue = ParamValue{true};
  params.push_back(choiceParam(
      "norms", "Lengths of orthogonal directions.", {"chi", "sqrt_d"},
      {"as of independent ones, chi(d): unbiased", "all \u221ad: a lower bound of the softmax kernel"},
      "chi"));
  params.back().visibleWhenId = "orthogonal";
  params.back().visibleWhenValues = {"on"};
  params.push_back(realParam(
      "eps", "\u03b5", "Added to every relu feature; the other kinds take none.", 0.0, 1.0,
      [](const Shape&) { return 0.0; }, "0; 0.001 for relu"));
  params.back().derivedDefault = [](const Shape&, const ParamValues& before) {
    return ParamValue{before.choice("kind") == "relu" ? 1e-3 : 0.0};
  };
  params.back().visibleWhenId = "kind";
  params.back().visibleWhenValues = {"relu"};
  return params;
}

class Performer final : public Mechanism {
 public:
  Performer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    return performerPanels(request);
  }
};

Status checkEps(const LoweringRequest& request) {
  const std::string& kind = request.params.choice("kind");
  const double eps = request.params.real("eps");
  if (kind == "relu" || eps == 0.0) return {};
  return fail(
      ErrorKind::Usage,
      fmt::format("performer: eps is {}, but must be 0 for kind={}. Added to an exponential feature it "
                  "pulls all weights towards uniform, and when causal it lets later keys move earlier "
                  "outputs. Only kind=relu takes it.",
                  eps, kind));
}

Result<OwnedTensor> ownDirections(const LoweringRequest& request) {
  const Shape shape = request.input.shape();
  const Index m = request.params.integer("features");
  ATTN_TRY(requireMemory(4.0 * static_cast<double>(shape.heads * m) * static_cast<double>(shape.d),
                         "performer: the directions"));
  if (isGivenTensor(request, "omega"))
    return ownTensor(request, "omega", DType::F32, {m, shape.d}, {}, [] { return Tensor(); });
  const DirectionLaw law{request.params.flag("orthogonal"), request.params.choice("norms") == "sqrt_d"};
  ATTN_ASSIGN(drawn, drawDirections(request.options.seed, shape.heads, m, shape.d, law, request.job));
  return OwnedTensor{std::move(drawn), false};
}

Result<Plan> Performer::lower(const LoweringRequest& request) const {
  ATTN_TRY(checkEps(request));
  const Shape shape = request.input.shape();
  const Kind kind = kindOf(request.params.choice("kind"));
  ATTN_ASSIGN(omega, ownDirections(request));
  const Index width = randomFeatureWidth(kind, omega.tensor.dim(1));
  Plan plan = Plan::begin(card().id, shape, request.options.causal);
  plan.labels = {Label{"through the state", "every key that the running sums S and z have taken in"}};
  plan.params.push_back(
      {"omega", originText(request, omega.fromFile), [tensor = omega.tensor] { return tensor; }});
  const BufferId phiQ = plan.addBuffer("phi_q", shape.nQ, width, "phi_q");
  const BufferId phiK = plan.addBuffer("phi_k", shape.nK, width, "phi_k");
  plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
  RandomFeatureStep features;
  features.title = "map queries";
  features.in = kQuery;
  features.out = phiQ;
  features.omega = omega.tensor;
  features.kind = kind;
  features.inputScale = std::sqrt(request.defaultScale());
  features.eps = request.params.real("eps");
  plan.steps.emplace_back(features);
  features.title = "map keys";
  features.in = kKey;
  features.out = phiK;
  features.side = RandomFeatureStep::Side::Key;
  plan.steps.emplace_back(std::move(features));
  LinearAttendStep step;
  step.title = "read the state";
  step.phiQ = phiQ;
  step.phiK = phiK;
  step.out = plan.out;
  step.exponents = holdsExponents(kind);
  const std::string denominator = step.exponents ? "log_denominator" : "denominator";
  step.denominator = plan.addBuffer(denominator, shape.nQ, 1, denominator);
  step.causal = request.options.causal;
  plan.steps.emplace_back(std::move(step));
  if (kind == Kind::Trig)
    plan.note =
        "Trigonometric features can give a row a denominator of 0 or less; the insides name the rows, and "
        "trace/denominator has the values.";
  return plan;
}

}  // namespace

const Mechanism& performerMechanism() {
  static const Performer mechanism;
  return mechanism;
}

}  // namespace attnscope
