// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace attnscope {

// Floating point operations a second that `threads` threads (0: all cores) reach with multiply-adds that need
// no memory: the ceiling that every kernel is compared with. Runs for about `seconds`; a multiply-add counts
// as two operations.
[[nodiscard]] double multiplyAddPeak(int threads, double seconds = 0.02);

}  // namespace attnscope
