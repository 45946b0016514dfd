// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/params/param_values.h"

namespace attnscope {

// Options that every mechanism shares. They may stand in a SPEC beside its own parameters
// ("full:causal=on,scale=1") or come from the command line, which holds for all SPECs at once.
struct CallOptions {
  bool causal = false;
  bool causalGiven = false;     // some papers are causal by default: only an explicit choice overrides that
  std::optional<double> scale;  // multiplies the whole logit; default 1/sqrt(d), or what the mechanism says
  std::uint64_t seed = 0;
  bool seedGiven = false;  // a seed of 0 may be meant: what holds for all SPECs does not override it
};

// "reformer:rounds=4,chunk=32": which mechanism with which choices. Values with commas, blanks or other signs
// stand in double quotes, in which a double quote is written twice: custom:rule="abs(q - k) <= w",w=8.
struct MechanismSpec {
  std::string id;
  ParamTexts params;
  CallOptions options;

  [[nodiscard]] std::string text() const;  // parses back to the same
  friend bool operator==(const MechanismSpec& a, const MechanismSpec& b) { return a.text() == b.text(); }
};

// Syntax only; ids and parameter names are checked by whoever has the registry.
[[nodiscard]] Result<MechanismSpec> parseMechanismSpec(const std::string& text);

// "did you mean": the candidate closest to `word` by edit distance, empty if none is near.
[[nodiscard]] std::string nearestWord(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace attnscope
