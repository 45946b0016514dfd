// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <span>
#include <string>

#include "core/base/error.h"
#include "core/params/param_spec.h"

namespace attnscope {

// Parameters as the user gave them: id -> text. Ordered, so that the same choice has one spelling.
using ParamTexts = std::map<std::string, std::string>;

// Checked values of all parameters of one mechanism for one shape.
class ParamValues {
 public:
  // Defaults are clamped to their range (a block cannot exceed n); what the user gave is refused instead.
  [[nodiscard]] static Result<ParamValues> resolve(std::span<const ParamSpec> specs, const ParamTexts& given,
                                                   const Shape& shape, const std::string& mechanism);

  [[nodiscard]] bool flag(const std::string& id) const;
  [[nodiscard]] Index integer(const std::string& id) const;
  [[nodiscard]] double real(const std::string& id) const;
  [[nodiscard]] const std::string& choice(const std::string& id) const;
  [[nodiscard]] const IndexList& list(const std::string& id) const;
  [[nodiscard]] const std::string& text(const std::string& id) const;
  [[nodiscard]] bool isGiven(const std::string& id) const { return m_given.contains(id); }
  [[nodiscard]] const std::map<std::string, ParamValue>& all() const { return m_values; }

 private:
  const ParamValue& at(const std::string& id) const;
  std::map<std::string, ParamValue> m_values;
  ParamTexts m_given;
};

}  // namespace attnscope
