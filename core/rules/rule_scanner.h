// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"

namespace attnscope {

struct RuleToken {
  enum class Kind { Number, Name, Function, Operator, Open, Close, Comma };
  Kind kind = Kind::Name;
  std::size_t begin = 0;  // bytes of the rule's text
  std::size_t end = 0;
  std::string symbol;  // operators in one spelling: "&&" for and, "~" for not (which binds less than "!")
};

// One labelled part of a rule: "local: abs(q - k) <= w".
struct RuleSection {
  std::string label;      // empty if it has none
  std::size_t begin = 0;  // of the condition, in the text
  std::size_t end = 0;
  std::vector<RuleToken> tokens;
  // As long as the whole text, with the operators in their one spelling and blanks where this section has
  // nothing: positions in it are positions in the text.
  std::string formula;
};

// Cuts a rule into sections and tokens. What no rule can contain is refused with its place: characters,
// names and functions that do not exist, one = or &, commas outside of functions, numbers out of range.
[[nodiscard]] Result<std::vector<RuleSection>> scanRule(const std::string& text);

// A Usage error about bytes [begin, end) of a rule; the sentence starts with the place: "Rule, character 3:
// ".
[[nodiscard]] tl::unexpected<Error> ruleFault(const std::string& text, std::size_t begin, std::size_t end,
                                              const std::string& sentence);

}  // namespace attnscope
