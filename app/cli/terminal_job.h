// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "core/base/job_context.h"

namespace attnscope {

// A job that Ctrl+C cancels (a second one ends the process at once) and whose progress is shown on standard
// error when that is a terminal and the job takes longer than a second. One a process.
[[nodiscard]] JobContext makeTerminalJob();

// Removes the progress from the terminal's line, before anything else is printed there.
void clearProgress();

}  // namespace attnscope
