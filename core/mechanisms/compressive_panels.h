// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/mechanisms/compressed_memory.h"

namespace attnscope {

// What a Compressive Transformer shows of itself: its drawers over time, where the attention goes, how far it
// sees, what the compression loses and learns, and the terms of its logits.
[[nodiscard]] Result<std::vector<InsidePanel>> compressivePanels(const InsidesRequest& request);

}  // namespace attnscope
