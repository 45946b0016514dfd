// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/raster/coverage.h"

#include <algorithm>
#include <array>
#include <atomic>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

namespace attnscope {

namespace {

// Cells [begin, begin + cells) shared out over at most as many pixels as there are cells.
struct PixelAxis {
  Index begin = 0;
  Index cells = 0;
  Index pixels = 0;

  // First cell of pixel p, relative to `begin`.
  [[nodiscard]] Index edge(Index p) const { return p * cells / pixels; }
  [[nodiscard]] Index pixelOf(Index cell) const { return ((cell + 1) * pixels - 1) / cells; }
};

// Counts of one row of pixels, by label. A run of neighbouring keys costs its two ends only: the full pixels
// between them go into a difference array.
class PixelRow {
 public:
  explicit PixelRow(const PixelAxis& axis) : m_axis(axis) {}

  void clear() {
    for (const std::uint8_t label : m_used) {
      std::fill(m_counts[label].partial.begin(), m_counts[label].partial.end(), 0);
      std::fill(m_counts[label].full.begin(), m_counts[label].full.end(), 0);
      m_counts[label].touched = false;
    }
    m_used.clear();
  }

  void add(const Run& run) {
    Counts& counts = countsOf(run.label);
    if (run.stride == 1)
      addDense(counts, run.begin - m_axis.begin, run.end - m_axis.begin);
    else
      addStrided(counts, run.begin - m_axis.begin, run.end - m_axis.begin, run.stride);
  }

  // Shares and labels of the row, of pixels that are `height` cells high.
  void write(Index height, float* share, std::uint8_t* label) {
    std::sort(m_used.begin(), m_used.end());  // ties go to the first label, whatever order the runs came in
    for (const std::uint8_t used : m_used)
      for (std::size_t p = 1; p < m_counts[used].full.size(); ++p)
        m_counts[used].full[p] += m_counts[used].full[p - 1];
    for (Index p = 0; p < m_axis.pixels; ++p) {
      const Index width = m_axis.edge(p + 1) - m_axis.edge(p);
      Index total = 0;
      Index best = 0;
      std::uint8_t bestLabel = 0;
      for (const std::uint8_t used : m_used) {
        const Counts& counts = m_counts[used];
        const auto at = static_cast<std::size_t>(p);
        const Index count = counts.partial[at] + counts.full[at] * width;
        total += count;
        if (count > best) {
          best = count;
          bestLabel = used;
        }
      }
      share[p] = static_cast<float>(static_cast<double>(total) / static_cast<double>(width * height));
      label[p] = bestLabel;
    }
  }

 private:
  struct Counts {
    std::vector<Index> partial;
    std::vector<Index> full;  // differences of the number of rows in which a pixel is covered whole
    bool touched = false;
  };

  Counts& countsOf(std::uint8_t label) {
    Counts& counts = m_counts[label];
    if (counts.partial.empty()) {
      counts.partial.assign(static_cast<std::size_t>(m_axis.pixels), 0);
      counts.full.assign(static_cast<std::size_t>(m_axis.pixels) + 1, 0);
    }
    if (!counts.touched) {
      counts.touched = true;
      m_used.push_back(label);
    }
    return counts;
  }

  void addDense(Counts& counts, Index begin, Index end) {
    const Index first = m_axis.pixelOf(begin);
    const Index last = m_axis.pixelOf(end - 1);
    if (first == last) {
      counts.partial[static_cast<std::size_t>(first)] += end - begin;
      return;
    }
    counts.partial[static_cast<std::size_t>(first)] += m_axis.edge(first + 1) - begin;
    counts.partial[static_cast<std::size_t>(last)] += end - m_axis.edge(last);
    counts.full[static_cast<std::size_t>(first) + 1] += 1;
    counts.full[static_cast<std::size_t>(last)] -= 1;
  }

  void addStrided(Counts& counts, Index begin, Index end, Index stride) {
    const Index count = (end - begin + stride - 1) / stride;
    const Index first = m_axis.pixelOf(begin);
    const Index last = m_axis.pixelOf(begin + (count - 1) * stride);
    if (count <= last - first + 1) {
      for (Index cell = begin; cell < end; cell += stride)
        counts.partial[static_cast<std::size_t>(m_axis.pixelOf(cell))] += 1;
      return;
    }
    const auto below = [&](Index cell) {  // members of the run before `cell`
      return std::clamp<Index>(cell <= begin ? 0 : (cell - begin + stride - 1) / stride, 0, count);
    };
    for (Index p = first; p <= last; ++p)
      counts.partial[static_cast<std::size_t>(p)] += below(m_axis.edge(p + 1)) - below(m_axis.edge(p));
  }

  PixelAxis m_axis;
  std::array<Counts, 256> m_counts;
  std::vector<std::uint8_t> m_used;
};

bool countRows(const Pattern& pattern, const PixelAxis& down, const PixelAxis& across, Coverage& out,
               const JobContext& job) {
  std::atomic<bool> stopped = false;
  tbb::parallel_for(
      tbb::blocked_range<Index>(0, down.pixels, 8), [&](const tbb::blocked_range<Index>& range) {
        PixelRow row(across);
        RunList runs;
        for (Index r = range.begin(); r < range.end() && !stopped; ++r) {
          row.clear();
          for (Index i = down.begin + down.edge(r); i < down.begin + down.edge(r + 1); ++i) {
            pattern.row(i, runs);
            for (const Run& run : runs) {
              const Run visible = clipRun(run, across.begin, across.begin + across.cells);
              if (visible.count() > 0) row.add(visible);
            }
            // A row of pixels can stand for thousands of rows: the job is asked more often than once for
            // each.
            if ((i & 255) == 255 && job.isCancelled()) stopped = true;
            if (stopped) return;
          }
          const auto at = static_cast<std::size_t>(r * across.pixels);
          row.write(down.edge(r + 1) - down.edge(r), out.share.data() + at, out.label.data() + at);
          if (!job.advance()) stopped = true;
        }
      });
  return !stopped;
}

// Repeats cells where there are more pixels than cells.
Coverage enlarged(const Coverage& from, Index outRows, Index outCols) {
  Coverage to;
  to.rows = outRows;
  to.cols = outCols;
  to.share.resize(static_cast<std::size_t>(outRows * outCols));
  to.label.resize(to.share.size());
  for (Index r = 0; r < outRows; ++r)
    for (Index c = 0; c < outCols; ++c) {
      const auto source =
          static_cast<std::size_t>(r * from.rows / outRows * from.cols + c * from.cols / outCols);
      const auto target = static_cast<std::size_t>(r * outCols + c);
      to.share[target] = from.share[source];
      to.label[target] = from.label[source];
    }
  return to;
}

}  // namespace

Result<Coverage> coverageOf(const Pattern& pattern, Index row0, Index rows, Index col0, Index cols,
                            Index outRows, Index outCols, const JobContext& job) {
  if (row0 < 0 || col0 < 0 || rows < 1 || cols < 1 || outRows < 1 || outCols < 1 ||
      row0 + rows > pattern.rows() || col0 + cols > pattern.cols())
    return fail(ErrorKind::Usage, "The rectangle to draw is empty or lies outside the pattern.");
  const PixelAxis down{row0, rows, std::min(rows, outRows)};
  const PixelAxis across{col0, cols, std::min(cols, outCols)};
  Coverage exact;
  exact.rows = down.pixels;
  exact.cols = across.pixels;
  exact.share.assign(static_cast<std::size_t>(down.pixels * across.pixels), 0.0F);
  exact.label.assign(exact.share.size(), 0);
  job.beginPhase(static_cast<double>(down.pixels));
  if (!countRows(pattern, down, across, exact, job)) return cancelled();
  if (exact.rows == outRows && exact.cols == outCols) return exact;
  return enlarged(exact, outRows, outCols);
}

}  // namespace attnscope
