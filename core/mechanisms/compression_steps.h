// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/mechanisms/compressed_memory.h"

namespace attnscope {

// Writes the steps that make the slots' keys and values from the tokens that left the memory, sets the plan's
// slotValues and slotComposition, and lists the tensors of the compression. `chosen` is read where the
// function is most-used.
struct CompressedRows {
  BufferId keys = kNoBuffer;
  BufferId values = kNoBuffer;
};
[[nodiscard]] Result<CompressedRows> addCompressionSteps(const LoweringRequest& request, Plan& plan,
                                                         const CompressedTimeline& timeline,
                                                         const MostUsed& chosen);

}  // namespace attnscope
