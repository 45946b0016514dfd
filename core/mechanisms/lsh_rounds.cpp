// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/lsh_rounds.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <numeric>
#include <utility>

#include "core/analysis/leading_products.h"
#include "core/simd/selection.h"

namespace attnscope {

Result<std::vector<std::int32_t>> hashRows(std::span<const float> rows, Index n, Index d,
                                           std::span<const float> rotation, Index half,
                                           const JobContext& job) {
  std::vector<float> directions(static_cast<std::size_t>(half * d));
  for (Index c = 0; c < d; ++c)
    for (Index a = 0; a < half; ++a)
      directions[static_cast<std::size_t>(a * d + c)] = rotation[static_cast<std::size_t>(c * half + a)];
  return leadingDirections({rows.first(static_cast<std::size_t>(n * d)), d},
                           {std::span<const float>(directions), d}, job);
}

LshRound sortByBucket(std::vector<std::int32_t> bucket) {
  LshRound round;
  const std::size_t n = bucket.size();
  // Counted: a token's place is after those of smaller buckets and those of its own before it.
  const std::int32_t buckets = n == 0 ? 0 : *std::max_element(bucket.begin(), bucket.end()) + 1;
  std::vector<std::int32_t> next(static_cast<std::size_t>(buckets) + 1, 0);
  for (const std::int32_t b : bucket) ++next[static_cast<std::size_t>(b) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  round.order.resize(n);
  for (std::size_t i = 0; i < n; ++i)
    round.order[static_cast<std::size_t>(next[static_cast<std::size_t>(bucket[i])]++)] =
        static_cast<std::int32_t>(i);
  round.position.resize(n);
  round.bucketBegin.resize(n);
  round.bucketEnd.resize(n);
  const auto bucketAt = [&](std::size_t p) { return bucket[static_cast<std::size_t>(round.order[p])]; };
  std::size_t begin = 0;
  while (begin < n) {
    std::size_t end = begin;
    while (end < n && bucketAt(end) == bucketAt(begin)) ++end;
    for (std::size_t p = begin; p < end; ++p) {
      round.position[static_cast<std::size_t>(round.order[p])] = static_cast<std::int32_t>(p);
      round.bucketBegin[p] = static_cast<std::int32_t>(begin);
      round.bucketEnd[p] = static_cast<std::int32_t>(end);
    }
    begin = end;
  }
  round.bucket = std::move(bucket);
  return round;
}

LshCandidates::LshCandidates(std::vector<LshRound> rounds, const LshRules& rules)
    : m_rounds(std::move(rounds)), m_rules(rules), m_n(static_cast<Index>(m_rounds.front().order.size())) {
  m_chunks = (m_n + m_rules.chunk - 1) / m_rules.chunk;
  for (const LshRound& round : m_rounds) {
    std::vector<Place>& places = m_places.emplace_back(static_cast<std::size_t>(m_n));
    for (std::size_t i = 0; i < places.size(); ++i)
      places[i] = {round.bucket[i], static_cast<std::int32_t>(round.position[i] / m_rules.chunk)};
  }
  m_alone.assign(static_cast<std::size_t>(m_n), 1);
  tbb::parallel_for(Index{0}, m_n, [&](Index i) {
    thread_local std::vector<Span> spans;  // no allocation for each token
    for (std::size_t r = 0; r < m_rounds.size() && m_alone[static_cast<std::size_t>(i)] != 0; ++r) {
      candidates(r, m_rounds[r].position[static_cast<std::size_t>(i)], spans);
      Index count = 0;
      for (const Span& span : spans) count += span.end - span.begin;
      if (count > 1) m_alone[static_cast<std::size_t>(i)] = 0;
    }
  });
}

bool LshCandidates::readsChunk(Index from, Index to) const {
  return to >= from - m_rules.lookBack && to <= from + m_rules.lookAhead;
}

void LshCandidates::candidates(std::size_t round, Index p, std::vector<Span>& spans) const {
  spans.clear();
  const Index own = p / m_rules.chunk;
  const Index all = m_chunks * static_cast<Index>(m_rounds.size());
  for (Index chunk = own - m_rules.lookBack; chunk <= own + m_rules.lookAhead; ++chunk) {
    if (chunk >= 0 && chunk < m_chunks) {
      addChunk(round, chunk, round, p, spans);
    } else if (m_rules.wrap && !m_rules.restrictToBucket) {
      const Index ring = ((static_cast<Index>(round) * m_chunks + chunk) % all + all) % all;
      addChunk(static_cast<std::size_t>(ring / m_chunks), ring % m_chunks, round, p, spans);
    }
  }
  if (spans.size() < 2) return;
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  std::size_t last = 0;
  for (std::size_t s = 1; s < spans.size(); ++s) {  // join what touches; a wrapped key may be there twice
    if (spans[s].begin <= spans[last].end)
      spans[last].end = std::max(spans[last].end, spans[s].end);
    else
      spans[++last] = spans[s];
  }
  spans.resize(last + 1);
}

// Adds the readable part of a chunk of `round`, in positions of `ownRound`.
void LshCandidates::addChunk(std::size_t round, Index chunk, std::size_t ownRound, Index p,
                             std::vector<Span>& spans) const {
  const LshRound& own = m_rounds[ownRound];
  const LshRound& other = m_rounds[round];
  const std::int32_t i = own.order[static_cast<std::size_t>(p)];
  Index begin = chunk * m_rules.chunk;
  Index end = std::min(m_n, begin + m_rules.chunk);
  if (round != ownRound) {  // a wrapped chunk: its tokens are scattered over this round's order
    for (Index at = begin; at < end; ++at) {
      const std::int32_t j = other.order[static_cast<std::size_t>(at)];
      const Index position = own.position[static_cast<std::size_t>(j)];
      if (!m_rules.causal || j <= i) spans.push_back({position, position + 1});
    }
    return;
  }
  if (m_rules.restrictToBucket) {
    begin = std::max<Index>(begin, own.bucketBegin[static_cast<std::size_t>(p)]);
    end = std::min<Index>(end, own.bucketEnd[static_cast<std::size_t>(p)]);
  }
  while (begin < end) {  // bucket by bucket: inside one, tokens rise, so the earlier ones are a prefix
    const Index stop = std::min<Index>(end, own.bucketEnd[static_cast<std::size_t>(begin)]);
    Index upTo = stop;
    if (m_rules.causal)
      upTo = std::upper_bound(own.order.begin() + begin, own.order.begin() + stop, i) - own.order.begin();
    if (begin < upTo) spans.push_back({begin, upTo});
    begin = stop;
  }
}

bool LshCandidates::contains(std::size_t round, std::int32_t i, std::int32_t j) const {
  if (m_rules.causal && j > i) return false;
  const std::vector<Place>& places = m_places[round];
  const Place query = places[static_cast<std::size_t>(i)];
  const Place key = places[static_cast<std::size_t>(j)];
  if (m_rules.restrictToBucket && query.bucket != key.bucket) return false;
  if (readsChunk(query.chunk, key.chunk)) return true;
  return m_rules.wrap && !m_rules.restrictToBucket && readsAround(round, query.chunk, j);
}

// Does the window of chunks around `from` reach key j over the end of its round?
bool LshCandidates::readsAround(std::size_t round, Index from, std::int32_t j) const {
  const Index all = m_chunks * static_cast<Index>(m_rounds.size());
  for (Index chunk = from - m_rules.lookBack; chunk <= from + m_rules.lookAhead; ++chunk) {
    if (chunk >= 0 && chunk < m_chunks) continue;
    const Index ring = ((static_cast<Index>(round) * m_chunks + chunk) % all + all) % all;
    if (m_places[static_cast<std::size_t>(ring / m_chunks)][static_cast<std::size_t>(j)].chunk ==
        ring % m_chunks)
      return true;
  }
  return false;
}

void LshCandidates::countRounds(std::size_t round, std::int32_t i, std::span<const std::int32_t> keys,
                                std::span<std::uint8_t> counts) const {
  std::fill_n(counts.begin(), keys.size(), std::uint8_t{1});
  for (std::size_t r = 0; r < m_rounds.size(); ++r) {
    if (r == round) continue;
    if (isRing()) {
      for (std::size_t t = 0; t < keys.size(); ++t)
        counts[t] = static_cast<std::uint8_t>(counts[t] + (contains(r, i, keys[t]) ? 1 : 0));
      continue;
    }
    // The same question as contains(), without branches: the mask is the same in every round.
    const Place* places = m_places[r].data();
    const Place query = places[i];
    const auto first = static_cast<std::int32_t>(query.chunk - m_rules.lookBack);
    const auto width = static_cast<std::uint32_t>(m_rules.lookBack + m_rules.lookAhead);
    const bool anyBucket = !m_rules.restrictToBucket;
    for (std::size_t t = 0; t < keys.size(); ++t) {
      const Place key = places[keys[t]];
      const bool near = static_cast<std::uint32_t>(key.chunk - first) <= width;
      const bool alike = anyBucket | (key.bucket == query.bucket);
      counts[t] = static_cast<std::uint8_t>(counts[t] + static_cast<std::uint8_t>(near & alike));
    }
  }
}

void LshCandidates::countTiles(std::size_t round, Index tileRow, bool leaveOutSelf, bool countRounds,
                               std::vector<TileCells>& tiles) const {
  const std::size_t before = tiles.size();
  const Index first = tileRow * kTile;
  const auto cellsOf = [&](Index tile) -> TileCells& {
    for (std::size_t t = before; t < tiles.size(); ++t)
      if (tiles[t].tile == tile) return tiles[t];
    tiles.emplace_back().tile = static_cast<std::int32_t>(tile);
    return tiles.back();
  };
  std::vector<Span> spans;
  for (Index p = first; p < std::min(m_n, first + kTile); ++p) {
    candidates(round, p, spans);
    const bool skip = leaveOutSelf && !isAlone(m_rounds[round].order[static_cast<std::size_t>(p)]);
    for (const Span& span : spans)
      for (Index tile = span.begin / kTile; tile * kTile < span.end; ++tile) {
        const Index begin = std::max(span.begin - tile * kTile, Index{0});
        const Index end = std::min(span.end - tile * kTile, kTile);
        std::uint64_t bits = ~std::uint64_t{0} >> (kTile - (end - begin)) << begin;
        if (skip && p / kTile == tile) bits &= ~(std::uint64_t{1} << p % kTile);
        if (bits != 0) cellsOf(tile).bits[static_cast<std::size_t>(p - first)] |= bits;
      }
  }
  for (std::size_t t = before; countRounds && t < tiles.size(); ++t)
    for (std::size_t other = 0; other < m_rounds.size(); ++other)
      if (other != round) addOtherRound(round, other, tileRow, tiles[t]);
}

// Positions of a round that query i reads there, later tokens included.
LshCandidates::Span LshCandidates::readsIn(std::size_t round, std::int32_t i) const {
  const LshRound& own = m_rounds[round];
  const auto p = static_cast<std::size_t>(own.position[static_cast<std::size_t>(i)]);
  const Index chunk = static_cast<Index>(p) / m_rules.chunk;
  Index begin = std::max<Index>(0, (chunk - m_rules.lookBack) * m_rules.chunk);
  Index end = std::min(m_n, (chunk + m_rules.lookAhead + 1) * m_rules.chunk);
  if (m_rules.restrictToBucket) {
    begin = std::max<Index>(begin, own.bucketBegin[p]);
    end = std::min<Index>(end, own.bucketEnd[p]);
  }
  return {begin, end};
}

// Adds 1 to the count of those cells of a tile of `round` that are read in another round too: what a query
// reads there are neighbouring positions, since its bucket and its chunks are.
void LshCandidates::addOtherRound(std::size_t round, std::size_t other, Index tileRow,
                                  TileCells& cells) const {
  const LshRound& own = m_rounds[round];
  const auto tokenAt = [&](Index p) { return own.order[static_cast<std::size_t>(p)]; };
  std::array<std::int32_t, kTile> places;
  places.fill(-1);
  for (Index c = 0; c < std::min(kTile, m_n - cells.tile * kTile); ++c)
    places[static_cast<std::size_t>(c)] =
        m_rounds[other].position[static_cast<std::size_t>(tokenAt(cells.tile * kTile + c))];
  std::array<std::int32_t, kTile> first{};
  std::array<std::int32_t, kTile> length{};
  const Index rows = std::min(kTile, m_n - tileRow * kTile);
  for (Index r = 0; r < rows; ++r) {
    const Span reads = readsIn(other, tokenAt(tileRow * kTile + r));
    first[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(reads.begin);
    length[static_cast<std::size_t>(r)] = static_cast<std::int32_t>(reads.end - reads.begin);
  }
  TileBits met{};
  selection::markWithin(places.data(), first.data(), length.data(), rows, met.data());
  for (std::size_t r = 0; r < static_cast<std::size_t>(rows); ++r) {
    std::uint64_t carry = met[r] & cells.bits[r];
    for (std::size_t p = 0; carry != 0; ++p) {
      if (p == cells.planes.size()) cells.planes.emplace_back();
      carry &= std::exchange(cells.planes[p][r], cells.planes[p][r] ^ carry);
    }
  }
}

}  // namespace attnscope
