// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/reach.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <bit>

#include "core/base/memory.h"

namespace attnscope {

namespace {

using Word = std::uint64_t;

// Rows of bits.
class BitRows {
 public:
  BitRows(Index rows, Index cols)
      : m_words((cols + 63) / 64), m_bits(static_cast<std::size_t>(rows * m_words)) {}

  [[nodiscard]] Word* row(Index i) { return m_bits.data() + i * m_words; }
  [[nodiscard]] const Word* row(Index i) const { return m_bits.data() + i * m_words; }
  [[nodiscard]] Index words() const { return m_words; }
  void set(Index i, Index j) { row(i)[j / 64] |= Word{1} << (j % 64); }

 private:
  Index m_words;
  std::vector<Word> m_bits;
};

void unite(Word* target, const Word* source, Index words) {
  for (Index w = 0; w < words; ++w) target[w] |= source[w];
}

template <class Visit>
void forBits(const Word* bits, Index words, Visit visit) {
  for (Index w = 0; w < words; ++w)
    for (Word rest = bits[w]; rest != 0; rest &= rest - 1) visit(w * 64 + std::countr_zero(rest));
}

void addRuns(const Pattern& pattern, Index from, BitRows& bits, Index to) {
  RunList runs;
  pattern.row(from, runs);
  for (const Run& run : runs)
    for (Index j = run.begin; j < run.end; j += run.stride) bits.set(to, j);
}

// The tokens and slots as stations: what each reads in one layer, on the axis [tokens | slots].
struct Stations {
  Index tokens;
  Index slotCount;
  bool slotsLiveOn;
  BitRows reads;
  BitRows madeOf;  // slots: the tokens that each is made of at first

  [[nodiscard]] Index count() const { return tokens + (slotsLiveOn ? slotCount : 0); }
};

Result<Stations> stationsOf(const FrozenPlan& frozen, const std::vector<Index>& heads) {
  const Plan& plan = frozen.plan();
  if (plan.slotCount > 0 && plan.slotComposition)
    ATTN_TRY(requireMemory(4.0 * static_cast<double>(plan.shape.heads) * static_cast<double>(plan.slotCount) *
                               static_cast<double>(plan.shape.nK),
                           plan.mechanism + ": what its slots are made of"));
  Stations stations{plan.shape.nK, plan.slotCount, !plan.slotReads.empty(),
                    BitRows(plan.shape.nK + plan.slotCount, plan.shape.nK + plan.slotCount),
                    BitRows(plan.slotCount, plan.shape.nK)};
  if (plan.slotCount > 0 && plan.slotComposition) {
    const Tensor made = plan.slotComposition();
    for (const Index h : heads) {
      const auto cells = made.slice<float>(made.dim(0) == 1 ? 0 : h);
      for (Index a = 0; a < plan.slotCount; ++a)
        for (Index j = 0; j < plan.shape.nK; ++j)
          if (cells[static_cast<std::size_t>(a * plan.shape.nK + j)] != 0.0F) stations.madeOf.set(a, j);
    }
  }
  for (const Index h : heads) {
    for (Index i = 0; i < plan.shape.nQ; ++i) addRuns(*frozen.support(h), i, stations.reads, i);
    for (Index a = 0; a < plan.slotCount && stations.slotsLiveOn; ++a)
      addRuns(*plan.slotReads[static_cast<std::size_t>(h)], a, stations.reads, stations.tokens + a);
  }
  return stations;
}

// Tokens that station x holds after one more layer, from what all held before.
void advanceStation(const Stations& stations, const BitRows& before, const BitRows& slotsBefore, Index x,
                    Word* after) {
  unite(after, before.row(x), before.words());
  forBits(stations.reads.row(x), stations.reads.words(), [&](Index y) {
    unite(after, y < stations.tokens ? before.row(y) : slotsBefore.row(y - stations.tokens), before.words());
  });
}

// What slots that are made anew pass on in this layer.
BitRows slotsOf(const Stations& stations, const BitRows& held) {
  BitRows slots(stations.slotCount, stations.tokens);
  for (Index a = 0; a < stations.slotCount; ++a) {
    if (stations.slotsLiveOn)
      unite(slots.row(a), held.row(stations.tokens + a), held.words());
    else
      forBits(stations.madeOf.row(a), stations.madeOf.words(),
              [&](Index j) { unite(slots.row(a), held.row(j), held.words()); });
  }
  return slots;
}

Status checkRequest(const Plan& plan, Index layers) {
  if (plan.shape.nQ != plan.shape.nK)
    return fail(ErrorKind::Usage, fmt::format("Reach over layers needs self-attention, but the input has {} "
                                              "queries and {} keys.",
                                              plan.shape.nQ, plan.shape.nK));
  if (plan.shape.nK > kMostReachTokens)
    return fail(ErrorKind::Usage,
                fmt::format("Reach over layers is computed exactly, for up to {} tokens; this input has {}. "
                            "Choose a shorter one.",
                            kMostReachTokens, plan.shape.nK));
  if (layers < 1 || layers > 255)
    return fail(ErrorKind::Usage, fmt::format("{} layers are outside [1, 255].", layers));
  return {};
}

}  // namespace

Result<std::shared_ptr<const Reach>> reachOverLayers(const FrozenPlan& frozen, Index layers,
                                                     std::optional<Index> head, const JobContext& job) {
  const Plan& plan = frozen.plan();
  ATTN_TRY(checkRequest(plan, layers));
  std::vector<Index> heads;
  for (Index h = 0; h < plan.shape.heads; ++h)
    if (!head || *head == h) heads.push_back(h);
  ATTN_ASSIGN(stations, stationsOf(frozen, heads));
  const Index n = stations.tokens;
  auto reach = std::make_shared<Reach>();
  reach->n = n;
  reach->layers = layers;
  reach->hops.assign(static_cast<std::size_t>(n * n), 0);
  BitRows held(stations.count(), n);
  for (Index i = 0; i < n; ++i) held.set(i, i);
  for (Index a = 0; a < stations.count() - n; ++a)
    unite(held.row(n + a), stations.madeOf.row(a), held.words());
  const auto size = static_cast<double>(n);
  const double all = plan.causal ? size * (size + 1.0) / 2.0 : size * size;
  double reached = size;
  job.beginPhase(static_cast<double>(layers * stations.count()));
  for (Index layer = 1; layer <= layers; ++layer) {
    const BitRows slots = slotsOf(stations, held);
    BitRows next(stations.count(), n);
    std::vector<Index> fresh(static_cast<std::size_t>(n), 0);
    tbb::parallel_for(Index{0}, stations.count(), [&](Index x) {
      if (!job.advance()) return;
      advanceStation(stations, held, slots, x, next.row(x));
      if (x >= n) return;
      for (Index w = 0; w < next.words(); ++w)
        for (Word rest = next.row(x)[w] & ~held.row(x)[w]; rest != 0; rest &= rest - 1) {
          reach->hops[static_cast<std::size_t>(x * n + w * 64 + std::countr_zero(rest))] =
              static_cast<std::uint8_t>(layer);
          ++fresh[static_cast<std::size_t>(x)];
        }
    });
    if (job.isCancelled()) return cancelled();
    for (const Index count : fresh) reached += static_cast<double>(count);
    reach->share.push_back(reached / all);
    held = std::move(next);
  }
  return std::shared_ptr<const Reach>(std::move(reach));
}

PatternPtr reachPattern(std::shared_ptr<const Reach> reach) {
  const Index n = reach->n;
  return makePattern(n, n, [reach = std::move(reach), n](Index i, RunList& runs) {
    const std::uint8_t* row = reach->hops.data() + i * n;
    for (Index j = 0; j < n;) {
      Index end = j + 1;
      while (end < n && row[end] == row[j] && end != i && j != i) ++end;
      if (row[j] > 0) runs.push_back({j, end, 1, static_cast<std::uint8_t>(row[j] - 1), 1});
      if (j == i) runs.push_back({i, i + 1, 1, 0, 1});  // a token reaches itself in the first layer
      j = end;
    }
  });
}

}  // namespace attnscope
