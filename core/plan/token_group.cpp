// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/token_group.h"

#include <fmt/format.h>

#include <algorithm>

namespace attnscope {

namespace {

std::string counted(Index count, const char* one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string countedQueries(Index count) {
  return count == 1 ? "1 query" : fmt::format("{} queries", count);
}

}  // namespace

TokenRanges rangesOf(std::vector<std::int32_t> tokens) {
  std::sort(tokens.begin(), tokens.end());
  TokenRanges ranges;
  for (const std::int32_t token : tokens) {
    if (token < 0) continue;
    if (!ranges.empty() && token < ranges.back().end) continue;
    if (!ranges.empty() && token == ranges.back().end)
      ++ranges.back().end;
    else
      ranges.push_back({token, token + 1});
  }
  return ranges;
}

TokenRanges rangeWithin(Index begin, Index end, Index n) {
  begin = std::max<Index>(0, begin);
  end = std::min(end, n);
  return begin < end ? TokenRanges{{begin, end}} : TokenRanges{};
}

Index countOf(const TokenRanges& ranges) {
  Index count = 0;
  for (const TokenRange& range : ranges) count += range.end - range.begin;
  return count;
}

bool contains(const TokenRanges& ranges, Index token) {
  return meets(ranges, token, token + 1);
}

bool meets(const TokenRanges& ranges, Index begin, Index end) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), begin,
                                      [](Index at, const TokenRange& range) { return at < range.end; });
  return after != ranges.end() && after->begin < end;
}

std::vector<TokenGroup> groupsByLabel(std::span<const std::int32_t> labels, Index count,
                                      const std::function<std::string(Index)>& name) {
  std::vector<TokenGroup> groups(static_cast<std::size_t>(count));
  for (Index g = 0; g < count; ++g) groups[static_cast<std::size_t>(g)].name = name(g);
  for (std::size_t token = 0; token < labels.size(); ++token) {
    if (labels[token] < 0 || labels[token] >= count) continue;
    TokenRanges& ranges = groups[static_cast<std::size_t>(labels[token])].queries;
    const auto at = static_cast<Index>(token);
    if (!ranges.empty() && ranges.back().end == at)
      ++ranges.back().end;
    else
      ranges.push_back({at, at + 1});
  }
  for (TokenGroup& group : groups) group.keys = group.queries;
  return groups;
}

std::vector<TokenGroup> groupsByBlock(Index n, Index length, Index most,
                                      const std::function<std::string(Index)>& name) {
  std::vector<TokenGroup> groups;
  for (Index b = 0; b < most && b * length < n; ++b) {
    const TokenRanges range = rangeWithin(b * length, (b + 1) * length, n);
    groups.push_back({name(b), range, range, {}});
  }
  return groups;
}

std::string sizeText(const TokenGroup& group) {
  const Index queries = countOf(group.queries);
  const Index keys = countOf(group.keys);
  std::string text;
  if (group.queries == group.keys)
    text = counted(keys, "token");
  else if (group.queries.empty())
    text = counted(keys, "key");
  else if (group.keys.empty())
    text = countedQueries(queries);
  else
    text = countedQueries(queries) + ", " + counted(keys, "key");
  if (group.slotColumns.empty()) return text;
  const std::string made = counted(countOf(group.slotColumns), "slot");
  return queries + keys == 0 ? made : text + ", " + made;
}

}  // namespace attnscope
