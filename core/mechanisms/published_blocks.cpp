// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/published_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "core/mechanisms/mersenne_permutation.h"

namespace attnscope {

namespace {

constexpr Index kPlannedTokens = 4096;  // the released plan is always drawn for this many, and cut
constexpr Index kDrawnTokens = 1024;    // from the first so many of them

bool hasReleasedPlan(Index tokens) {
  return tokens % kDrawnTokens == 0 && tokens <= kPlannedTokens;
}

// Blocks first .. last, without those from `hole` to `holeEnd`.
std::vector<std::int32_t> blocksBut(Index first, Index last, Index hole, Index holeEnd) {
  std::vector<std::int32_t> blocks;
  for (Index b = first; b <= last; ++b)
    if (b < hole || b > holeEnd) blocks.push_back(static_cast<std::int32_t>(b));
  return blocks;
}

std::vector<std::int32_t> shuffled(const std::vector<std::int32_t>& blocks, MersennePermutation& draws) {
  std::vector<std::int32_t> mixed;
  for (const std::int32_t at : draws.next(static_cast<std::int32_t>(blocks.size())))
    mixed.push_back(blocks[static_cast<std::size_t>(at)]);
  return mixed;
}

// One table of blocks being filled.
class Planner {
 public:
  Planner(Index heads, Index blocks, Index random, std::uint32_t seed)
      : m_heads(heads), m_blocks(blocks), m_random(random), m_draws(seed) {
    m_table = Tensor(DType::I32, {heads, blocks, random});
    auto cells = m_table.mutableValues<std::int32_t>();
    std::fill(cells.begin(), cells.end(), -1);
  }

  Status drawReleased(Index block);
  Status drawByParts();
  [[nodiscard]] Tensor table() const { return m_table; }

 private:
  // Rows of blocks, the blocks that they draw from, and the columns of the table that they fill.
  struct Part {
    Index rowBegin, rowEnd;
    Index keyBegin, keyEnd;
    Index colBegin, colEnd;
  };
  Status drawPart(const Part& part);
  Status keep(Index head, Index row, Index colBegin, Index colEnd, std::span<const std::int32_t> drawn);

  Index m_heads;
  Index m_blocks;
  Index m_random;
  MersennePermutation m_draws;
  Tensor m_table;
};

// NumPy assigns a single number to a whole row of a slice, and refuses any other number of them.
Status Planner::keep(Index head, Index row, Index colBegin, Index colEnd,
                     std::span<const std::int32_t> drawn) {
  const Index wanted = colEnd - colBegin;
  const auto found = std::min(wanted, static_cast<Index>(drawn.size()));
  if (found != wanted && found != 1)
    return fail(
        ErrorKind::Usage,
        fmt::format("bigbird: the published planner fails for random={} and {} blocks: {} of the {} blocks "
                    "that row {} draws from are left, and it needs {}. Take plan=uniform, or a block that "
                    "makes more than 2 r + 5 = {} blocks.",
                    m_random, m_blocks, found, m_blocks, row, wanted, 2 * m_random + 5));
  if (row == m_blocks - 1) return {};  // drawn, and never read
  auto cells = m_table.mutableSlice<std::int32_t>(head);
  for (Index c = 0; c < wanted; ++c)
    cells[static_cast<std::size_t>(row * m_random + colBegin + c)] =
        drawn[static_cast<std::size_t>(found == 1 ? 0 : c)];
  return {};
}

// Every head draws for all rows of the longest sequence, whatever the length is: what later heads draw
// depends on it. The last two rows draw from everything, their own neighbours included.
Status Planner::drawReleased(Index block) {
  const Index rows = kPlannedTokens / block;
  const Index last = kDrawnTokens > 2 * block ? kDrawnTokens / block - 1 : rows - 2;
  for (Index h = 0; h < m_heads; ++h)
    for (Index row = 1; row < rows - 1; ++row) {
      const bool atTheEnd = row > 2 && row >= rows - 3;
      const std::vector<std::int32_t> pool = row <= 2   ? blocksBut(row + 2, last, 0, 0)
                                             : atTheEnd ? blocksBut(1, last, 0, 0)
                                                        : blocksBut(1, last, row - 1, row + 1);
      const std::vector<std::int32_t> drawn = shuffled(pool, m_draws);
      if (row < m_blocks - 1) ATTN_TRY(keep(h, row, 0, m_random, drawn));
    }
  return {};
}

Status Planner::drawPart(const Part& part) {
  if (part.colBegin == part.colEnd) return {};
  const std::vector<std::int32_t> keys = blocksBut(part.keyBegin, part.keyEnd - 1, -1, -1);
  for (Index row = part.rowBegin; row < part.rowEnd; ++row)
    for (Index h = 0; h < m_heads; ++h) {
      // The first and the last block of what is drawn from count as global; the rows next to them also leave
      // out the block that is next to the other one.
      std::vector<std::int32_t> drawn = shuffled(keys, m_draws);
      std::erase_if(drawn, [&](Index b) {
        return (b >= row - 1 && b <= row + 1) || b == 0 || b == part.keyEnd - 1 ||
               (row == 1 && b == part.keyEnd - 2) || (row == part.keyEnd - 2 && b == 1);
      });
      ATTN_TRY(keep(h, row, part.colBegin, part.colEnd, drawn));
    }
  return {};
}

Status Planner::drawByParts() {
  const Index all = m_random;
  const bool front = m_blocks > 2 * all + 5;
  const bool twice = !front && m_blocks > all + 5;
  const Index first = front ? 2 * all + 5 : twice ? all + 5 : m_blocks;  // blocks of the first part
  const Index split = twice ? all / 2 : all;                             // columns of it
  const std::array<Part, 4> parts{{{1, first, 0, first, 0, split},
                                   {1, first, first, m_blocks, split, all},
                                   {first, m_blocks, 0, first, 0, split},
                                   {first, m_blocks, first, m_blocks, split, all}}};
  for (const Part& part : parts) ATTN_TRY(drawPart(part));
  return {};
}

}  // namespace

Result<Tensor> publishedBlocks(Index heads, Index blocks, Index block, Index random, std::uint64_t seed) {
  if (seed > std::numeric_limits<std::uint32_t>::max())
    return fail(
        ErrorKind::Usage,
        fmt::format("bigbird: plan=official takes its numbers from NumPy's generator, whose seeds go up to "
                    "4294967295; the seed is {}.",
                    seed));
  Planner planner(heads, blocks, random, static_cast<std::uint32_t>(seed));
  ATTN_TRY(hasReleasedPlan(blocks * block) ? planner.drawReleased(block) : planner.drawByParts());
  return planner.table();
}

}  // namespace attnscope
