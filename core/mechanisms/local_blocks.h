// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/inputs/attention_input.h"
#include "core/plan/pattern.h"

namespace attnscope {

// Runs of the text cut into blocks of queries that share one memory: the block itself, `memory` tokens before
// it and, unless causal, as many after it. Query i stands at i + n_k - n_q.
struct LocalBlocks {
  Index block = 1;
  Index memory = 0;
  bool causal = false;
  std::uint8_t blockLabel = 0;
  std::uint8_t memoryLabel = 0;
};
[[nodiscard]] PatternPtr localBlocksPattern(const Shape& shape, const LocalBlocks& rule);

}  // namespace attnscope
