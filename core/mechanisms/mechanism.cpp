// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/mechanism.h"

#include <fmt/format.h>

#include <cmath>

#include "core/mechanisms/registry.h"

namespace attnscope {

namespace {

Result<bool> settleCausal(const MechanismCard& card, const CallOptions& options) {
  switch (card.causal) {
    case CausalSupport::Both:
      return options.causal;
    case CausalSupport::CausalByDefault:
      return options.causalGiven ? options.causal : true;
    case CausalSupport::Never:
      if (options.causal)
        return fail(
            ErrorKind::Usage,
            fmt::format("{} has no causal form ({}): every query reads something made from later tokens. "
                        "Leave out causal.",
                        card.name, card.paper));
      return false;
    case CausalSupport::Always:
      if (options.causalGiven && !options.causal)
        return fail(ErrorKind::Usage,
                    fmt::format("{} is causal by construction ({}); causal=off is not defined.", card.name,
                                card.paper));
      return true;
  }
  return options.causal;
}

Status checkLengths(const MechanismCard& card, const Shape& shape, bool causal) {
  if (shape.nQ == shape.nK) return {};
  if (causal && !card.causalAnyLengths)
    return fail(
        ErrorKind::Usage,
        fmt::format("{} needs as many queries as keys when causal, but the input has {} queries and {} "
                    "keys. Leave out causal, or use a self-attention input.",
                    card.name, shape.nQ, shape.nK));
  if (card.anyLengths) return {};
  return fail(ErrorKind::Usage,
              fmt::format("{} needs as many queries as keys, but the input has {} queries and {} keys. "
                          "Use a self-attention input, or a mechanism that allows cross-attention.",
                          card.name, shape.nQ, shape.nK));
}

}  // namespace

const char* familyName(Family family) {
  switch (family) {
    case Family::Baseline:
      return "Baseline";
    case Family::FixedPatterns:
      return "Fixed patterns";
    case Family::LearnablePatterns:
      return "Learnable patterns";
    case Family::Memories:
      return "Memories";
    case Family::LowRankKernels:
      return "Low rank and kernels";
    case Family::Own:
      return "Your own";
  }
  return "";
}

const Tensor* LoweringRequest::given(const std::string& name) const {
  if (asked != nullptr) asked->insert(name);
  const auto found = weights.find(name);
  return found == weights.end() ? nullptr : &found->second;
}

double LoweringRequest::defaultScale() const {
  return scaleOr(1.0 / std::sqrt(static_cast<double>(input.shape().d)));
}

Result<std::vector<InsidePanel>> Mechanism::insides(const InsidesRequest&) const {
  return std::vector<InsidePanel>{};
}

Result<std::vector<Decision>> Mechanism::decisions(const InsidesRequest&) const {
  return std::vector<Decision>{};
}

bool Mechanism::patternNeedsValues(const ParamValues&) const {
  return false;
}

Result<PlannedCall> planCall(const MechanismSpec& spec, const AttentionInput& input, const WeightSet& weights,
                             const JobContext& job, Tiles tiles) {
  PlannedCall call;
  call.spec = spec;
  ATTN_ASSIGN(mechanism, findMechanism(spec.id));
  call.mechanism = mechanism;
  const MechanismCard& card = mechanism->card();
  ATTN_ASSIGN(causal, settleCausal(card, spec.options));
  ATTN_TRY(checkLengths(card, input.shape(), causal));
  ATTN_ASSIGN(params, ParamValues::resolve(mechanism->params(), spec.params, input.shape(), card.id));
  call.params = std::move(params);
  call.options = spec.options;
  call.options.causal = causal;
  AttentionInput read = input;
  if (tiles == Tiles::Now || mechanism->patternNeedsValues(call.params)) {
    ATTN_ASSIGN(made, withValues(input, job));
    read = std::move(made);
  }
  std::set<std::string> asked;
  ATTN_ASSIGN(plan, mechanism->lower({read, call.params, call.options, weights, job, &asked}));
  call.givable.assign(asked.begin(), asked.end());
  ATTN_ASSIGN(frozen, FrozenPlan::freeze(std::move(plan), job, tiles));
  call.plan = std::move(frozen);
  return call;
}

}  // namespace attnscope
