// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/synthetic_logits.h"

#include <algorithm>

namespace attnscope {

SyntheticLogits::SyntheticLogits(const Plan& plan, const AttentionInput& input, Index head)
    : m_input(input), m_head(head), m_keys(static_cast<std::size_t>(plan.shape.nK)) {
  for (const ParamTensor& param : plan.params) m_tensors[param.name] = param.make();
}

const Tensor* SyntheticLogits::tensor(const std::string& name) const {
  const auto it = m_tensors.find(name);
  return it == m_tensors.end() ? nullptr : &it->second;
}

std::vector<double> SyntheticLogits::affine(Index i, const std::string& weight, const std::string& bias,
                                            bool relu) const {
  const auto w = m_tensors.at(weight).slice<float>(m_head);
  const auto start = m_tensors.at(bias).slice<float>(m_head);
  const auto d = static_cast<std::size_t>(m_input.q.dim(2));
  const auto x = m_input.q.slice<float>(m_head).subspan(static_cast<std::size_t>(i) * d, d);
  std::vector<double> y(start.begin(), start.end());
  for (std::size_t a = 0; a < d; ++a)
    for (std::size_t c = 0; c < y.size(); ++c) y[c] += static_cast<double>(x[a]) * w[a * y.size() + c];
  if (relu)
    for (double& value : y) value = std::max(value, 0.0);
  return y;
}

std::vector<double> SyntheticLogits::row(Index i) const {
  if (tensor("w1") != nullptr) return denseRow(i);
  if (tensor("w_a") != nullptr) return outerRow(i);
  if (tensor("logits_a") != nullptr) return factorRow(i);
  const Tensor& table = m_tensors.at("logits");
  const auto from = table.slice<float>(m_head).subspan(static_cast<std::size_t>(i * table.dim(2)), m_keys);
  return {from.begin(), from.end()};
}

std::vector<double> SyntheticLogits::denseRow(Index i) const {
  const std::vector<double> hidden = affine(i, "w1", "b1", true);
  const Tensor& w2 = m_tensors.at("w2");
  const auto weight = w2.slice<float>(m_head);
  const auto bias = m_tensors.at("b2").slice<float>(m_head).first(m_keys);
  std::vector<double> logits(bias.begin(), bias.end());
  const auto columns = static_cast<std::size_t>(w2.dim(2));
  for (std::size_t c = 0; c < hidden.size(); ++c)
    for (std::size_t j = 0; j < m_keys && hidden[c] != 0.0; ++j)
      logits[j] += hidden[c] * static_cast<double>(weight[c * columns + j]);
  return logits;
}

std::vector<double> SyntheticLogits::outerRow(Index i) const {
  const std::vector<double> a = affine(i, "w_a", "b_a", false);
  const std::vector<double> b = affine(i, "w_b", "b_b", false);
  std::vector<double> logits(m_keys);
  for (std::size_t j = 0; j < m_keys; ++j) logits[j] = a[j / b.size()] * b[j % b.size()];
  return logits;
}

std::vector<double> SyntheticLogits::factorRow(Index i) const {
  const auto rank = static_cast<std::size_t>(m_tensors.at("logits_a").dim(2));
  const auto a =
      m_tensors.at("logits_a").slice<float>(m_head).subspan(static_cast<std::size_t>(i) * rank, rank);
  const auto b = m_tensors.at("logits_b").slice<float>(m_head);
  std::vector<double> logits(m_keys, 0.0);
  for (std::size_t j = 0; j < m_keys; ++j)
    for (std::size_t c = 0; c < rank; ++c) logits[j] += static_cast<double>(a[c]) * b[j * rank + c];
  return logits;
}

}  // namespace attnscope
