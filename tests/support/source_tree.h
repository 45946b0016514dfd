// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

namespace attnscope::testing {

// One source file of the project, for the tests that read the tree instead of running it.
struct SourceFile {
  std::string path;  // from the root: "core/base/tensor.h"
  std::vector<std::string> lines;

  [[nodiscard]] bool isHeader() const;
};

// All .h, .cpp, .cu and .cuh files below core, kernels, ui, app and tests, sorted by path.
[[nodiscard]] std::vector<SourceFile> sourceTree();

struct Include {
  std::string target;  // what stands between the quotes or brackets
  bool quoted = false;
  std::size_t line = 0;  // from 1
};
[[nodiscard]] std::vector<Include> includesOf(const SourceFile& file);

}  // namespace attnscope::testing
