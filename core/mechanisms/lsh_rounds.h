// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"
#include "core/plan/pattern.h"

namespace attnscope {

// Locality-sensitive hashing of the rows of one head into buckets, round by round, and the sorted, chunked
// order that follows from it: Kitaev et al., arXiv 2001.04451, section 2. Decisions are made in double from
// float32 values, each score summed in index order, ties to the smaller index.
struct LshRules {
  Index chunk = 1;
  Index lookBack = 1;
  Index lookAhead = 0;
  bool restrictToBucket = true;
  bool causal = false;
  bool wrap = false;  // chunks form a ring over all rounds, as published code does
};

struct LshRound {
  std::vector<std::int32_t> bucket;       // by token
  std::vector<std::int32_t> order;        // position -> token: by bucket, then by token
  std::vector<std::int32_t> position;     // token -> position
  std::vector<std::int32_t> bucketEnd;    // by position: where the bucket of that position ends
  std::vector<std::int32_t> bucketBegin;  // by position
};

// Bucket of every row x: argmax over [xR; -xR], R (d, half) row-major. A row of zeros goes to bucket 0.
[[nodiscard]] Result<std::vector<std::int32_t>> hashRows(std::span<const float> rows, Index n, Index d,
                                                         std::span<const float> rotation, Index half,
                                                         const JobContext& job);

// Sorts tokens by bucket.
[[nodiscard]] LshRound sortByBucket(std::vector<std::int32_t> bucket);

// All rounds of one head: which keys each query is compared with.
class LshCandidates {
 public:
  LshCandidates(std::vector<LshRound> rounds, const LshRules& rules);

  [[nodiscard]] const std::vector<LshRound>& rounds() const { return m_rounds; }
  [[nodiscard]] Index length() const { return m_n; }

  // Positions of round r that the query at position p reads, itself included: sorted, disjoint [begin, end).
  struct Span {
    Index begin;
    Index end;
  };
  void candidates(std::size_t round, Index p, std::vector<Span>& spans) const;

  // Is key j among the candidates of query i in this round?
  [[nodiscard]] bool contains(std::size_t round, std::int32_t i, std::int32_t j) const;
  // In how many rounds each of `keys` is among the candidates of query i. All of them are in `round`.
  void countRounds(std::size_t round, std::int32_t i, std::span<const std::int32_t> keys,
                   std::span<std::uint8_t> counts) const;
  // The candidates of the queries at positions [64 tileRow, 64 tileRow + 64) of a round as tiles, each
  // counted in how many rounds it is one. A query that has others is left out of its own where
  // `leaveOutSelf`. Not for rings of chunks.
  void countTiles(std::size_t round, Index tileRow, bool leaveOutSelf, bool countRounds,
                  std::vector<TileCells>& tiles) const;
  [[nodiscard]] bool isRing() const { return m_rules.wrap && !m_rules.restrictToBucket; }
  // True if query i has no candidate but itself in any round.
  [[nodiscard]] bool isAlone(std::int32_t i) const { return m_alone[static_cast<std::size_t>(i)] != 0; }

 private:
  void addChunk(std::size_t round, Index chunk, std::size_t ownRound, Index p,
                std::vector<Span>& spans) const;
  void addOtherRound(std::size_t round, std::size_t other, Index tileRow, TileCells& cells) const;
  [[nodiscard]] Span readsIn(std::size_t round, std::int32_t i) const;
  [[nodiscard]] bool readsChunk(Index from, Index to) const;
  [[nodiscard]] bool readsAround(std::size_t round, Index from, std::int32_t j) const;

  // Bucket and chunk of a token side by side: counting rounds asks for both, for every pair.
  struct Place {
    std::int32_t bucket = 0;
    std::int32_t chunk = 0;
  };
  std::vector<LshRound> m_rounds;
  LshRules m_rules;
  Index m_n = 0;
  Index m_chunks = 0;                        // in one round
  std::vector<std::vector<Place>> m_places;  // by round and token
  std::vector<std::uint8_t> m_alone;
};

}  // namespace attnscope
