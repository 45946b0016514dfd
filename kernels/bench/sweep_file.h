// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/analysis/scaling_fit.h"
#include "kernels/bench/sweep.h"

namespace attnscope {

// A finished or interrupted measurement, with what is needed to judge it or to go on with it.
struct SweepRun {
  SweepRequest request;
  std::vector<SweepPoint> points;
  std::string device;   // "AMD EPYC, 2 cores, AVX2"
  std::string program;  // "attnscope 0.3.0"
};

// Fitted exponent of one curve; empty with fewer than 3 measured points.
[[nodiscard]] std::optional<ScalingFit> fitOfCurve(const std::vector<SweepPoint>& points, std::size_t spec);

// Where two curves meet, first the faster at short lengths.
struct CurveCrossing {
  std::size_t before = 0;  // index of the spec that is faster below n
  std::size_t after = 0;
  double n = 0.0;
};
[[nodiscard]] std::vector<CurveCrossing> crossingsOf(const std::vector<SweepPoint>& points,
                                                     std::size_t curves);

[[nodiscard]] std::string sweepCsv(const SweepRun& run);
[[nodiscard]] std::string sweepJson(const SweepRun& run);

// Reads what sweepJson wrote. Errors (Input) name the file, the key, what was found and what was expected.
[[nodiscard]] Result<SweepRun> readSweep(const std::string& path);

// The run's points as SweepRequest::known of `request`. Refused (Usage) where the settings differ in what the
// times depend on: input, width, heads, mask, threads, device.
[[nodiscard]] Result<std::vector<SweepPoint>> knownPoints(const SweepRun& run, const SweepRequest& request,
                                                          const std::string& device);

// The run's measured points of these mechanisms, by their index in `specs`, to be laid under a figure.
// Refused (Usage) where the run has none of them.
[[nodiscard]] Result<std::vector<SweepPoint>> overlayPoints(const SweepRun& run,
                                                            const std::vector<MechanismSpec>& specs);

// The command line that measures the same again: "attnscope bench full linear --lengths 256+512 ...".
[[nodiscard]] std::string benchCommandLine(const SweepRequest& request);

}  // namespace attnscope
