// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cpu/for_rows.h"

#include <tbb/parallel_for.h>

#include <algorithm>

namespace attnscope {

Status forRows(const BufferTable& buffers, Index rows, const JobContext& job,
               const std::function<void(Index, Index, Index)>& body) {
  constexpr Index kRowsPerTask = 256;
  const Index blocks = (rows + kRowsPerTask - 1) / kRowsPerTask;
  const Index tasks = blocks * buffers.plan().shape.heads;
  tbb::parallel_for(Index{0}, tasks, [&](Index t) {
    if (job.isCancelled()) return;
    const Index begin = t % blocks * kRowsPerTask;
    body(t / blocks, begin, std::min(rows, begin + kRowsPerTask));
  });
  if (job.isCancelled()) return cancelled();
  return {};
}

}  // namespace attnscope
