// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/plan/pattern.h"

namespace attnscope {

// A picture of a pattern: for each pixel the exact share of permitted pairs among the cells that it stands
// for, and the label that most of them have.
struct Coverage {
  Index rows = 0;
  Index cols = 0;
  std::vector<float> share;         // rows * cols, 0..1, counted and not sampled
  std::vector<std::uint8_t> label;  // the most frequent label of the pixel; meaningless where share is 0
};

// Pixel (r, c) stands for rows [row0 + r * rows / outRows, row0 + (r + 1) * rows / outRows) and the like;
// where there are more pixels than cells, neighbouring pixels show the same cell.
[[nodiscard]] Result<Coverage> coverageOf(const Pattern& pattern, Index row0, Index rows, Index col0,
                                          Index cols, Index outRows, Index outCols,
                                          const JobContext& job = {});

}  // namespace attnscope
