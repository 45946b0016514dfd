// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/tensor.h"

namespace attnscope {

// Keys begin, begin + stride, ... below end, that one row reads for one reason.
struct Run {
  Index begin = 0;
  Index end = 0;
  Index stride = 1;
  std::uint8_t label = 0;  // index into the plan's labels
  std::uint8_t multiplicity =
      1;  // how many partial results count this pair; its logit gets -log(multiplicity)

  [[nodiscard]] Index count() const { return end <= begin ? 0 : (end - begin + stride - 1) / stride; }
  friend bool operator==(const Run&, const Run&) = default;
};
using RunList = std::vector<Run>;

// A run whose pairs are added to a count or taken away from it again.
struct SignedRun {
  Run run;
  bool minus = false;
};
using SignedRunList = std::vector<SignedRun>;

// Side of a tile: rows and columns that a kernel handles at once, and the unit of the cost of a sparse
// pattern.
inline constexpr Index kTile = 64;

// Permitted cells of one tile: bit c of word r is the pair (row r, column c) of the tile.
using TileBits = std::array<std::uint64_t, kTile>;

// The cells of one tile that a pattern permits and, in binary over bit planes, lowest first, how often each
// counts beyond once.
struct TileCells {
  std::int32_t tile = 0;  // its column of tiles
  TileBits bits{};
  std::vector<TileBits> planes;
};

// Which keys each row reads: the answer to a question, never an n x n array. Immutable, callable from any
// thread.
class Pattern {
 public:
  virtual ~Pattern() = default;
  [[nodiscard]] Index rows() const { return m_rows; }
  [[nodiscard]] Index cols() const { return m_cols; }

  // Replaces `runs` by the runs of row i: sorted by begin, pairwise disjoint as sets, none empty, all inside
  // [0, cols).
  virtual void row(Index i, RunList& runs) const = 0;

  // The same row for counting: for every key and label, the runs with plus that contain it less those with
  // minus are 1 if the row reads the key for that reason and else 0. A row that is "everything but every
  // 1,024th key" is two such runs and a thousand plain ones. By default the runs of row(). `scratch` is
  // working memory.
  virtual void countedRow(Index i, SignedRunList& runs, RunList& scratch) const;

  // Appends the cells of rows [64 tileRow, 64 tileRow + 64) as row() gives them, one entry for every tile
  // that has any, and returns true. By default false: there is no quicker way than row by row.
  virtual bool cells(Index tileRow, std::vector<TileCells>& tiles) const;

 protected:
  Pattern(Index rows, Index cols) : m_rows(rows), m_cols(cols) {}

 private:
  Index m_rows = 0;
  Index m_cols = 0;
};
using PatternPtr = std::shared_ptr<const Pattern>;

// A pattern from a rule that fills in one row; what the catalogue writes as a lambda.
[[nodiscard]] PatternPtr makePattern(Index rows, Index cols,
                                     std::function<void(Index row, RunList& runs)> rule);

// With a rule of its own for counting, see Pattern::countedRow().
[[nodiscard]] PatternPtr makePattern(Index rows, Index cols,
                                     std::function<void(Index row, RunList& runs)> rule,
                                     std::function<void(Index row, SignedRunList& runs)> countingRule);

// With a rule for tiles as well, see Pattern::cells(); where pairs are as good as random, bits are quicker
// than runs.
[[nodiscard]] PatternPtr makePattern(
    Index rows, Index cols, std::function<void(Index row, RunList& runs)> rule,
    std::function<void(Index row, SignedRunList& runs)> countingRule,
    std::function<void(Index tileRow, std::vector<TileCells>& tiles)> cellRule);

// The pairs of some labels only: those whose entry of `hidden` is false or missing.
[[nodiscard]] PatternPtr withoutLabels(PatternPtr pattern, std::vector<bool> hidden);

// Pairs that row i reads.
[[nodiscard]] Index rowCount(const Pattern& pattern, Index i);

// Pairs in the rectangle [row0, row1) x [col0, col1): exact, O(rows * runs in a row).
[[nodiscard]] Index countPairs(const Pattern& pattern, Index row0, Index row1, Index col0, Index col1);

// Part of a run inside [begin, end); empty if it has none.
[[nodiscard]] Run clipRun(const Run& run, Index begin, Index end);

// Why a pair is in: the legend of the pattern view and the word in the inspector.
struct Label {
  std::string name;  // "local", "global", "round 1": one or two words
  std::string why;   // "at most w/2 tokens away"
};

// Rows as text, one character a cell: '.' for no pair, else the first letter table entry of its label
// ('1', '2', ... if `letters` is empty). For tests and bug reports at small n.
[[nodiscard]] std::string asciiPattern(const Pattern& pattern, const std::string& letters = {});

}  // namespace attnscope
