// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cmath>
#include <string>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"
#include "kernels/reference/oracle.h"
#include "tests/support/pattern_reach.h"

// A call of the CPU backend compared with the dense oracle in full, for calls that definition_test does not
// make: several parameters at once, tensors from a file.
namespace attnscope::testing {

inline double largestDifference(const Tensor& a, const Tensor& b) {
  const auto x = a.values<float>();
  const auto y = b.values<float>();
  if (x.size() != y.size()) return std::numeric_limits<double>::infinity();
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (x[i] != y[i]) {
      const double difference = std::abs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
      largest =
          std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(largest, difference);
    }
  return largest;
}

inline RunResult ran(const PlannedCall& call, const AttentionInput& input) {
  auto run = cpuBackend().run(*call.plan, input, {}, {});
  if (!run) qFatal("%s", run.error().message.c_str());
  return std::move(*run);
}

inline Tensor outputOf(const std::string& spec, const AttentionInput& input, const WeightSet& weights = {}) {
  return ran(planned(spec, input, weights), input).out;
}

// Pairs on which what is drawn, what is executed and what is specified differ.
inline Index supportDifferences(const PlannedCall& call, const AttentionInput& input,
                                const OracleResult& oracle) {
  const auto probe = maskProbe(cpuBackend(), *call.plan, input, {});
  if (!probe) qFatal("%s", probe.error().message.c_str());
  const Index cols = call.plan->supportCols();
  if (cols != oracle.supportCols) return -1;
  Index different = 0;
  for (Index h = 0; h < input.shape().heads; ++h) {
    const Reach drawn = reachOf(*call.plan->support(h));
    for (Index i = 0; i < input.shape().nQ; ++i)
      for (Index j = 0; j < cols; ++j) {
        const auto at = static_cast<std::size_t>(i * cols + j);
        const bool specified = oracle.support[static_cast<std::size_t>(h)][at] != 0;
        const bool executed = probe->slice<float>(h)[at] != 0.0F;
        const bool inSet = drawn[static_cast<std::size_t>(i)].contains(j);
        different += specified != executed || specified != inSet ? 1 : 0;
      }
  }
  return different;
}

// Empty if output, lse, support and the rows of the map agree with the oracle, else what does not.
// The tolerance is a quarter of what error_bound.h allows where logits stay below 10 and values below 4
// (16 eps (1 + 10) 4 = 8e-5), as they do in the inputs of these tests; a wrong cell is off by a weight.
inline std::string disagreement(const std::string& spec, const AttentionInput& input,
                                const WeightSet& weights = {}, double tolerance = 2e-5) {
  const PlannedCall call = planned(spec, input, weights);
  const auto oracle = runOracle(call, input);
  if (!oracle) return oracle.error().message;
  RunResult run = ran(call, input);
  if (const double off = largestDifference(run.out, oracle->out); off > tolerance)
    return "out is off by " + std::to_string(off);
  if (run.lse.empty() != oracle->lse.empty()) return "only one side has an lse";
  if (!run.lse.empty() && largestDifference(run.lse, oracle->lse) > tolerance) return "lse differs";
  if (const Index pairs = supportDifferences(call, input, *oracle); pairs != 0)
    return std::to_string(pairs) + " pairs of the support differ";
  const EffectiveMatrix effective(call.plan, input, std::move(run));
  for (Index h = 0; h < input.shape().heads; ++h) {
    const auto drawn = effective.block(h, 0, effective.rows(), 0, effective.cols());
    if (!drawn) return drawn.error().message;
    const auto specified = oracle->matrix.slice<double>(h);
    for (std::size_t at = 0; at < specified.size(); ++at)
      if (!(std::abs(specified[at] - static_cast<double>(drawn->values<float>()[at])) <= tolerance))
        return "the map differs in cell " + std::to_string(at);
  }
  return {};
}

}  // namespace attnscope::testing
