// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/inputs/input_document.h"
#include "core/mechanisms/mechanism.h"
#include "core/mechanisms/registry.h"

namespace attnscope::testing {

// One call to try: a mechanism with options on an input.
struct Call {
  MechanismSpec spec;
  std::string source;
  [[nodiscard]] std::string name() const { return spec.text() + " on " + source; }
};

// An input as a recipe; fails loudly, since a test without its input proves nothing.
inline AttentionInput inputOf(const std::string& source) {
  auto input = loadInput(source);
  if (!input) {
    std::fprintf(stderr, "%s: %s\n", source.c_str(), input.error().message.c_str());
    std::abort();
  }
  return std::move(*input);
}

// Every value of a parameter that a test should try on this shape: the ends of its range, every choice, both
// flags.
inline std::vector<std::string> valuesToTry(const ParamSpec& spec, const Shape& shape) {
  if (spec.examples) return spec.examples(shape);
  switch (spec.kind) {
    case ParamKind::Text:
      return {};
    case ParamKind::Bool:
      return {"on", "off"};
    case ParamKind::Choice:
      return spec.choices;
    case ParamKind::Real:
      return {paramText(spec.minimum), "0.5"};
    case ParamKind::Int:
    case ParamKind::IntList: {
      const double top = spec.maximum ? spec.maximum(shape) : 1e18;
      const Index step = spec.multipleOf;
      const auto low = static_cast<Index>(spec.minimum);
      const Index high = std::min<Index>(static_cast<Index>(top), 2 * shape.nK) / step * step;
      std::vector<std::string> values{std::to_string(low)};
      if (high > low) values.push_back(std::to_string(high));
      const Index middle = (low + high) / 2 / step * step;
      if (middle > low && middle < high) values.push_back(std::to_string(middle));
      return values;
    }
  }
  return {};
}

// Specs of one mechanism: the default and every parameter at its ends, one at a time; where a parameter means
// something in some modes only, in each of these.
inline std::vector<MechanismSpec> specsOf(const Mechanism& mechanism, const Shape& shape) {
  MechanismSpec plain;
  plain.id = mechanism.card().id;
  std::vector<MechanismSpec> specs{plain};
  for (const ParamSpec& param : mechanism.params())
    for (const std::string& value : valuesToTry(param, shape)) {
      MechanismSpec spec = plain;
      spec.params[param.id] = value;
      if (param.visibleWhenId.empty()) specs.push_back(spec);
      for (const std::string& mode : param.visibleWhenValues) {
        spec.params[param.visibleWhenId] = mode;
        specs.push_back(spec);
      }
    }
  return specs;
}

// Causal or not, as far as the card allows both.
inline std::vector<MechanismSpec> withCausal(const Mechanism& mechanism,
                                             const std::vector<MechanismSpec>& specs) {
  const CausalSupport support = mechanism.card().causal;
  std::vector<MechanismSpec> all;
  for (MechanismSpec spec : specs) {
    for (const bool causal : {false, true}) {
      if (support == CausalSupport::Never && causal) continue;
      if (support == CausalSupport::Always && !causal) continue;
      spec.options.causal = causal;
      spec.options.causalGiven = true;
      all.push_back(spec);
    }
  }
  return all;
}

}  // namespace attnscope::testing
