// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/params/mechanism_spec.h"
#include "kernels/shared/precision.h"

namespace attnscope {

struct SweepRequest {
  std::vector<MechanismSpec> specs;
  std::vector<Index> lengths;        // rising
  std::string recipe = "clustered";  // input: never zeros
  Index d = 64;
  Index heads = 1;
  std::string device = "auto";
  int threads = 0;
  Precision precision = Precision::Fp32;
  bool causal = false;
  double secondsPerPoint =
      2.0;  // stop repeating after this; a longer point is measured once, then the curve ends
  int minRepeats = 3;
  int maxRepeats = 15;
  double tight = 0.02;  // stop repeating when the quartiles are this close, relative to the median
  std::vector<struct SweepPoint> known;  // measured before, with the same settings: taken over, not repeated
};

struct SweepPoint {
  std::size_t spec = 0;  // index into the request
  Index n = 0;
  double median = 0.0;  // seconds of the pass, without planning and without copies to and from a device
  double low = 0.0;     // quartiles
  double high = 0.0;
  double planSeconds = 0.0;  // deciding and building tile maps
  // Copying to and from a device, beside the pass: the median of what every pass copies, and what the first
  // one of a plan brings, which stays there. What one pass alone would cost.
  double transferSeconds = 0.0;
  int repeats = 0;
  double pairs = 0.0;  // score cells, all heads
  double flops = 0.0;
  double bytes = 0.0;        // memory needed, foretold
  double peakBytes = 0.0;    // memory that one pass added to the process at most; 0: not known
  double cellDensity = 0.0;  // pairs that reach the output, of all
  // Tiles executed over the tiles of the square: what a kernel can gain. Beyond 1 where several steps execute
  // a part of the same tile each.
  double tileDensity = 0.0;
  double peakFlops = 0.0;  // multiply-add ceiling of the device at that moment, operations a second
  std::string skipped;     // why this point was not measured; empty if it was
};

// Share of the ceiling that a measured point reached; 0 where one of the two is not known.
[[nodiscard]] double ceilingShare(const SweepPoint& point);

// Median and quartiles of measured passes, mechanisms interleaved at each length so that drift hits all
// alike, the ceiling measured between them. `onPoint` is called after every point from the calling thread.
// Cancelling returns what was measured so far.
[[nodiscard]] Result<std::vector<SweepPoint>> runSweep(const SweepRequest& request,
                                                       const std::function<void(const SweepPoint&)>& onPoint,
                                                       const JobContext& job);

}  // namespace attnscope
