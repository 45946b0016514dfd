// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace attnscope {

// Tokens [begin, end).
struct TokenRange {
  Index begin = 0;
  Index end = 0;
  friend bool operator==(const TokenRange&, const TokenRange&) = default;
};

// Rising, neither empty nor touching each other.
using TokenRanges = std::vector<TokenRange>;

// What one thing of a mechanism's insides stands for: a bucket, a table, a block, a segment, a slot, an
// inducing point. A side that it says nothing about is empty.
struct TokenGroup {
  std::string name;  // "bucket 7 of round 2": unique within the insides of a head
  TokenRanges queries;
  TokenRanges keys;
  TokenRanges slotColumns;  // of the slot axis of the plan
  friend bool operator==(const TokenGroup&, const TokenGroup&) = default;
};

// Pictures of one mechanism share what they stand for; null: nothing.
using TokenGroups = std::shared_ptr<const std::vector<TokenGroup>>;

// Of tokens in any order, repeated or not; negative ones are left out.
[[nodiscard]] TokenRanges rangesOf(std::vector<std::int32_t> tokens);
// Tokens [begin, end), cut to [0, n); nothing if that is empty.
[[nodiscard]] TokenRanges rangeWithin(Index begin, Index end, Index n);
[[nodiscard]] Index countOf(const TokenRanges& ranges);
[[nodiscard]] bool contains(const TokenRanges& ranges, Index token);
// Whether a token of [begin, end) is among them.
[[nodiscard]] bool meets(const TokenRanges& ranges, Index begin, Index end);

// A group for each label 0, ..., count - 1 of the tokens, the same tokens as queries and keys.
[[nodiscard]] std::vector<TokenGroup> groupsByLabel(std::span<const std::int32_t> labels, Index count,
                                                    const std::function<std::string(Index)>& name);
// Blocks of `length` tokens as queries and keys, the last one cut; at most `most` of them.
[[nodiscard]] std::vector<TokenGroup> groupsByBlock(Index n, Index length, Index most,
                                                    const std::function<std::string(Index)>& name);

// "18 tokens", "16 queries, 48 keys", "2 slots": what a group holds, in words.
[[nodiscard]] std::string sizeText(const TokenGroup& group);

}  // namespace attnscope
