// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/params/param_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace attnscope {

namespace {

Result<double> parseNumber(const ParamSpec& spec, const std::string& text) {
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stop != end || !std::isfinite(value))
    return fail(ErrorKind::Usage,
                fmt::format("Parameter '{}': '{}' is not a number. {}", spec.id, text, spec.help));
  return value;
}

// The valid value closest to what was asked for.
double nearestValid(const ParamSpec& spec, double value, double maximum) {
  double nearest = std::clamp(value, spec.minimum, std::max(spec.minimum, maximum));
  if (spec.kind != ParamKind::Real) {
    nearest = std::round(nearest);
    const auto step = static_cast<double>(spec.multipleOf);
    if (spec.multipleOf > 1) {
      nearest = std::floor(nearest / step) * step;
      if (nearest < spec.minimum) nearest += step;
    }
  }
  return nearest;
}

Result<double> checkedNumber(const ParamSpec& spec, const std::string& text, const Shape& shape) {
  ATTN_ASSIGN(value, parseNumber(spec, text));
  const double maximum = spec.maximum ? spec.maximum(shape) : 1e18;
  const double nearest = nearestValid(spec, value, maximum);
  if (nearest == value) return value;
  const std::string kind = spec.kind == ParamKind::Real ? "a number"
                           : spec.multipleOf == 2       ? "an even whole number"
                           : spec.multipleOf > 2        ? fmt::format("a multiple of {}", spec.multipleOf)
                                                        : "a whole number";
  // Whole numbers in full, not as 1e+06.
  const auto number = [&spec](double x) {
    return spec.kind == ParamKind::Real ? fmt::format("{:.6g}", x) : fmt::format("{:.0f}", x);
  };
  const std::string range = maximum >= 1e18
                                ? fmt::format("at least {}", number(spec.minimum))
                                : fmt::format("from {} to {}", number(spec.minimum), number(maximum));
  return fail(ErrorKind::Usage,
              fmt::format("Parameter '{}' is {}, but must be {} {}. The nearest valid value is {}.", spec.id,
                          text, kind, range, number(nearest)));
}

Result<bool> parseBool(const ParamSpec& spec, const std::string& text) {
  if (text == "on" || text == "true" || text == "1" || text == "yes") return true;
  if (text == "off" || text == "false" || text == "0" || text == "no") return false;
  return fail(ErrorKind::Usage, fmt::format("Parameter '{}' is '{}', but must be on or off.", spec.id, text));
}

Result<IndexList> parseList(const ParamSpec& spec, const std::string& text, const Shape& shape) {
  IndexList list;
  if (text.empty() || text == "none") return list;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    ATTN_ASSIGN(value, checkedNumber(spec, text.substr(begin, end - begin), shape));
    list.push_back(static_cast<Index>(value));
    begin = end + 1;
  }
  return list;
}

}  // namespace

std::string paramText(const ParamValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "on" : "off";
  if (const auto* integer = std::get_if<Index>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:g}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto& list = std::get<IndexList>(value);
  return list.empty() ? "none" : fmt::format("{}", fmt::join(list, "+"));
}

Result<ParamValue> parseParam(const ParamSpec& spec, const std::string& text, const Shape& shape) {
  switch (spec.kind) {
    case ParamKind::Bool: {
      ATTN_ASSIGN(flag, parseBool(spec, text));
      return ParamValue{flag};
    }
    case ParamKind::Int: {
      ATTN_ASSIGN(number, checkedNumber(spec, text, shape));
      return ParamValue{static_cast<Index>(number)};
    }
    case ParamKind::Real: {
      ATTN_ASSIGN(number, checkedNumber(spec, text, shape));
      return ParamValue{number};
    }
    case ParamKind::Choice:
      if (std::find(spec.choices.begin(), spec.choices.end(), text) != spec.choices.end())
        return ParamValue{text};
      // A switch with a third position takes the words of a switch.
      if (std::find(spec.choices.begin(), spec.choices.end(), "on") != spec.choices.end())
        if (const auto flag = parseBool(spec, text)) return ParamValue{std::string(*flag ? "on" : "off")};
      return fail(ErrorKind::Usage, fmt::format("Parameter '{}' is '{}', but must be one of: {}.", spec.id,
                                                text, fmt::join(spec.choices, ", ")));
    case ParamKind::IntList: {
      ATTN_ASSIGN(list, parseList(spec, text, shape));
      return ParamValue{std::move(list)};
    }
    case ParamKind::Text: {
      ATTN_ASSIGN(canonical, spec.canonical(text, shape));
      return ParamValue{std::move(canonical)};
    }
  }
  return fail(ErrorKind::Usage, "unknown kind of parameter");
}

ParamSpec intParam(std::string id, std::string symbol, std::string help, double minimum,
                   std::function<double(const Shape&)> maximum,
                   std::function<Index(const Shape&)> defaultValue, std::string defaultText) {
  ParamSpec spec;
  spec.id = std::move(id);
  spec.symbol = std::move(symbol);
  spec.kind = ParamKind::Int;
  spec.help = std::move(help);
  spec.minimum = minimum;
  spec.maximum = std::move(maximum);
  spec.defaultValue = [value = std::move(defaultValue)](const Shape& shape) {
    return ParamValue{value(shape)};
  };
  spec.defaultText = std::move(defaultText);
  return spec;
}

ParamSpec realParam(std::string id, std::string symbol, std::string help, double minimum, double maximum,
                    std::function<double(const Shape&)> defaultValue, std::string defaultText) {
  ParamSpec spec;
  spec.id = std::move(id);
  spec.symbol = std::move(symbol);
  spec.kind = ParamKind::Real;
  spec.help = std::move(help);
  spec.minimum = minimum;
  spec.maximum = [maximum](const Shape&) { return maximum; };
  spec.defaultValue = [value = std::move(defaultValue)](const Shape& shape) {
    return ParamValue{value(shape)};
  };
  spec.defaultText = std::move(defaultText);
  return spec;
}

ParamSpec boolParam(std::string id, std::string help, bool defaultValue) {
  ParamSpec spec;
  spec.id = std::move(id);
  spec.kind = ParamKind::Bool;
  spec.help = std::move(help);
  spec.defaultValue = [defaultValue](const Shape&) { return ParamValue{defaultValue}; };
  spec.defaultText = defaultValue ? "on" : "off";
  return spec;
}

ParamSpec choiceParam(std::string id, std::string help, std::vector<std::string> choices,
                      std::vector<std::string> choiceHelp, std::string defaultValue) {
  ParamSpec spec;
  spec.id = std::move(id);
  spec.kind = ParamKind::Choice;
  spec.help = std::move(help);
  spec.choices = std::move(choices);
  spec.choiceHelp = std::move(choiceHelp);
  spec.defaultText = defaultValue;
  spec.defaultValue = [value = std::move(defaultValue)](const Shape&) { return ParamValue{value}; };
  return spec;
}

ParamSpec listParam(std::string id, std::string symbol, std::string help, double minimum,
                    std::function<double(const Shape&)> maximum, IndexList defaultValue,
                    std::string defaultText) {
  ParamSpec spec;
  spec.id = std::move(id);
  spec.symbol = std::move(symbol);
  spec.kind = ParamKind::IntList;
  spec.help = std::move(help);
  spec.minimum = minimum;
  spec.maximum = std::move(maximum);
  spec.defaultValue = [value = std::move(defaultValue)](const Shape&) { return ParamValue{value}; };
  spec.defaultText = std::move(defaultText);
  return spec;
}

Index ceilSqrt(Index n) {
  auto root = static_cast<Index>(std::sqrt(static_cast<double>(n)));
  while (root * root < n) ++root;
  while (root > 1 && (root - 1) * (root - 1) >= n) --root;
  return root;
}

}  // namespace attnscope
