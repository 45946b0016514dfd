// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "kernels/backend.h"

namespace attnscope {

// The CPU: always available, executes every step.
[[nodiscard]] const Backend& cpuBackend();

}  // namespace attnscope
