// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/plan_reading.h"

namespace attnscope {

Tensor traceOf(const Plan& plan, const std::string& name) {
  for (const NamedTensor& trace : plan.trace)
    if (trace.name == name) return trace.tensor;
  return {};
}

}  // namespace attnscope
