// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

namespace attnscope::testing {

namespace fs = std::filesystem;

bool SourceFile::isHeader() const {
  return path.ends_with(".h") || path.ends_with(".cuh");
}

namespace {

SourceFile readSource(const fs::path& root, const fs::path& path) {
  SourceFile file{fs::relative(path, root).generic_string(), {}};
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) file.lines.push_back(line);
  return file;
}

}  // namespace

std::vector<SourceFile> sourceTree() {
  const std::set<std::string> endings{".h", ".cpp", ".cu", ".cuh"};
  const fs::path root = ATTNSCOPE_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (const char* top : {"core", "kernels", "ui", "app", "tests"}) {
    if (!fs::exists(root / top)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      if (entry.is_regular_file() && endings.contains(entry.path().extension().string())) {
        files.push_back(readSource(root, entry.path()));
      }
    }
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

std::vector<Include> includesOf(const SourceFile& file) {
  static const std::regex pattern(R"re(^\s*#\s*include\s*(["<])([^">]+)[">].*)re");
  std::vector<Include> includes;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (file.lines[i].find("#") != std::string::npos && std::regex_match(file.lines[i], match, pattern)) {
      includes.push_back({match[2].str(), match[1].str() == "\"", i + 1});
    }
  }
  return includes;
}

}  // namespace attnscope::testing
