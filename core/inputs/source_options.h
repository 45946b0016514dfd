// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace attnscope {

// One key=value of a source, declared so that the window can build a form and the command line can print it.
struct SourceKey {
  enum class Kind { Integer, Real, Choice };
  std::string id;
  Kind kind = Kind::Integer;
  double minimum = 0.0;  // numbers: inclusive range
  double maximum = 0.0;
  std::string byDefault;  // as it would be typed; a key's name where the default is that key's value
  std::string help;       // one sentence
  std::vector<std::string> choices;  // Choice only

  static SourceKey integer(std::string id, double minimum, double maximum, std::string byDefault,
                           std::string help);
  static SourceKey real(std::string id, double minimum, double maximum, std::string byDefault,
                        std::string help);
  static SourceKey choice(std::string id, std::vector<std::string> choices,
                          std::string help);  // first: default
};

// Checked values for a list of keys: every key has one, given or by default.
class SourceOptions {
 public:
  // Parses "n=1024,seed=1" (an empty text gives the defaults). Errors (Usage) name the key, what was found,
  // the valid ones with their ranges and the nearest spelling. `owner` names the source in messages. The keys
  // must outlive the result.
  [[nodiscard]] static Result<SourceOptions> parse(const std::string& owner,
                                                   const std::vector<SourceKey>& keys, std::string_view text);

  // The id must be a declared one (a programmer's error otherwise).
  [[nodiscard]] Index integer(const std::string& id) const;
  [[nodiscard]] double real(const std::string& id) const;
  [[nodiscard]] std::string choice(const std::string& id) const;
  [[nodiscard]] bool isGiven(const std::string& id) const { return m_given.contains(id); }

  // What was given and differs from the default, in declared order: "n=1024,seed=1". Equal inputs, equal
  // texts.
  [[nodiscard]] std::string text(const std::vector<std::string>& without = {}) const;

 private:
  [[nodiscard]] const std::string& value(const std::string& id) const;
  const std::vector<SourceKey>* m_keys = nullptr;
  std::map<std::string, std::string> m_given;
};

// The candidate with the fewest edits to `word`, or "" where none is near enough to be meant.
[[nodiscard]] std::string nearestSpelling(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace attnscope
