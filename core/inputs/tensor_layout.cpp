// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/tensor_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace attnscope {

std::optional<RoleName> parseRoleName(std::string_view name) {
  const auto isRole = [](char c) { return c == 'q' || c == 'k' || c == 'v'; };
  RoleName parsed;
  if (name.size() == 1 && isRole(name[0])) {
    parsed.plain = true;
    parsed.role = name[0];
    return parsed;
  }
  bool hook = false;
  if (name.starts_with("blocks.")) {
    hook = true;
    name.remove_prefix(7);
  } else if (name.starts_with("layers.")) {
    name.remove_prefix(7);
  } else if (name.starts_with("layer.")) {
    name.remove_prefix(6);
  } else {
    return std::nullopt;
  }
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  if (code != std::errc{} || parsed.layer < 0 || parsed.layer > 1'000'000) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()));
  const std::string_view middle = !hook                                 ? "."
                                  : name.starts_with(".attn.hook_rot_") ? ".attn.hook_rot_"
                                                                        : ".attn.hook_";
  if (!name.starts_with(middle) || name.size() != middle.size() + 1 || !isRole(name.back()))
    return std::nullopt;
  parsed.role = name.back();
  parsed.rotated = middle.size() > 11;
  parsed.tokensFirst = hook;
  return parsed;
}

Result<HeadAxes> headAxes(const std::vector<Index>& shape, bool tokensFirst, const std::string& where) {
  const std::size_t rank = shape.size();
  if (rank < 2 || rank > 4)
    return fail(
        ErrorKind::Input,
        fmt::format("{} has the shape {}, expected {}. Reshape it.", where, shapeText(shape),
                    tokensFirst
                        ? "(tokens, width), (tokens, heads, width) or (batch, tokens, heads, width)"
                        : "(tokens, width), (heads, tokens, width) or (batch, heads, tokens, width)"));
  HeadAxes axes;
  axes.width = shape[rank - 1];
  axes.tokens = shape[rank - (tokensFirst && rank > 2 ? 3 : 2)];
  if (rank > 2) axes.heads = shape[rank - (tokensFirst ? 2 : 3)];
  if (rank > 3) axes.batch = shape[0];
  axes.tokensFirst = tokensFirst && axes.heads > 1;
  return axes;
}

Tensor takeHeads(const Tensor& tensor, const HeadAxes& axes, Index batch) {
  const std::vector<Index> shape = {axes.heads, axes.tokens, axes.width};
  const Index block = axes.heads * axes.tokens * axes.width;
  if (!axes.tokensFirst) {
    if (axes.batch == 1) return tensor.reshaped(shape);
    const auto owner = std::make_shared<const Tensor>(tensor);
    return Tensor::borrow(DType::F32, shape, tensor.values<float>().data() + batch * block, owner);
  }
  Tensor turned(DType::F32, shape);
  const float* from = tensor.values<float>().data() + batch * block;
  for (Index head = 0; head < axes.heads; ++head) {
    float* to = turned.mutableSlice<float>(head).data();
    for (Index token = 0; token < axes.tokens; ++token)
      std::copy_n(from + (token * axes.heads + head) * axes.width, axes.width, to + token * axes.width);
  }
  return turned;
}

}  // namespace attnscope
