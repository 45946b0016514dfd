// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

#include "app/cli/build_info.h"
#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "app/cli/terminal_job.h"
#include "core/inputs/recipes.h"
#include "core/params/mechanism_spec.h"

namespace attnscope {

namespace {

// The line of the text that is to blame, and marks under the part.
void showFault(const TextFault& fault) {
  const std::size_t at = std::min(fault.begin, fault.text.size());
  const std::size_t before = at == 0 ? std::string::npos : fault.text.rfind('\n', at - 1);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  const std::size_t end = std::min(fault.text.find('\n', at), fault.text.size());
  std::string line = fault.text.substr(begin, end - begin);
  const auto columns = [&](std::size_t from, std::size_t to) {  // continuing bytes of UTF-8 take none
    return std::count_if(fault.text.begin() + static_cast<std::ptrdiff_t>(from),
                         fault.text.begin() + static_cast<std::ptrdiff_t>(std::max(from, to)),
                         [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  };
  const auto width = std::max<std::ptrdiff_t>(1, columns(at, std::min(fault.end, end)));
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  fmt::print(stderr, "  {}\n  {:{}}{}\n", line, "", columns(begin, at),
             std::string(static_cast<std::size_t>(width), '^'));
}

int report(const Error& error) {
  clearProgress();
  fmt::print(stderr, "attnscope: {}\n", error.message);
  if (error.fault) showFault(*error.fault);
  return static_cast<int>(error.kind);
}

Error outputLost() {
  return {ErrorKind::Output,
          "Standard output could not be written to its end. Is the disk full, or the reader of a pipe gone?"};
}

std::vector<std::string> commandNames() {
  std::vector<std::string> names;
  for (const CommandEntry& entry : allCommands()) names.emplace_back(entry.name);
  return names;
}

// A file that is there, with options behind it or not, the sample, a recipe, or a text.
bool isSource(const std::string& word) {
  const std::string name = word.substr(0, word.find(':'));
  std::error_code ignored;
  return std::filesystem::exists(word, ignored) || std::filesystem::exists(name, ignored) ||
         resolvedSource(name) == "sample" || name == "text" || findRecipe(name) != nullptr;
}

// Arguments without a subcommand name what the window opens. A word that is no file and looks like a command
// is a slip of the hand, and opening a window on it would help nobody.
Status checkFiles(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (file.starts_with('-')) {
      return fail(ErrorKind::Usage, fmt::format("There is no option '{}'; see attnscope --help.", file));
    }
    if (isSource(file)) continue;
    const std::string near = nearestWord(file, commandNames());
    return fail(ErrorKind::Usage, fmt::format("'{}' is neither a command nor a file{}", file,
                                              near.empty() ? "; see attnscope --help for both."
                                                           : "; did you mean 'attnscope " + near + "'?"));
  }
  return {};
}

// Some of CLI11's sentences end with a full stop or a line break, others do not.
std::string withoutStop(std::string sentence) {
  while (!sentence.empty() &&
         (sentence.back() == '.' || std::isspace(static_cast<unsigned char>(sentence.back()))))
    sentence.pop_back();
  return sentence;
}

// CLI11 reports by exceptions; they end here.
int parseAndRun(CLI::App& app, int argc, char** argv, const std::vector<CLI::App*>& subcommands,
                const std::vector<std::unique_ptr<Command>>& commands) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return report(
        {ErrorKind::Usage, fmt::format("{}. Run with --help for the options.", withoutStop(error.what()))});
  }
  const auto chosen =
      std::find_if(subcommands.begin(), subcommands.end(), [](auto* sub) { return sub->parsed(); });
  const auto index = static_cast<std::size_t>(chosen - subcommands.begin());
  try {
    const Status status = commands[index]->run(makeTerminalJob());
    clearProgress();
    if (!status) return report(status.error());
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) return report(outputLost());
    return 0;
  } catch (const std::system_error&) {  // fmt's way to say that it could not print
    return report(outputLost());
  } catch (const std::bad_alloc&) {
    return report({ErrorKind::Compute, "Out of memory; take a shorter input or fewer heads (--heads 0)."});
  }
}

}  // namespace

CommandLineOutcome runCommandLine(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::vector<std::string> names = commandNames();
  const bool help =
      !arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help");
  const bool version = !arguments.empty() && arguments[0] == "--version";
  if (!help && !version &&
      (arguments.empty() || std::find(names.begin(), names.end(), arguments[0]) == names.end())) {
    if (const Status files = checkFiles(arguments); !files) return {report(files.error()), {}};
    return {0, WindowRequest{arguments}};
  }

  CLI::App app(
      "Look at attention: patterns, maps, insides and costs of full attention and its efficient variants.\n"
      "Without a command it opens the window with the named files: attnscope [FILE...]",
      "attnscope");
  app.set_version_flag("--version", std::string("attnscope ") + buildInfo().version);
  app.require_subcommand(1);
  std::vector<std::unique_ptr<Command>> commands;
  std::vector<CLI::App*> subcommands;
  for (const CommandEntry& entry : allCommands()) {
    subcommands.push_back(app.add_subcommand(entry.name, entry.summary));
    commands.push_back(entry.make());
    commands.back()->declare(*subcommands.back());
  }
  if (help) {
    fmt::print("{}", app.help());
    return {};
  }
  return {parseAndRun(app, argc, argv, subcommands, commands), {}};
}

}  // namespace attnscope
