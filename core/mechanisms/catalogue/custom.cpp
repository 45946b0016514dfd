// SPDX-License-Identifier: GPL-3.0-or-later
// Softmax attention over the pairs of a rule that the user wrote (core/rules/mask_rule.h has the language).
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/rule_call.h"
#include "core/mechanisms/rule_panels.h"
#include "core/rules/rule_pattern.h"

namespace attnscope {

namespace {

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "custom";
  card.name = "Custom rule";
  card.family = Family::Own;
  card.surveyComplexity = "as the rule";
  card.countedComplexity = "one pair for each pair that the rule admits";
  card.summary =
      "Write down which query may read which key, as a condition on their positions, and look at it. "
      "Patterns of "
      "papers are a line each; so is one that nobody has tried.";
  card.formula = "A = { (q, k) : rule(q, k) };  softmax over A";
  card.ours = "Everything: this is no paper's mechanism. A query that the rule leaves without a key gives 0.";
  return card;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

class CustomRule final : public Mechanism {
 public:
  CustomRule() : Mechanism(makeCard(), ruleParams()) {}

  Result<Plan> lower(const LoweringRequest& request) const override {
    const Shape shape = request.input.shape();
    const bool causal = request.options.causal;
    ATTN_ASSIGN(rule, parseMaskRule(request.params.text("rule")));
    Plan plan = Plan::begin(card().id, shape, causal);
    for (const MaskRule::Section& section : rule.sections)
      plan.labels.push_back(
          {section.label, trimmed(rule.text.substr(section.begin, section.end - section.begin))});
    const Index patterns = rule.uses(RuleName::Head) ? shape.heads : 1;
    std::vector<HeadAttend> heads;
    for (Index h = 0; h < patterns; ++h) {
      ATTN_ASSIGN(pattern,
                  makeRulePattern(rule, ruleScope(request.params, request.input, h), causal, request.job));
      heads.push_back({nullptr, nullptr, std::move(pattern)});
    }
    if (patterns < shape.heads) heads = sameForAllHeads(shape.heads, heads.front());
    JoinedAttention joined(plan, request.defaultScale());
    joined.add("pairs of the rule", "rule", std::move(heads));
    joined.finish({});
    return plan;
  }

  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override {
    std::vector<InsidePanel> panels;
    for (InsidePanel& layer : ruleLayers(request.plan, request.head)) panels.push_back(std::move(layer));
    panels.push_back(keysByRule(request.plan, request.head));
    panels.push_back(pairsByRule(request.plan, request.head, "A pair counts for the first rule that holds."));
    return panels;
  }
};

}  // namespace

const Mechanism& customMechanism() {
  static const CustomRule mechanism;
  return mechanism;
}

}  // namespace attnscope
