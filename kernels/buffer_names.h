// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "core/plan/plan.h"

namespace attnscope {

// What a buffer of a plan holds, in words, found from the steps that write and read it.
struct BufferWords {
  std::string name;    // "Keys, unit length", "Output: round 1"
  std::string row;     // what one row belongs to: "query", "key", "slot", "place in the order of this step"
  std::string column;  // "channel", "feature"
};

// Of the buffer that `step` writes.
[[nodiscard]] BufferWords wordsOf(const Plan& plan, const Step& step);

}  // namespace attnscope
