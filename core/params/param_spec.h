// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/inputs/attention_input.h"

namespace attnscope {

class ParamValues;

using IndexList = std::vector<Index>;
using ParamValue = std::variant<bool, Index, double, std::string, IndexList>;

enum class ParamKind { Bool, Int, Real, Choice, IntList, Text };

struct TextPreset {
  std::string name;  // "Causal window"
  std::string text;
};

// What a mechanism declares about one of its parameters. The form in the window, the options of the command
// line, the table in the documentation and the sweeps of the tests are all made from this.
struct ParamSpec {
  std::string id;      // "rounds": as written in a SPEC
  std::string symbol;  // "n_r": as the paper writes it
  ParamKind kind = ParamKind::Int;
  std::string help;  // one sentence
  std::string unit;  // "tokens", "" if none

  // The default may depend on the shape; `defaultText` says how ("ceil(sqrt n)").
  std::function<ParamValue(const Shape&)> defaultValue;
  // Set where the default also follows parameters declared before this one (buckets from the chunk), or any
  // that the user gave: two bound parameters make room for each other.
  std::function<ParamValue(const Shape&, const ParamValues&)> derivedDefault;
  std::string defaultText;

  // Range of Int, Real and the elements of IntList; both ends included. The upper end may depend on the
  // shape.
  double minimum = 0.0;
  std::function<double(const Shape&)> maximum;
  Index multipleOf = 1;              // Int: 2 for "even"
  std::vector<std::string> choices;  // Choice
  std::vector<std::string> choiceHelp;

  // Text: the checked value as a SPEC writes it, or why it is none.
  std::function<Result<std::string>(const std::string& text, const Shape&)> canonical;
  // Some valid values, where a range does not say which there are: what the tests try.
  std::function<std::vector<std::string>(const Shape&)> examples;

  // Text that is a sentence of some language: edited in several lines and checked while it is typed.
  bool isLong = false;
  std::vector<TextPreset> presets;  // Text: named values to start from

  // The paper's own value, for the mark on the slider; empty if the paper names none.
  std::optional<ParamValue> paperValue;
  std::string paperText;  // "512 in pre-training"

  // Shown only when this holds (an option that means nothing in the current mode); always, if empty.
  std::string visibleWhenId;
  std::vector<std::string> visibleWhenValues;
  // The same for what a list of values cannot say; given the texts of all parameters.
  std::function<bool(const std::map<std::string, std::string>&)> visibleWhen;
};

// Text of a value as a SPEC writes it: "on", "64", "0.75", "strided", "0+64+128".
[[nodiscard]] std::string paramText(const ParamValue& value);

// Parses and checks one value. Errors (Usage) name the parameter, the value, its range and the nearest valid
// one.
[[nodiscard]] Result<ParamValue> parseParam(const ParamSpec& spec, const std::string& text,
                                            const Shape& shape);

// Shorthands for the declarations in the catalogue.
[[nodiscard]] ParamSpec intParam(std::string id, std::string symbol, std::string help, double minimum,
                                 std::function<double(const Shape&)> maximum,
                                 std::function<Index(const Shape&)> defaultValue, std::string defaultText);
[[nodiscard]] ParamSpec realParam(std::string id, std::string symbol, std::string help, double minimum,
                                  double maximum, std::function<double(const Shape&)> defaultValue,
                                  std::string defaultText);
[[nodiscard]] ParamSpec boolParam(std::string id, std::string help, bool defaultValue);
[[nodiscard]] ParamSpec choiceParam(std::string id, std::string help, std::vector<std::string> choices,
                                    std::vector<std::string> choiceHelp, std::string defaultValue);
[[nodiscard]] ParamSpec listParam(std::string id, std::string symbol, std::string help, double minimum,
                                  std::function<double(const Shape&)> maximum, IndexList defaultValue,
                                  std::string defaultText);

// ceil(sqrt(n)) without rounding trouble: the default block, bucket and stride of half the catalogue.
[[nodiscard]] Index ceilSqrt(Index n);
[[nodiscard]] inline Index ceilDiv(Index a, Index b) {
  return (a + b - 1) / b;
}

}  // namespace attnscope
