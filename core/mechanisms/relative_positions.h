// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/insides.h"

namespace attnscope {

// Relative positions of Dai et al., as transformer-xl and compressive use them. The logit of query q at
// distance x from key k is s times
//   (a) q.k + (b) q.r + (c) u.k + (d) w.r,   r = R(x) P,   R(x) = [sin(x w_0).., cos(x w_0)..],
// with P = rel_proj, u = content_bias, w = position_bias. Since R is made of sines and cosines, (b) + (d) is
// the product of a turned query row with a row that only depends on where the key stands (see RotateStep): no
// kernel of its own is needed.

// `init` and the four switches `term_a` .. `term_d`.
void addRelativeParams(std::vector<ParamSpec>& params);

struct RelativeTerms {
  Tensor projection;    // P: (H, d, d)
  Tensor contentBias;   // u: (H, d)
  Tensor positionBias;  // w: (H, d)
  bool a = true;
  bool b = true;
  bool c = true;
  bool d = true;

  // False where P is 0 or both of its terms are off: no position takes part.
  [[nodiscard]] bool usesPositions() const;
};

// The tensors of a call, from the user or as `init` says; also listed in the plan. Refuses an odd head width.
[[nodiscard]] Result<RelativeTerms> ownRelativeTerms(const LoweringRequest& request, Plan& plan);
// The same tensors read back from a finished plan.
[[nodiscard]] RelativeTerms relativeTermsOf(const Plan& plan, const ParamValues& params);

// Writes the steps that turn queries and keys into rows whose plain product is the logit (without s).
class RelativeRows {
 public:
  RelativeRows(Plan& plan, const RelativeTerms& terms);

  // Rows for queries standing at the given positions.
  [[nodiscard]] BufferId queries(const std::string& name, const std::vector<double>& positions);
  // Rows for keys standing at the given positions: one list for all heads, or one a head.
  [[nodiscard]] BufferId keys(const std::string& name, BufferId in,
                              const std::vector<std::vector<double>>& positions);
  // Rows for pairs that all count as `distance` apart.
  [[nodiscard]] BufferId queriesAt(const std::string& name, Index distance);
  [[nodiscard]] BufferId keysAt(const std::string& name, BufferId in);

 private:
  void addContent();
  void addPosition();
  [[nodiscard]] BufferId concat(const std::string& name, BufferId a, BufferId b);

  Plan& m_plan;
  const RelativeTerms& m_terms;
  BufferId m_content = kQuery;
  BufferId m_position = kNoBuffer;  // (q + w) P^T
};

// One softmax over disjoint sets of keys: runs the steps and joins them by log-sum-exp as the plan's output.
// Names tell the buffers of several steps apart.
void joinReads(Plan& plan, std::vector<AttendStep> steps, const std::vector<std::string>& names,
               const std::string& mergeTitle);
// 0, 1, ..., n - 1.
[[nodiscard]] std::vector<double> tokenPositions(Index n);
// The factor s of a plan's logits.
[[nodiscard]] double scaleOf(const Plan& plan);

// [sin(x w_0).., cos(x w_0)..] of width d, w_c = 10000^(-2c / d).
[[nodiscard]] std::vector<double> sinusoid(double x, Index d);
// A row times a (d, d) matrix transposed, in double.
[[nodiscard]] std::vector<double> timesTransposed(const float* row, std::span<const float> matrix, Index d);

}  // namespace attnscope
