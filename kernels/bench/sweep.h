// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/params/mechanism_spec.h"

namespace attnscope {

struct SweepRequest {
  std::vector<MechanismSpec> specs;
  std::vector<Index> lengths;        // rising
  std::string recipe = "clustered";  // input: never zeros
  Index d = 64;
  Index heads = 1;
  std::string device = "auto";
  int threads = 0;
  bool causal = false;
  double secondsPerPoint =
      2.0;  // stop repeating after this; a longer point is measured once, then the curve ends
  int minRepeats = 3;
  int maxRepeats = 15;
};

struct SweepPoint {
  std::size_t spec = 0;  // index into the request
  Index n = 0;
  double median = 0.0;  // seconds of the pass, without planning
  double low = 0.0;     // quartiles
  double high = 0.0;
  double planSeconds = 0.0;  // deciding and building tile maps
  int repeats = 0;
  double pairs = 0.0;  // score cells, all heads
  double flops = 0.0;
  double bytes = 0.0;   // memory needed, foretold
  std::string skipped;  // why this point was not measured; empty if it was
};

// Median and quartiles of measured passes, mechanisms interleaved at each length so that drift hits all
// alike. `onPoint` is called after every point from the calling thread. Cancelling returns what was measured
// so far.
[[nodiscard]] Result<std::vector<SweepPoint>> runSweep(const SweepRequest& request,
                                                       const std::function<void(const SweepPoint&)>& onPoint,
                                                       const JobContext& job);

}  // namespace attnscope
