// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/background.h"

#include <tbb/info.h>
#include <tbb/task_arena.h>

#include <algorithm>

namespace attnscope {

void leavingOneCore(const std::function<void()>& work) {
  static tbb::task_arena arena(std::max(1, tbb::info::default_concurrency() - 1));
  arena.execute([&] { work(); });
}

}  // namespace attnscope
