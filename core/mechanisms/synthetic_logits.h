// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"

namespace attnscope {

// Logits of one head that no key had a part in, row by row in double, from the tensors that a plan names. For
// pictures: the plan's own steps do the work of a call.
class SyntheticLogits {
 public:
  SyntheticLogits(const Plan& plan, const AttentionInput& input, Index head);

  // Row i: n_k logits.
  [[nodiscard]] std::vector<double> row(Index i) const;
  // One of the plan's tensors; null if it has none of this name.
  [[nodiscard]] const Tensor* tensor(const std::string& name) const;
  // relu?(x_i W + bias) for the token's query x_i.
  [[nodiscard]] std::vector<double> affine(Index i, const std::string& weight, const std::string& bias,
                                           bool relu) const;

 private:
  [[nodiscard]] std::vector<double> denseRow(Index i) const;
  [[nodiscard]] std::vector<double> outerRow(Index i) const;
  [[nodiscard]] std::vector<double> factorRow(Index i) const;

  const AttentionInput& m_input;
  Index m_head;
  std::size_t m_keys;
  std::map<std::string, Tensor> m_tensors;
};

}  // namespace attnscope
