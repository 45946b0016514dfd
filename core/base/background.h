// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

namespace attnscope {

// Runs `work` on the calling thread; what it does in parallel uses all cores but one, which is left to the
// window. On a single core nothing can be left.
void leavingOneCore(const std::function<void()>& work);

}  // namespace attnscope
