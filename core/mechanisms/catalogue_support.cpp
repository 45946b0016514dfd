// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/catalogue_support.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace attnscope {

namespace {

std::vector<Index> withHeads(Index heads, const std::vector<Index>& rest) {
  std::vector<Index> shape{heads};
  shape.insert(shape.end(), rest.begin(), rest.end());
  return shape;
}

bool shapeFits(std::span<const Index> found, const std::vector<Index>& expected,
               const std::vector<std::size_t>& atLeast) {
  if (found.size() != expected.size()) return false;
  for (std::size_t axis = 0; axis < expected.size(); ++axis) {
    const bool mayBeLarger = std::find(atLeast.begin(), atLeast.end(), axis) != atLeast.end();
    if (mayBeLarger ? found[axis] < expected[axis] : found[axis] != expected[axis]) return false;
  }
  return true;
}

Result<Tensor> repeatedForHeads(const Tensor& tensor, Index heads) {
  std::vector<Index> shape = withHeads(heads, tensor.shape());
  Tensor repeated(tensor.dtype(), std::move(shape));
  auto* target = static_cast<char*>(const_cast<void*>(repeated.raw()));
  for (Index h = 0; h < heads; ++h)
    std::memcpy(target + static_cast<std::size_t>(h) * tensor.bytes(), tensor.raw(), tensor.bytes());
  return repeated;
}

Result<Tensor> narrowed(const std::string& name, const Tensor& wide) {
  Tensor narrow(DType::I32, wide.shape());
  auto target = narrow.mutableValues<std::int32_t>();
  const auto source = wide.values<std::int64_t>();
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (!std::in_range<std::int32_t>(source[i]))
      return fail(ErrorKind::Input,
                  fmt::format("Weights: '{}' contains {}, which is no 32-bit number.", name, source[i]));
    target[i] = static_cast<std::int32_t>(source[i]);
  }
  return narrow;
}

// What a mechanism decides by, or multiplies with, has to be a number.
Status requireFinite(const std::string& name, const Tensor& tensor) {
  if (tensor.dtype() != DType::F32) return {};
  const auto values = tensor.values<float>();
  const auto bad = std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
  if (bad == values.end()) return {};
  return fail(ErrorKind::Input,
              fmt::format("Weights: '{}' holds {} at place {} of {}, expected finite numbers. "
                          "Replace it.",
                          name, *bad, bad - values.begin(), values.size()));
}

Result<Tensor> fromWeights(const LoweringRequest& request, const std::string& name, const Tensor& given,
                           DType type, const std::vector<Index>& rest,
                           const std::vector<std::size_t>& atLeast) {
  const Index heads = request.input.shape().heads;
  Tensor found = given;
  if (type == DType::I32 && given.dtype() == DType::I64) {
    ATTN_ASSIGN(narrow, narrowed(name, given));
    found = std::move(narrow);
  }
  if (found.dtype() != type)
    return fail(ErrorKind::Input, fmt::format("Weights: '{}' is {}, but must be {}.", name,
                                              dtypeName(found.dtype()), dtypeName(type)));
  ATTN_TRY(requireFinite(name, found));
  if (shapeFits(found.shape(), rest, atLeast)) return repeatedForHeads(found, heads);
  std::vector<std::size_t> shifted;
  for (const std::size_t axis : atLeast) shifted.push_back(axis + 1);
  if (shapeFits(found.shape(), withHeads(heads, rest), shifted)) return found;
  return fail(
      ErrorKind::Input,
      fmt::format(
          "Weights: '{}' has the shape {}, but this input and these parameters need {}{} (or without the "
          "first axis, for all heads).",
          name, shapeText(found.shape()), shapeText(withHeads(heads, rest)),
          atLeast.empty() ? "" : " or longer"));
}

}  // namespace

Result<OwnedTensor> ownTensor(const LoweringRequest& request, const std::string& name, DType type,
                              const std::vector<Index>& rest, const std::vector<std::size_t>& atLeast,
                              const std::function<Tensor()>& draw) {
  const Tensor* given = request.given(name);
  if (given == nullptr) return OwnedTensor{draw(), false};
  ATTN_ASSIGN(tensor, fromWeights(request, name, *given, type, rest, atLeast));
  return OwnedTensor{std::move(tensor), true};
}

Result<Tensor> givenTensor(const LoweringRequest& request, const std::string& name, DType type,
                           const std::vector<Index>& rest) {
  return fromWeights(request, name, *request.given(name), type, rest, {});
}

bool isGivenTensor(const LoweringRequest& request, const std::string& name) {
  return request.given(name) != nullptr;
}

std::string originText(const LoweringRequest& request, bool fromFile) {
  return fromFile ? "file" : fmt::format("drawn from seed {}", request.options.seed);
}

Order makeOrder(std::vector<std::int32_t> order) {
  return std::make_shared<const std::vector<std::int32_t>>(std::move(order));
}

double noLimit(const Shape& shape) {
  return std::max(1e6, 2.0 * static_cast<double>(std::max(shape.nQ, shape.nK)));
}

PatternPtr densePattern(Index nQ, Index nK, bool causal, std::uint8_t label) {
  return makePattern(nQ, nK, [nQ, nK, causal, label](Index i, RunList& runs) {
    const Index end = causal ? std::min(i + nK - nQ + 1, nK) : nK;
    if (end > 0) runs.push_back({0, end, 1, label, 1});
  });
}

HeadAttend nothingToRead(const Shape& shape) {
  return {nullptr, nullptr, makePattern(shape.nQ, shape.nK, [](Index, RunList&) {})};
}

void JoinedAttention::add(const std::string& title, const std::string& name, std::vector<HeadAttend> heads) {
  AttendStep step;
  step.title = title;
  step.scale = m_scale;
  step.heads = std::move(heads);
  m_steps.push_back(std::move(step));
  m_names.push_back(name);
}

void JoinedAttention::addSlots(const std::string& title, const std::string& name,
                               std::vector<HeadAttend> heads, BufferId keys, BufferId values) {
  add(title, name, std::move(heads));
  m_steps.back().axis = KeyAxis::Slots;
  m_steps.back().k = keys;
  m_steps.back().v = values;
}

void JoinedAttention::finish(const std::string& mergeTitle) {
  MergeStep merge;
  merge.title = mergeTitle;
  const bool single = m_steps.size() == 1;
  for (std::size_t s = 0; s < m_steps.size(); ++s) {
    const std::string suffix = single ? "" : "_" + m_names[s];
    m_steps[s].out = m_plan.addBuffer("out" + suffix, m_plan.shape.nQ, m_plan.shape.dV);
    m_steps[s].lse = m_plan.addBuffer("lse" + suffix, m_plan.shape.nQ, 1);
    merge.outs.push_back(m_steps[s].out);
    merge.lses.push_back(m_steps[s].lse);
    m_plan.steps.emplace_back(std::move(m_steps[s]));
  }
  m_plan.out = single ? merge.outs.front() : m_plan.addBuffer("out", m_plan.shape.nQ, m_plan.shape.dV);
  m_plan.lse = single ? merge.lses.front() : m_plan.addBuffer("lse", m_plan.shape.nQ, 1);
  if (single) return;
  merge.out = m_plan.out;
  merge.lse = m_plan.lse;
  m_plan.steps.emplace_back(std::move(merge));
}

std::vector<HeadAttend> sameForAllHeads(Index heads, const HeadAttend& attend) {
  return std::vector<HeadAttend>(static_cast<std::size_t>(heads), attend);
}

}  // namespace attnscope
