// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/params/param_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/params/mechanism_spec.h"

namespace attnscope {

namespace {

ParamValue clampedDefault(const ParamSpec& spec, const Shape& shape, const ParamValues& before) {
  ParamValue value = spec.derivedDefault ? spec.derivedDefault(shape, before) : spec.defaultValue(shape);
  const double maximum = spec.maximum ? spec.maximum(shape) : 1e18;
  const auto clamp = [&](double x) { return std::max(spec.minimum, std::min(x, maximum)); };
  if (auto* integer = std::get_if<Index>(&value)) {
    *integer = static_cast<Index>(clamp(static_cast<double>(*integer)));
    if (spec.multipleOf > 1 && *integer % spec.multipleOf != 0) *integer -= *integer % spec.multipleOf;
    *integer = std::max(*integer, static_cast<Index>(spec.minimum));
  } else if (auto* real = std::get_if<double>(&value)) {
    *real = clamp(*real);
  } else if (auto* list = std::get_if<IndexList>(&value)) {
    std::erase_if(*list, [&](Index i) { return static_cast<double>(i) > maximum; });
  }
  return value;
}

std::vector<std::string> idsOf(std::span<const ParamSpec> specs) {
  std::vector<std::string> ids;
  for (const ParamSpec& spec : specs) ids.push_back(spec.id);
  return ids;
}

}  // namespace

Result<ParamValues> ParamValues::resolve(std::span<const ParamSpec> specs, const ParamTexts& given,
                                         const Shape& shape, const std::string& mechanism) {
  ParamValues values;
  values.m_given = given;
  // What the user gave comes first, so that every default can follow it.
  for (const ParamSpec& spec : specs) {
    const auto it = given.find(spec.id);
    if (it == given.end()) continue;
    auto parsed = parseParam(spec, it->second, shape);
    if (!parsed) {
      Error error = std::move(parsed.error());
      error.message = mechanism + ": " + error.message;
      return tl::unexpected<Error>(std::move(error));
    }
    values.m_values[spec.id] = std::move(*parsed);
  }
  for (const ParamSpec& spec : specs)
    if (!given.contains(spec.id)) values.m_values[spec.id] = clampedDefault(spec, shape, values);
  for (const auto& [id, text] : given) {
    if (values.m_values.contains(id)) continue;
    const auto ids = idsOf(specs);
    const std::string near = nearestWord(id, ids);
    const std::string known = ids.empty()
                                  ? "it has none of its own (causal, scale and seed are common to all)"
                                  : fmt::format("it has: {}, and causal, scale, seed", fmt::join(ids, ", "));
    return fail(ErrorKind::Usage, fmt::format("{} has no parameter '{}'; {}.{}", mechanism, id, known,
                                              near.empty() ? "" : " Did you mean '" + near + "'?"));
  }
  return values;
}

const ParamValue& ParamValues::at(const std::string& id) const {
  const auto it = m_values.find(id);
  if (it != m_values.end()) return it->second;
  std::fprintf(stderr, "attnscope: parameter '%s' was read but never declared\n", id.c_str());
  std::abort();
}

bool ParamValues::flag(const std::string& id) const {
  return std::get<bool>(at(id));
}
Index ParamValues::integer(const std::string& id) const {
  return std::get<Index>(at(id));
}
double ParamValues::real(const std::string& id) const {
  return std::get<double>(at(id));
}
const std::string& ParamValues::choice(const std::string& id) const {
  return std::get<std::string>(at(id));
}
const IndexList& ParamValues::list(const std::string& id) const {
  return std::get<IndexList>(at(id));
}
const std::string& ParamValues::text(const std::string& id) const {
  return std::get<std::string>(at(id));
}

}  // namespace attnscope
