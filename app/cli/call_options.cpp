// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/call_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/inputs/input_document.h"
#include "core/io/array_file.h"

namespace attnscope {

namespace {

std::optional<Index> parseIndex(const std::string& text) {
  Index value = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || stop != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Empty, or what is wrong. CLI11 would turn -1 into the largest number.
std::string isSeed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), seed);
  const bool whole = code == std::errc{} && stop == text.data() + text.size();
  return whole ? std::string() : fmt::format("the seed is '{}', but must be a whole number from 0.", text);
}

Result<Index> findLayer(const InputDocument& document, const std::string& text) {
  if (text.empty()) return document.chosenLayer().value_or(0);
  const std::vector<std::string> names = document.layerNames();
  const auto named = std::find(names.begin(), names.end(), text);
  if (named != names.end()) return named - names.begin();
  const std::optional<Index> number = parseIndex(text);
  if (number && *number < static_cast<Index>(names.size())) return *number;
  if (number) {
    return fail(ErrorKind::Usage,
                fmt::format("--layer {}: {} has {} layer{}; take 0 to {}.", text, document.source(),
                            names.size(), names.size() == 1 ? "" : "s", names.size() - 1));
  }
  const std::string near = nearestWord(text, names);
  return fail(
      ErrorKind::Usage,
      fmt::format("--layer {}: {} has no such layer{}; they are {}.", text, document.source(),
                  near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near), fmt::join(names, ", ")));
}

// What a source says of itself and a call does not follow should not be a surprise.
void sayRemarks(const InputDocument& document, Index layer) {
  for (const std::string& remark : document.remarks(layer))
    fmt::print(stderr, "attnscope: {}: {}\n", document.source(), remark);
}

// A call takes one entry of a batch; which one should not be a surprise either.
void sayWhichEntry(const InputDocument& document) {
  if (document.source().find("batch=") != std::string::npos) return;
  for (const auto& [key, value] : document.facts())
    if (key == "batch")
      fmt::print(stderr,
                 "attnscope: {}: takes {} of the batch; ':batch=1' behind the file's name takes another.\n",
                 document.source(), value);
}

}  // namespace

// People write SAMPLE where an example says so; a file of that name is still what they mean if there is one.
std::string resolvedSource(const std::string& source) {
  std::string lower = source;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  std::error_code ignored;
  return lower == "sample" && !std::filesystem::exists(source, ignored) ? lower : source;
}

void CallArguments::declare(CLI::App& app) {
  declareCall(app);
  app.add_option("--weights", weights, "File with tensors of the mechanism, named as compute writes them");
  app.add_option("--device", device, "auto, cpu or cuda")->capture_default_str();
  app.add_option(
         "--precision", precision,
         "What attention rounds the inputs of its products to: fp32, or on a GPU with tensor cores for "
         "them tf32 or bf16")
      ->capture_default_str();
  app.add_option("--threads", threads, "Threads of the CPU (default: all cores)")->check(CLI::Range(0, 4096));
}

void CallArguments::declareCall(CLI::App& app) {
  m_app = &app;
  app.add_option("-i,--input", source,
                 "A file (.npz .npy .safetensors, text, picture), 'sample', or a recipe such as "
                 "clustered:n=1024,seed=1")
      ->capture_default_str();
  app.add_option("--layer", layer, "Layer of a captured model, by number or name (default: the first)");
  app.add_option(
      "--heads", heads,
      "Heads of the input, joined by '+': 0+3 (default: all). They are numbered from 0 again, also "
      "where tensors are drawn by head");
  app.add_flag("--causal,!--no-causal", causal,
               "Queries read no later keys, or do (default: as the mechanism's paper)");
  app.add_option("--scale", scale, "Multiplies the logits (default: 1/sqrt(d))");
  app.add_option("--seed", seed, "Seed of drawn tensors (default: 0)")
      ->check(CLI::Validator(isSeed, "", "whole number from 0"));
}

bool CallArguments::causalGiven() const {
  return m_app != nullptr && m_app->count("--causal") > 0;
}

Status checkDevice(const std::string& device, bool withReference) {
  std::vector<std::string> names{"auto", "cpu", "cuda"};
  if (withReference) names.emplace_back("reference");
  if (std::find(names.begin(), names.end(), device) != names.end()) return {};
  if (device.starts_with("cuda:") && parseIndex(device.substr(5)).value_or(-1) >= 0) return {};
  const std::string near = nearestWord(device, names);
  return fail(ErrorKind::Usage, fmt::format("--device {} is not one of {}{}.", device, fmt::join(names, ", "),
                                            near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

void noteFallback(const std::string& fellBack) {
  if (!fellBack.empty()) fmt::print(stderr, "attnscope: {}\n", fellBack);
}

Result<RunOptions> chosenRunOptions(const CallArguments& arguments, const Backend& backend) {
  RunOptions options;
  options.threads = arguments.threads;
  ATTN_ASSIGN(precision, parsePrecision(arguments.precision));
  ATTN_TRY(requirePrecision(backend.info(), precision));
  options.precision = precision;
  return options;
}

Result<std::vector<Index>> parseIndexList(const std::string& text, const std::string& option) {
  std::vector<Index> list;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find_first_of("+,", begin), text.size());
    const std::optional<Index> value = parseIndex(text.substr(begin, end - begin));
    if (!value) {
      return fail(ErrorKind::Usage, fmt::format("{} {}: '{}' is not a number from 0; write a list as 0+3.",
                                                option, text, text.substr(begin, end - begin)));
    }
    list.push_back(*value);
    begin = end + 1;
  }
  return list;
}

Result<Index> chosenLayer(const CallArguments& arguments, const JobContext& job) {
  ATTN_ASSIGN(document, openSource(resolvedSource(arguments.source), job));
  return findLayer(*document, arguments.layer);
}

Result<AttentionInput> loadChosenInput(const CallArguments& arguments, const JobContext& job) {
  ATTN_ASSIGN(document, openSource(resolvedSource(arguments.source), job));
  ATTN_ASSIGN(layer, findLayer(*document, arguments.layer));
  sayWhichEntry(*document);
  sayRemarks(*document, layer);
  ATTN_ASSIGN(input, document->layer(layer));
  if (arguments.heads.empty()) return input;
  ATTN_ASSIGN(heads, parseIndexList(arguments.heads, "--heads"));
  return selectHeads(input, heads);
}

Result<AttentionInput> outlineChosenInput(const CallArguments& arguments, const JobContext& job) {
  if (!arguments.heads.empty()) return loadChosenInput(arguments, job);
  ATTN_ASSIGN(document, openSource(resolvedSource(arguments.source), job));
  ATTN_ASSIGN(layer, findLayer(*document, arguments.layer));
  sayWhichEntry(*document);
  sayRemarks(*document, layer);
  return document->outline(layer);
}

Result<MechanismSpec> chosenSpec(const std::string& text, const CallArguments& arguments) {
  ATTN_ASSIGN(spec, parseMechanismSpec(text));
  if (arguments.scale && (!std::isfinite(*arguments.scale) || *arguments.scale <= 0.0))
    return fail(
        ErrorKind::Usage,
        fmt::format("--scale is {}, but must be a number above 0 (default 1/sqrt(d)).", *arguments.scale));
  if (!spec.options.causalGiven && arguments.causalGiven()) {
    spec.options.causal = arguments.causal;
    spec.options.causalGiven = true;
  }
  if (!spec.options.scale) spec.options.scale = arguments.scale;
  if (!spec.options.seedGiven) spec.options.seed = arguments.seed.value_or(0);
  return spec;
}

Result<std::vector<MechanismSpec>> chosenSpecs(const std::vector<std::string>& texts,
                                               const CallArguments& arguments) {
  std::vector<MechanismSpec> specs;
  for (const std::string& text : texts) {
    ATTN_ASSIGN(spec, chosenSpec(text, arguments));
    specs.push_back(std::move(spec));
  }
  return specs;
}

Status checkWeightNames(const std::string& path, const WeightSet& weights,
                        const std::vector<const PlannedCall*>& calls) {
  std::set<std::string> taken;
  for (const PlannedCall* call : calls) taken.insert(call->givable.begin(), call->givable.end());
  for (const auto& [name, tensor] : weights) {
    if (taken.contains(name)) continue;
    const std::string near = nearestWord(name, {taken.begin(), taken.end()});
    if (!near.empty() && !weights.contains(near))
      return fail(ErrorKind::Usage,
                  fmt::format("--weights {}: nothing here takes '{}'; did you mean '{}'?", path, name, near));
    fmt::print(stderr, "attnscope: --weights {}: '{}' is not used; what is taken: {}.\n", path, name,
               taken.empty() ? std::string("nothing") : fmt::format("{}", fmt::join(taken, ", ")));
  }
  return {};
}

Result<WeightSet> loadWeights(const std::string& path) {
  WeightSet weights;
  if (path.empty()) return weights;
  ATTN_ASSIGN(file, openArrayFile(path));
  // A file written by compute also holds results; only its param/ entries are weights then.
  const auto isParam = [](const ArrayFile::Entry& entry) { return entry.name.starts_with("param/"); };
  const bool prefixed = std::any_of(file->entries().begin(), file->entries().end(), isParam);
  for (const ArrayFile::Entry& entry : file->entries()) {
    if (prefixed && !isParam(entry)) continue;
    ATTN_ASSIGN(tensor, file->read(entry.name));
    weights[prefixed ? entry.name.substr(6) : entry.name] = std::move(tensor);
  }
  if (weights.empty()) return fail(ErrorKind::Input, fmt::format("{} holds no tensors.", path));
  return weights;
}

}  // namespace attnscope
