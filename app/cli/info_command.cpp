// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <QtGlobal>

#include "app/cli/build_info.h"
#include "app/cli/command.h"
#include "core/base/memory.h"
#include "core/base/units.h"
#include "core/inputs/input_document.h"
#include "core/io/array_file.h"
#include "kernels/backend_registry.h"
#include "ui/export/session_file.h"
#include "ui/state/command_text.h"

namespace attnscope {

namespace {

void printLine(const std::string& key, const std::string& value) {
  fmt::print("{:<16} {}\n", key, value);
}

std::string shapeLine(const Shape& shape) {
  std::string text = fmt::format("{} heads, n = {}, d = {}", shape.heads, countText(shape.nQ), shape.d);
  if (shape.nK != shape.nQ) text += fmt::format(", {} keys", countText(shape.nK));
  if (shape.dV != shape.d) text += fmt::format(", d_v = {}", shape.dV);
  if (shape.kvHeads != shape.heads) text += fmt::format(", {} key and value heads", shape.kvHeads);
  return text;
}

void printDocument(const InputDocument& document) {
  printLine("title", document.title());
  for (const auto& [key, value] : document.facts()) printLine(key, value);
  const std::vector<std::string> names = document.layerNames();
  for (std::size_t i = 0; i < names.size(); ++i) {
    printLine(fmt::format("layer {}", i),
              fmt::format("{}: {}", names[i], shapeLine(document.layerShape(static_cast<Index>(i)))));
  }
}

void printArrays(const ArrayFile& file) {
  printLine("format", file.format());
  for (const auto& [key, value] : file.metadata()) printLine(key, value);
  for (const ArrayFile::Entry& entry : file.entries()) {
    printLine(entry.name.empty() ? "array" : entry.name,
              fmt::format("{} {}", entry.dtype, shapeText(entry.shape)));
  }
}

// A wall that was saved, and the figure of it as a command.
void printSession(const Session& session) {
  const DocumentState& state = session.state;
  printLine("format", "session of Attnscope");
  printLine("input", state.source.toStdString());
  for (const MechanismSpec& spec : state.columns) printLine("mechanism", spec.text());
  printLine("as a figure", commandLineOf(state, state.head).toStdString());
}

// A file of tensors that are no q, k and v still has contents worth listing.
Status describe(const std::string& source, const JobContext& job) {
  ATTN_ASSIGN(session, openSession(QString::fromStdString(source)));
  if (session) printSession(*session);
  if (session && !source.ends_with(".png")) return {};
  const auto document = openSource(source, job);
  if (document) {
    printDocument(**document);
    return {};
  }
  const auto arrays = openArrayFile(source);
  if (!arrays) return tl::unexpected<Error>(document.error());
  printArrays(**arrays);
  fmt::print(stderr, "attnscope: not an input as it is: {}\n", document.error().message);
  return {};
}

// "fp32, tf32, bf16"
std::string precisions(const DeviceInfo& device) {
  std::vector<std::string> names;
  for (const Precision precision : device.precisions) names.push_back(precisionName(precision));
  return fmt::format("{}", fmt::join(names, ", "));
}

void printProgram() {
  const BuildInfo& build = buildInfo();
  printLine("attnscope", build.version);
  printLine("build", build.buildType);
  printLine("compiler", build.compiler);
  printLine("Qt", fmt::format("{} (built with {})", qVersion(), QT_VERSION_STR));
  printLine("CUDA compiler",
            *build.cudaCompiler != '\0' ? build.cudaCompiler : "none: built without the CUDA backend");
  for (const DeviceInfo& device : allDevices()) {
    printLine(device.id, device.available
                             ? fmt::format("{}, {} usable, {}", device.name,
                                           bytesText(static_cast<double>(device.memory)), precisions(device))
                             : fmt::format("not available: {}", device.reason));
  }
  printLine("auto", autoDevice().refused.empty()
                        ? autoDevice().backend->info().id
                        : fmt::format("{}; {}", autoDevice().backend->info().id, autoDevice().refused));
  for (const DeviceInfo& device : allDevices())
    if (!device.products.empty()) printLine(device.id + " products", device.products);
  printLine("memory", bytesText(static_cast<double>(availableMemory())) + " free");
}

class InfoCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("file", m_file,
                   "A file, recipe or 'sample'; without it, about the program and this machine");
  }

  Status run(const JobContext& job) override {
    if (!m_file.empty()) return describe(m_file, job);
    printProgram();
    return {};
  }

 private:
  std::string m_file;
};

}  // namespace

std::unique_ptr<Command> makeInfoCommand() {
  return std::make_unique<InfoCommand>();
}

}  // namespace attnscope
