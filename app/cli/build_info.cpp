// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/build_info.h"

namespace attnscope {

const BuildInfo& buildInfo() {
  static const BuildInfo info{ATTNSCOPE_VERSION, ATTNSCOPE_BUILD_TYPE, ATTNSCOPE_COMPILER,
                              ATTNSCOPE_CUDA_COMPILER};
  return info;
}

}  // namespace attnscope
