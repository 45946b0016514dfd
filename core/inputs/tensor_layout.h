// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace attnscope {

// "layer.3.q" taken apart.
struct RoleName {
  Index layer = 0;
  bool plain = false;        // "q": no layer in the name
  char role = 'q';           // q, k or v
  bool rotated = false;      // hook_rot_q: to be preferred to hook_q
  bool tokensFirst = false;  // hook names put tokens before heads
};
[[nodiscard]] std::optional<RoleName> parseRoleName(std::string_view name);

// An array read as (batch, heads, tokens, width).
struct HeadAxes {
  Index batch = 1;
  Index heads = 1;
  Index tokens = 0;
  Index width = 0;
  bool tokensFirst = false;  // in memory: tokens before heads
};
// `where` names file and array. Errors (Input): a rank that is not 2, 3 or 4.
[[nodiscard]] Result<HeadAxes> headAxes(const std::vector<Index>& shape, bool tokensFirst,
                                        const std::string& where);

// One batch entry as (heads, tokens, width); a view where the order in memory allows it, a copy otherwise.
// The tensor is float32 and the entry within range.
[[nodiscard]] Tensor takeHeads(const Tensor& tensor, const HeadAxes& axes, Index batch);

}  // namespace attnscope
