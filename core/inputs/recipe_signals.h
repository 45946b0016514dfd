// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/inputs/source_options.h"

namespace attnscope {

// What a token of a recipe is before noise and position: a row of about unit length, for one key head.
class TokenSignal {
 public:
  virtual ~TokenSignal() = default;
  // Any thread. `group` is a key head, `position` counts from 0.
  virtual void row(Index group, Index position, std::span<float> row) const = 0;
};

// The signal of one of the structured recipes (every one but gaussian). Null where the job was cancelled.
[[nodiscard]] std::unique_ptr<TokenSignal> makeSignal(const std::string& recipe, const SourceOptions& options,
                                                      const Shape& shape, const JobContext& job);

}  // namespace attnscope
