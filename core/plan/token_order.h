// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/plan/plan.h"

namespace attnscope {

// A way to lay the rows and columns of a square out: place -> token, every token once.
struct TokenOrder {
  std::string name;  // "round 1": the step that executes in this order
  std::vector<std::int32_t> queries;
  std::vector<std::int32_t> keys;

  [[nodiscard]] bool isIdentity() const;
};

// The orders in which the attend steps of a plan lay the tokens of a head out (buckets, tables, sorted
// blocks, columns of a grid), in the order of the steps; each once, and none that is the text's own. A step
// that leaves tokens out, or has one several times, gives the place where it first stands; tokens that are
// left out come last.
[[nodiscard]] std::vector<TokenOrder> tokenOrders(const Plan& plan, Index head);

// Whether squares of this size can be laid out in another order at the speed of a window: up to 4,096 tokens.
[[nodiscard]] bool isSortable(const Shape& shape);

// token -> place.
[[nodiscard]] std::vector<std::int32_t> placesOf(const std::vector<std::int32_t>& order);

// A pattern on the axes [queries in order] x [keys in order | the columns after them as they are]. A row
// costs as much as it has pairs, and not as it has runs: for squares up to a few thousand.
[[nodiscard]] PatternPtr reordered(PatternPtr pattern, const TokenOrder& order);

}  // namespace attnscope
