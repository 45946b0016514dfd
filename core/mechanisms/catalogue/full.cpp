// SPDX-License-Identifier: GPL-3.0-or-later
// Full attention: Vaswani et al., "Attention Is All You Need", arXiv 1706.03762, equation 1.
#include "core/mechanisms/catalogue_support.h"

namespace attnscope {

namespace {

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "full";
  card.name = "Full attention";
  card.family = Family::Baseline;
  card.paper = "Attention Is All You Need";
  card.authors = "Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser, Polosukhin";
  card.year = 2017;
  card.arxiv = "1706.03762";
  card.surveyComplexity = "O(n\u00b2)";
  card.countedComplexity = "n_q n_k pairs; half when causal";
  card.summary =
      "Every token asks every other token how relevant it is and takes a weighted average of the answers. It "
      "is exact "
      "and simple, but doubling the text makes four times the work.";
  card.formula =
      "o\u1d62 = \u03a3\u2c7c exp(s q\u1d62\u00b7k\u2c7c \u2212 z\u1d62) v\u2c7c,  z\u1d62 = log "
      "\u03a3\u2c7c exp(s q\u1d62\u00b7k\u2c7c)";
  return card;
}

class FullAttention final : public Mechanism {
 public:
  FullAttention() : Mechanism(makeCard(), {}) {}

  Result<Plan> lower(const LoweringRequest& request) const override {
    const Shape shape = request.input.shape();
    const bool causal = request.options.causal;
    Plan plan = Plan::begin(card().id, shape, causal);
    plan.labels = {causal ? Label{"earlier", "every key up to the query's own position"}
                          : Label{"every pair", "full attention reads every key"}};
    plan.out = plan.addBuffer("out", shape.nQ, shape.dV);
    plan.lse = plan.addBuffer("lse", shape.nQ, 1);
    AttendStep step;
    step.title = "all pairs";
    step.out = plan.out;
    step.lse = plan.lse;
    step.scale = request.defaultScale();
    step.heads = sameForAllHeads(shape.heads, {nullptr, nullptr, densePattern(shape.nQ, shape.nK, causal)});
    plan.steps.emplace_back(std::move(step));
    return plan;
  }
};

}  // namespace

const Mechanism& fullMechanism() {
  static const FullAttention mechanism;
  return mechanism;
}

}  // namespace attnscope
