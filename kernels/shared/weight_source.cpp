// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/shared/weight_source.h"

#include <fmt/format.h>

#include <algorithm>

namespace attnscope {

namespace {

tl::unexpected<Error> composed(const Plan& plan, const std::string& why) {
  return fail(ErrorKind::Compute, fmt::format("{}: {}", plan.mechanism, why));
}

bool isWritten(const Plan& plan, BufferId id) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [id](const Step& step) {
    const auto* attend = std::get_if<AttendStep>(&step);
    return std::visit([](const auto& writer) { return writer.out; }, step) == id ||
           (attend != nullptr && attend->out2 == id);
  });
}

// A query that stood at two places of an order would have two rows.
bool standsOnce(const Order& order) {
  if (!order) return true;
  std::vector<std::int32_t> sorted(*order);
  std::sort(sorted.begin(), sorted.end());
  return std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end();
}

bool isOverTokens(const Plan& plan, BufferId values) {
  return values == kValue || plan.standsForValues(values);
}

// What speaks against a step, or nothing.
std::string objection(const Plan& plan, const AttendStep& step, BufferId values) {
  if (!isOverTokens(plan, values) && isWritten(plan, values))
    return fmt::format("'{}' weighs '{}', not the values of tokens", step.title,
                       plan.buffers[static_cast<std::size_t>(values)].name);
  if (step.rowsByPosition) return fmt::format("rows of '{}' are places, not queries", step.title);
  for (const HeadAttend& head : step.heads)
    if (!standsOnce(head.queryOrder))
      return fmt::format("'{}' has queries at several places of its order", step.title);
  return {};
}

Status addSteps(const Plan& plan, BufferId out, std::vector<OutputStep>& steps) {
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    if (const auto* attend = std::get_if<AttendStep>(&step)) {
      if (attend->out != out && attend->out2 != out) continue;
      const BufferId values = attend->out == out ? attend->v : attend->v2;
      if (const std::string why = objection(plan, *attend, values); !why.empty()) return composed(plan, why);
      steps.push_back({s, isOverTokens(plan, values)});
      return {};
    }
    if (std::visit([](const auto& writer) { return writer.out; }, step) != out) continue;
    const auto* merge = std::get_if<MergeStep>(&step);
    if (merge == nullptr)
      return composed(plan, fmt::format("the output is made by '{}' ({})", stepTitle(step), stepKind(step)));
    // Shares of shares are shares: a sum of sums has one log-sum-exp.
    for (const BufferId part : merge->outs) ATTN_TRY(addSteps(plan, part, steps));
    return {};
  }
  return composed(plan, "no step makes the output");
}

}  // namespace

Result<std::vector<OutputStep>> outputSteps(const Plan& plan) {
  std::vector<OutputStep> steps;
  ATTN_TRY(addSteps(plan, plan.out, steps));
  return steps;
}

}  // namespace attnscope
