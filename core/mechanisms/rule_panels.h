// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/mechanisms/insides.h"

namespace attnscope {

// What every fixed pattern shows of itself: which of its rules lets how many keys in. The rules are the
// plan's labels.

// Keys of each query by rule, at up to about 512 queries.
[[nodiscard]] InsidePanel keysByRule(const FrozenPlan& plan, Index head);

// Pairs of the whole head by rule.
[[nodiscard]] InsidePanel pairsByRule(const FrozenPlan& plan, Index head, const std::string& caption);

// The pattern rule by rule, one picture each, under one series: what each rule alone lets in. Cells stand for
// several pairs where the text is long, and then show the share of them. Empty where there is one rule only.
[[nodiscard]] std::vector<InsidePanel> ruleLayers(const FrozenPlan& plan, Index head);

// What a few queries read, folded into lines of `width` tokens: a rule that counts tokens modulo `width`
// becomes a column, one that counts lines a row. One picture a query, under one series; cells are tokens.
[[nodiscard]] std::vector<InsidePanel> foldedReading(const FrozenPlan& plan, Index head, Index width);

// The keys that the queries [begin, end) read together.
[[nodiscard]] TokenRanges keysReadBy(const FrozenPlan& plan, Index head, Index begin, Index end);

// Tokens in blocks of `block` queries, one strip, each block with the keys that it reads.
[[nodiscard]] InsidePanel blockStrip(const FrozenPlan& plan, Index head, Index block);

}  // namespace attnscope
