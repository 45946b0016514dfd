// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <span>

#include "core/base/error.h"
#include "core/base/job_context.h"

namespace CLI {
class App;
}

namespace attnscope {

// One subcommand. Lives for one call: declare() binds its members to options, run() finds them filled in.
class Command {
 public:
  virtual ~Command() = default;
  virtual void declare(CLI::App& app) = 0;
  // Results to standard output or to the named files, messages to standard error. The error's kind becomes
  // the exit status.
  [[nodiscard]] virtual Status run(const JobContext& job) = 0;
};

struct CommandEntry {
  const char* name;
  const char* summary;  // one line of `attnscope --help`
  std::unique_ptr<Command> (*make)();
};

// All subcommands in the order of the help.
[[nodiscard]] std::span<const CommandEntry> allCommands();

// One a file.
[[nodiscard]] std::unique_ptr<Command> makeListCommand();
[[nodiscard]] std::unique_ptr<Command> makeComputeCommand();
[[nodiscard]] std::unique_ptr<Command> makeCompareCommand();
[[nodiscard]] std::unique_ptr<Command> makeFigureCommand();
[[nodiscard]] std::unique_ptr<Command> makeBenchCommand();
[[nodiscard]] std::unique_ptr<Command> makeConvertCommand();
[[nodiscard]] std::unique_ptr<Command> makeRuleCommand();
[[nodiscard]] std::unique_ptr<Command> makeInfoCommand();

}  // namespace attnscope
