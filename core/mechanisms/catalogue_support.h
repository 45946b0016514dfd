// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/mechanisms/mechanism.h"

namespace attnscope {

// What several entries of the catalogue need. Nothing here knows a particular mechanism.

// The tensor `name` of shape (H, rest...), from the user's weights if they have it, else as `draw` makes it.
// A tensor from a file may lack the axis of heads (then it serves all heads) and may be larger on axes listed
// in `atLeast` (by index into rest). Wrong shapes are refused with what was found and expected. int64 serves
// as int32, since that is what NumPy writes.
struct OwnedTensor {
  Tensor tensor;
  bool fromFile = false;
};
[[nodiscard]] Result<OwnedTensor> ownTensor(const LoweringRequest& request, const std::string& name,
                                            DType type, const std::vector<Index>& rest,
                                            const std::vector<std::size_t>& atLeast,
                                            const std::function<Tensor()>& draw);

// The same for a tensor that is only used if the user gave it.
[[nodiscard]] Result<Tensor> givenTensor(const LoweringRequest& request, const std::string& name, DType type,
                                         const std::vector<Index>& rest);
[[nodiscard]] bool isGivenTensor(const LoweringRequest& request, const std::string& name);

// "drawn from seed 3" or "file".
[[nodiscard]] std::string originText(const LoweringRequest& request, bool fromFile);

[[nodiscard]] Order makeOrder(std::vector<std::int32_t> order);

// Every (earlier) key, the pattern of full attention: query i stands at i + n_k - n_q.
[[nodiscard]] PatternPtr densePattern(Index nQ, Index nK, bool causal, std::uint8_t label = 0);

// Rows that read nothing in a step: a head that has no part in it.
[[nodiscard]] HeadAttend nothingToRead(const Shape& shape);

// One softmax over disjoint sets of keys, executed as several attend steps that are joined by log-sum-exp. A
// single step writes the output itself.
class JoinedAttention {
 public:
  JoinedAttention(Plan& plan, double scale) : m_plan(plan), m_scale(scale) {}
  void add(const std::string& title, const std::string& name, std::vector<HeadAttend> heads);
  // The same over slots, with their own keys and values.
  void addSlots(const std::string& title, const std::string& name, std::vector<HeadAttend> heads,
                BufferId keys, BufferId values);
  void addTerm(ScoreTerm term) { m_steps.back().terms.push_back(std::move(term)); }  // to the last set
  void finish(const std::string& mergeTitle);  // sets the plan's out and lse

 private:
  Plan& m_plan;
  double m_scale = 1.0;
  std::vector<AttendStep> m_steps;
  std::vector<std::string> m_names;
};

// Upper end of a parameter for which more than the length is legal and changes nothing: a memory, a window.
[[nodiscard]] double noLimit(const Shape& shape);

// One HeadAttend for all heads.
[[nodiscard]] std::vector<HeadAttend> sameForAllHeads(Index heads, const HeadAttend& attend);

}  // namespace attnscope
