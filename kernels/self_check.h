// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/backend.h"

namespace attnscope {

// Whether a device computes what the CPU does: every mechanism of the catalogue with its defaults, with and
// without a causal mask where it has both, on a small input of ragged size, out, lse and the maps that the
// device draws compared with the CPU's. Decisions are frozen in the plan that both execute, so that only
// rounding may differ. Some 40 passes of 130 tokens. Full attention also in every precision that the device
// offers beside float32. Error (Compute) names the mechanism and the first number that is wrong, or carries
// what the device said; (Cancelled) on cancel.
[[nodiscard]] Status selfCheck(const Backend& backend, const JobContext& job = {});

}  // namespace attnscope
