// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/rule_pattern.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>

#include "core/base/units.h"
#include "core/rules/rule_scanner.h"

namespace attnscope {

namespace {

constexpr std::size_t kMostCachedBytes = std::size_t{128} << 20;

// Neighbouring tiles of a row of tiles that are decided alike, or all mixed.
struct Piece {
  static constexpr std::int32_t kMixed = -1;
  std::int32_t begin = 0;
  std::int32_t end = 0;
  std::int32_t section = kMixed;
  std::int64_t firstMixed = 0;  // number of its first tile among the mixed ones
  bool mayDivideByZero = false;
};
using PieceList = std::vector<Piece>;

class RuleTiles final : public Pattern {
 public:
  RuleTiles(std::shared_ptr<const RuleProgram> program, bool causal)
      : Pattern(program->rows(), program->cols()), m_program(std::move(program)), m_causal(causal) {
    m_pieces.resize(static_cast<std::size_t>((rows() + kTile - 1) / kTile));
  }

  Status decide(const MaskRule& rule, const JobContext& job);
  Status evaluate(const JobContext& job);
  void row(Index i, RunList& runs) const override;

 private:
  void decideBand(int level, Index band, std::atomic<Index>& budget);
  void decideSquare(int level, Index tileRow, Index tileCol, std::vector<RuleRange>& scratch,
                    std::atomic<Index>& budget);
  void addPiece(Index tileRow, Index begin, Index end, const RuleProgram::Verdict& verdict);
  Status evaluateRow(std::size_t tileRow, bool keep);
  [[nodiscard]] Index causalEnd(Index i) const {
    return m_causal ? std::clamp<Index>(i + cols() - rows() + 1, 0, cols()) : cols();
  }
  [[nodiscard]] std::size_t wordOf(std::int64_t mixed, Index row) const {
    return (static_cast<std::size_t>(mixed) * kTile + static_cast<std::size_t>(row)) * m_program->sections();
  }

  std::shared_ptr<const RuleProgram> m_program;
  bool m_causal = false;
  std::vector<PieceList> m_pieces;     // by row of tiles
  std::vector<std::uint64_t> m_words;  // of all mixed tiles, or empty: [tile][row][section]
};

Status RuleTiles::decide(const MaskRule& rule, const JobContext& job) {
  // A task decides a band of squares: 16 rows of tiles, of long inputs a 64th.
  const int level = std::min(std::max(4, m_program->levels() - 7), m_program->levels() - 1);
  const Index bands = (static_cast<Index>(m_pieces.size()) + (Index{1} << level) - 1) >> level;
  // Squares looked at: what is decided tile by tile costs less than what is evaluated, but not nothing.
  std::atomic<Index> budget{32 * kMostMixedTiles};
  tbb::parallel_for(Index{0}, bands, [&](Index band) {
    if (!job.isCancelled() && budget.load(std::memory_order_relaxed) > 0) decideBand(level, band, budget);
  });
  if (job.isCancelled()) return cancelled();
  std::int64_t mixed = 0;
  for (PieceList& pieces : m_pieces)
    for (Piece& piece : pieces) {
      piece.firstMixed = mixed;
      if (piece.section == Piece::kMixed) mixed += piece.end - piece.begin;
    }
  if (budget.load() > 0 && mixed <= kMostMixedTiles) return {};
  return ruleFault(
      rule.text, 0, rule.text.size(),
      fmt::format(
          "with {} queries and {} keys, more than {} tiles of 64 x 64 pairs have to be evaluated pair by "
          "pair (a rule without structure reaches this at n = 32,768). Use a shorter input, or bound the "
          "rule by comparing q and k, as in abs(q - k) <= w and (q - k) % s == 0.",
          rows(), cols(), countText(kMostMixedTiles)));
}

void RuleTiles::decideBand(int level, Index band, std::atomic<Index>& budget) {
  std::vector<RuleRange> scratch;
  const Index side = kTile << level;
  for (Index col = 0; col * side < cols(); ++col) {
    if (budget.load(std::memory_order_relaxed) <= 0) return;
    decideSquare(level, band, col, scratch, budget);
  }
}

void RuleTiles::decideSquare(int level, Index tileRow, Index tileCol, std::vector<RuleRange>& scratch,
                             std::atomic<Index>& budget) {
  const Index row0 = (tileRow << level) * kTile;
  const Index col0 = (tileCol << level) * kTile;
  if (row0 >= rows() || col0 >= cols()) return;
  budget.fetch_sub(1, std::memory_order_relaxed);
  const RuleProgram::Verdict verdict = m_program->judge(level, tileRow, tileCol, scratch);
  if (verdict.section == RuleProgram::Verdict::kNone) return;
  if (verdict.section == RuleProgram::Verdict::kMixed && level > 0) {
    for (const Index down : {0, 1})
      for (const Index right : {0, 1})
        decideSquare(level - 1, 2 * tileRow + down, 2 * tileCol + right, scratch, budget);
    return;
  }
  const auto tileRows = static_cast<Index>(m_pieces.size());
  const Index begin = tileCol << level;
  const Index end = std::min((tileCol + 1) << level, (cols() + kTile - 1) / kTile);
  for (Index t = tileRow << level; t < std::min((tileRow + 1) << level, tileRows); ++t)
    addPiece(t, begin, end, verdict);
}

void RuleTiles::addPiece(Index tileRow, Index begin, Index end, const RuleProgram::Verdict& verdict) {
  // Tiles above the causal diagonal are never read, but a division by zero there is an error all the same.
  const Index lastRow = std::min(rows(), (tileRow + 1) * kTile) - 1;
  const bool unread = begin * kTile >= causalEnd(lastRow);
  if (unread && !verdict.mayDivideByZero) return;
  PieceList& pieces = m_pieces[static_cast<std::size_t>(tileRow)];
  const std::int32_t section = verdict.section == RuleProgram::Verdict::kMixed
                                   ? Piece::kMixed
                                   : static_cast<std::int32_t>(verdict.section);
  if (!pieces.empty() && pieces.back().end == begin && pieces.back().section == section &&
      pieces.back().mayDivideByZero == verdict.mayDivideByZero) {
    pieces.back().end = static_cast<std::int32_t>(end);
    return;
  }
  pieces.push_back({static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end), section, 0,
                    verdict.mayDivideByZero});
}

// Keeps the bits of mixed tiles if there is room; else only looks for divisors that are 0.
Status RuleTiles::evaluate(const JobContext& job) {
  std::int64_t mixed = 0;
  for (const PieceList& pieces : m_pieces)
    for (const Piece& piece : pieces)
      if (piece.section == Piece::kMixed) mixed += piece.end - piece.begin;
  const std::size_t words = wordOf(mixed, 0);
  const bool keep = words * sizeof(std::uint64_t) <= kMostCachedBytes;
  if (keep) m_words.resize(words);
  std::mutex mutex;
  std::size_t firstBad = m_pieces.size();
  Status bad;
  tbb::parallel_for(std::size_t{0}, m_pieces.size(), [&](std::size_t tileRow) {
    if (job.isCancelled()) return;
    Status status = evaluateRow(tileRow, keep);
    if (status) return;
    const std::lock_guard lock(mutex);
    if (tileRow >= firstBad) return;
    firstBad = tileRow;
    bad = std::move(status);
  });
  if (job.isCancelled()) return cancelled();
  return bad;
}

Status RuleTiles::evaluateRow(std::size_t tileRow, bool keep) {
  const auto wanted = [keep](const Piece& piece) {
    return piece.section == Piece::kMixed && (keep || piece.mayDivideByZero);
  };
  const PieceList& pieces = m_pieces[tileRow];
  if (std::none_of(pieces.begin(), pieces.end(), wanted)) return {};
  RuleLanes lanes(*m_program);
  std::vector<std::uint64_t> unused(m_program->sections());
  const Index first = static_cast<Index>(tileRow) * kTile;
  for (Index r = 0; r < std::min(kTile, rows() - first); ++r) {
    lanes.startRow(first + r);
    for (const Piece& piece : pieces) {
      if (!wanted(piece)) continue;
      for (Index tile = piece.begin; tile < piece.end; ++tile) {
        std::span<std::uint64_t> words(unused);
        if (keep)
          words = std::span(m_words).subspan(wordOf(piece.firstMixed + tile - piece.begin, r), words.size());
        ATTN_TRY(lanes.evaluate(tile, words));
      }
    }
  }
  return {};
}

class RunWriter {
 public:
  RunWriter(RunList& runs, Index end) : m_runs(runs), m_end(end) {}

  void add(Index begin, Index end, std::size_t section) {
    end = std::min(end, m_end);
    if (begin >= end) return;
    const auto label = static_cast<std::uint8_t>(section);
    if (!m_runs.empty() && m_runs.back().end == begin && m_runs.back().label == label)
      m_runs.back().end = end;
    else
      m_runs.push_back({begin, end, 1, label, 1});
  }

  void addTile(Index first, std::span<const std::uint64_t> words) {
    std::uint64_t left = 0;
    for (const std::uint64_t word : words) left |= word;
    while (left != 0) {
      const int at = std::countr_zero(left);
      std::size_t section = 0;
      while ((words[section] >> at & 1) == 0) ++section;
      const int length = std::countr_one(words[section] >> at);
      add(first + at, first + at + length, section);
      left = at + length < 64 ? left & (~std::uint64_t{0} << (at + length)) : 0;
    }
  }

 private:
  RunList& m_runs;
  Index m_end = 0;
};

void RuleTiles::row(Index i, RunList& runs) const {
  runs.clear();
  RunWriter writer(runs, causalEnd(i));
  const PieceList& pieces = m_pieces[static_cast<std::size_t>(i / kTile)];
  const std::size_t sections = m_program->sections();
  std::optional<RuleLanes> lanes;
  std::array<std::uint64_t, kMostRuleSections> words{};
  for (const Piece& piece : pieces) {
    if (piece.section != Piece::kMixed) {
      writer.add(piece.begin * kTile, std::min(piece.end * kTile, cols()),
                 static_cast<std::size_t>(piece.section));
      continue;
    }
    for (Index tile = piece.begin; tile < piece.end; ++tile) {
      if (!m_words.empty()) {
        writer.addTile(tile * kTile, std::span(m_words).subspan(
                                         wordOf(piece.firstMixed + tile - piece.begin, i % kTile), sections));
        continue;
      }
      if (!lanes) {
        lanes.emplace(*m_program);
        lanes->startRow(i);
      }
      // Cannot fail: every tile whose divisors may be 0 was evaluated before.
      if (lanes->evaluate(tile, std::span(words).first(sections)))
        writer.addTile(tile * kTile, std::span(words).first(sections));
    }
  }
}

}  // namespace

Result<PatternPtr> makeRulePattern(const MaskRule& rule, const RuleScope& scope, bool causal,
                                   const JobContext& job) {
  ATTN_ASSIGN(program, RuleProgram::bind(rule, scope));
  auto pattern = std::make_shared<RuleTiles>(std::move(program), causal);
  ATTN_TRY(pattern->decide(rule, job));
  ATTN_TRY(pattern->evaluate(job));
  return PatternPtr(std::move(pattern));
}

}  // namespace attnscope
