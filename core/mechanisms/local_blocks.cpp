// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/local_blocks.h"

#include <algorithm>

namespace attnscope {

namespace {

Index floorDiv(Index a, Index b) {
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

}  // namespace

PatternPtr localBlocksPattern(const Shape& shape, const LocalBlocks& rule) {
  return makePattern(shape.nQ, shape.nK, [shape, rule](Index i, RunList& runs) {
    const Index p = i + shape.nK - shape.nQ;
    const Index limit = rule.causal ? std::min(shape.nK, p + 1) : shape.nK;
    const Index own = floorDiv(p, rule.block) * rule.block;
    const auto add = [&](Index begin, Index end, std::uint8_t label) {
      begin = std::max<Index>(0, begin);
      end = std::min(limit, end);
      if (begin < end) runs.push_back({begin, end, 1, label, 1});
    };
    add(own - rule.memory, own, rule.memoryLabel);
    add(own, own + rule.block, rule.blockLabel);
    if (!rule.causal) add(own + rule.block, own + rule.block + rule.memory, rule.memoryLabel);
  });
}

}  // namespace attnscope
