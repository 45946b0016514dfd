// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace attnscope {

struct BuildInfo {
  const char* version;
  const char* buildType;
  const char* compiler;
  const char* cudaCompiler;  // empty: built without the CUDA backend
};

[[nodiscard]] const BuildInfo& buildInfo();

}  // namespace attnscope
