// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "core/base/error.h"

namespace attnscope {

// Bytes that can be allocated now without swapping, by the kernel's own estimate and the control group's
// limit.
[[nodiscard]] std::uint64_t availableMemory();

// Largest resident size of this process in bytes, since it began or since the last restartPeakMemory().
[[nodiscard]] std::uint64_t peakResidentMemory();

// Gives unused memory back to the system and lets peakResidentMemory() begin again at what is left, which is
// returned. 0 where the system cannot do that; the peak then keeps its past.
[[nodiscard]] std::uint64_t restartPeakMemory();

// Lets the process keep up to 256 MB of freed memory for the next pass. Otherwise every pass of some
// megabytes gets fresh pages from the system, and clearing them costs a fifth of the time of a sparse one.
// Call once, at the start of a program.
void keepFreedMemory();

// Refuses, before anything is allocated, a request that would not fit: names `what`, what it needs and what
// is free. Leaves a tenth of the free memory to the rest of the system.
[[nodiscard]] Status requireMemory(double bytes, const std::string& what);

}  // namespace attnscope
