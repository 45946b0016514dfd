// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/mechanisms/mechanism.h"
#include "core/params/mechanism_spec.h"
#include "kernels/backend.h"

namespace CLI {
class App;
}

namespace attnscope {

// The options that compute and figure share: which input, which call, which device.
struct CallArguments {
  std::string source = "sample";
  std::string layer;
  std::string heads;
  bool causal = false;
  std::optional<double> scale;
  std::optional<std::uint64_t> seed;
  std::string weights;
  std::string device = "auto";
  std::string precision = "fp32";
  int threads = 0;

  void declare(CLI::App& app);      // all
  void declareCall(CLI::App& app);  // input and call, for what needs no pass
  // After parsing: whether --causal or --no-causal was written.
  [[nodiscard]] bool causalGiven() const;

 private:
  CLI::App* m_app = nullptr;
};

// Names of the devices that a command takes, cuda:<number> among them; `reference` is the oracle and only
// some commands offer it.
[[nodiscard]] Status checkDevice(const std::string& device, bool withReference);

// The source as it is meant: people write SAMPLE.
[[nodiscard]] std::string resolvedSource(const std::string& source);

// Which of the source's layers is meant: that of --layer, or the one that the source itself names, or the
// first.
[[nodiscard]] Result<Index> chosenLayer(const CallArguments& arguments, const JobContext& job);

// Says on standard error that another device than the chosen one computed, and why (RunResult::fellBack).
void noteFallback(const std::string& fellBack);

// Threads and precision, checked against the device.
[[nodiscard]] Result<RunOptions> chosenRunOptions(const CallArguments& arguments, const Backend& backend);

// The chosen layer and heads of the source.
[[nodiscard]] Result<AttentionInput> loadChosenInput(const CallArguments& arguments, const JobContext& job);

// The same as an outline where the source offers one and all heads are wanted.
[[nodiscard]] Result<AttentionInput> outlineChosenInput(const CallArguments& arguments,
                                                        const JobContext& job);

// A SPEC with the command line's options applied; what the SPEC says itself stays.
[[nodiscard]] Result<MechanismSpec> chosenSpec(const std::string& text, const CallArguments& arguments);
[[nodiscard]] Result<std::vector<MechanismSpec>> chosenSpecs(const std::vector<std::string>& texts,
                                                             const CallArguments& arguments);

// The tensors of --weights, without the prefix param/ that compute writes; empty without the option.
[[nodiscard]] Result<WeightSet> loadWeights(const std::string& path);

// Tensors of --weights that none of the calls takes: one that may be misspelt is an error, others are named
// on standard error.
[[nodiscard]] Status checkWeightNames(const std::string& path, const WeightSet& weights,
                                      const std::vector<const PlannedCall*>& calls);

// "0+3" or "0,3".
[[nodiscard]] Result<std::vector<Index>> parseIndexList(const std::string& text, const std::string& option);

}  // namespace attnscope
