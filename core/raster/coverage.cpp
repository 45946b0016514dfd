// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/raster/coverage.h"

#include <algorithm>
#include <atomic>

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "core/raster/pixel_counts.h"

namespace attnscope {

namespace {

// Shares and labels of a finished row, of pixels that are `height` cells high.
void write(const PixelRow<PixelAxis>& row, const PixelAxis& axis, Index height, float* share,
           std::uint8_t* label) {
  for (Index p = 0; p < axis.pixels; ++p) {
    Index total = 0;
    Index best = 0;
    std::uint8_t bestLabel = 0;
    for (const std::uint8_t used : row.labels()) {
      const Index count = row.counts(used)[static_cast<std::size_t>(p)];
      total += count;
      if (count > best) {
        best = count;
        bestLabel = used;
      }
    }
    const Index width = axis.edge(p + 1) - axis.edge(p);
    share[p] = static_cast<float>(static_cast<double>(total) / static_cast<double>(width * height));
    label[p] = bestLabel;
  }
}

bool countRows(const Pattern& pattern, const PixelAxis& down, const PixelAxis& across, Coverage& out,
               const JobContext& job) {
  std::atomic<bool> stopped = false;
  tbb::parallel_for(
      tbb::blocked_range<Index>(0, down.pixels, 8), [&](const tbb::blocked_range<Index>& range) {
        PixelRow<PixelAxis> row(across);
        SignedRunList runs;
        RunList scratch;
        for (Index r = range.begin(); r < range.end() && !stopped; ++r) {
          row.clear();
          for (Index i = down.begin + down.edge(r); i < down.begin + down.edge(r + 1); ++i) {
            pattern.countedRow(i, runs, scratch);
            for (const SignedRun& run : runs) row.add(run);
            // A row of pixels can stand for thousands of rows: the job is asked more often than once for
            // each.
            if ((i & 255) == 255 && job.isCancelled()) stopped = true;
            if (stopped) return;
          }
          const auto at = static_cast<std::size_t>(r * across.pixels);
          row.finish();
          write(row, across, down.edge(r + 1) - down.edge(r), out.share.data() + at, out.label.data() + at);
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
