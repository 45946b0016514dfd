// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <vector>

#include "core/mechanisms/mechanism.h"

namespace attnscope {

// A global memory beside the tokens, one note a segment of the text: Ainslie et al., arXiv 2004.08483. Notes
// are the plan's slots. Without tensors of the user a note's query, key and value are the means of its
// tokens'.
struct GlobalNotes {
  Index count = 0;
  std::shared_ptr<const std::vector<std::int32_t>> noteOf;  // token -> its note
  std::vector<Index> bounds;  // note a stands for tokens bounds[a] .. bounds[a+1]-1
  BufferId q = kNoBuffer;
  BufferId k = kNoBuffer;
  BufferId v = kNoBuffer;
};

// The segments of the input where it has them and `block` was not given, else blocks of `block` tokens. Adds
// the notes' buffers (q_global, k_global, v_global) and the steps or constants that fill them, and sets the
// plan's slots with their composition. Errors: tensors of another shape.
[[nodiscard]] Result<GlobalNotes> addGlobalNotes(const LoweringRequest& request, Plan& plan);

}  // namespace attnscope
