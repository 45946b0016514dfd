// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/mechanisms/insides.h"
#include "core/params/mechanism_spec.h"
#include "core/params/param_values.h"
#include "core/plan/plan.h"

namespace attnscope {

enum class Family { Baseline, FixedPatterns, LearnablePatterns, Memories, LowRankKernels, Own };
[[nodiscard]] const char* familyName(Family family);

enum class CausalSupport { Both, CausalByDefault, Never, Always };

// Who made it, what it costs, what it can do: the card in the window, `attnscope list`, the table in the
// README.
struct MechanismCard {
  std::string id;    // "longformer"
  std::string name;  // "Longformer"
  Family family = Family::Baseline;
  std::string paper;  // title
  std::string authors;
  int year = 0;
  std::string arxiv;              // "2004.05150"
  std::string surveyComplexity;   // as the survey's table has it
  std::string countedComplexity;  // as our cost model counts it
  CausalSupport causal = CausalSupport::Both;
  bool decodable = true;         // can generate token by token
  bool readsKeys = true;         // false: K is ignored (shared QK)
  bool anyLengths = true;        // n_q != n_k allowed
  bool causalAnyLengths = true;  // ... when causal, too
  std::string summary;           // two sentences, as a teacher would say it
  std::string formula;           // plain text with Unicode
  std::string ours;              // what is this program's and not the paper's; empty if nothing
};

// Tensors given by the user instead of drawn ones: name -> tensor, with or without the leading axis of heads.
using WeightSet = std::map<std::string, Tensor>;

struct LoweringRequest {
  const AttentionInput& input;
  const ParamValues& params;
  const CallOptions& options;
  const WeightSet& weights;
  const JobContext& job;
  std::set<std::string>* asked = nullptr;  // collects the names of tensors that could have been given

  // The tensor that was given under this name, or null.
  [[nodiscard]] const Tensor* given(const std::string& name) const;
  // The plan is for looking at only: tensors that a pass would need may stay outlines.
  [[nodiscard]] bool patternOnly() const { return input.isOutline(); }
  [[nodiscard]] double scaleOr(double fallback) const { return options.scale.value_or(fallback); }
  [[nodiscard]] double defaultScale() const;  // the user's, or 1/sqrt(d)
};

// Immutable; all members may be called from any thread.
class Mechanism {
 public:
  virtual ~Mechanism() = default;
  [[nodiscard]] const MechanismCard& card() const { return m_card; }
  [[nodiscard]] const std::vector<ParamSpec>& params() const { return m_params; }

  // Makes every decision and writes the call down as primitives. `options.causal` is already settled against
  // the card. Errors say which rule is broken and offer the nearest valid value.
  // Where patternNeedsValues() is false, `request.input` may be an outline: lower() then reads its shape only
  // and may leave large tensors of its own as outlines, too. Such a plan has the pattern of the real one and
  // is never executed.
  [[nodiscard]] virtual Result<Plan> lower(const LoweringRequest& request) const = 0;

  // True if lowering these parameters reads q, k or v: to sort, to cluster, to fit.
  [[nodiscard]] virtual bool patternNeedsValues(const ParamValues& params) const;

  // What is particular to the mechanism, ready to draw, for one head of a call that has run. May take as long
  // as a forward pass; poll the job. The default has nothing to show.
  [[nodiscard]] virtual Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const;

  // What lower() decided from the data, in the order of the steps that it was decided for, under the same
  // conditions as insides(). The default decides nothing that has a picture.
  [[nodiscard]] virtual Result<std::vector<Decision>> decisions(const InsidesRequest& request) const;

 protected:
  Mechanism(MechanismCard card, std::vector<ParamSpec> params)
      : m_card(std::move(card)), m_params(std::move(params)) {}

 private:
  MechanismCard m_card;
  std::vector<ParamSpec> m_params;
};

// Checks a spec against the registry and the input, settles defaults, lowers and freezes: the one way from a
// SPEC to something that can be executed or drawn.
struct PlannedCall {
  const Mechanism* mechanism = nullptr;
  MechanismSpec spec;
  ParamValues params;
  CallOptions options;  // settled: causal as it will be executed
  std::shared_ptr<const FrozenPlan> plan;
  std::vector<std::string> givable;  // names of the tensors that this call takes in place of its own, sorted
};
// With Tiles::Later the input may be an outline; its values are made where the pattern needs them, and
// dropped again.
[[nodiscard]] Result<PlannedCall> planCall(const MechanismSpec& spec, const AttentionInput& input,
                                           const WeightSet& weights = {}, const JobContext& job = {},
                                           Tiles tiles = Tiles::Now);

}  // namespace attnscope
