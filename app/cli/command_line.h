// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace attnscope {

// Files to open if the arguments ask for the window.
struct WindowRequest {
  std::vector<std::string> files;
};

struct CommandLineOutcome {
  int exitStatus = 0;                   // 0, or the number of the error's kind
  std::optional<WindowRequest> window;  // set: nothing has been run, open the window
};

// Runs the subcommand that the arguments name, with its messages on standard error.
[[nodiscard]] CommandLineOutcome runCommandLine(int argc, char** argv);

}  // namespace attnscope
