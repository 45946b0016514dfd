// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/fallback_backend.h"

#include <fmt/format.h>

namespace attnscope {

namespace {

Result<RunResult> runIfSupported(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                                 const RunOptions& options, const JobContext& job) {
  ATTN_TRY(backend.supports(plan));
  return backend.run(plan, input, options, job);
}

}  // namespace

Status FallbackBackend::supports(const FrozenPlan& plan) const {
  return m_first.supports(plan) ? Status{} : m_second.supports(plan);
}

double FallbackBackend::memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const {
  return (m_first.supports(plan) ? m_first : m_second).memoryNeeded(plan, options);
}

Result<RunResult> FallbackBackend::run(const FrozenPlan& plan, const AttentionInput& input,
                                       const RunOptions& options, const JobContext& job) const {
  auto result = runIfSupported(m_first, plan, input, options, job);
  if (result || result.error().kind != ErrorKind::Compute) return result;
  const DeviceInfo behind = m_second.info();
  RunOptions again = options;
  std::string how;
  if (!requirePrecision(behind, options.precision)) {
    again.precision = Precision::Fp32;
    how = " in fp32";
  }
  ATTN_ASSIGN(instead, m_second.run(plan, input, again, job));
  instead.fellBack = fmt::format("{} computed it{} since {} failed: {}", behind.name, how, m_first.info().id,
                                 result.error().message);
  return instead;
}

}  // namespace attnscope
