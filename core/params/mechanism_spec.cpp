// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/params/mechanism_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

namespace attnscope {

namespace {

std::size_t editDistance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

template <class T>
bool parseWhole(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  return code == std::errc{} && stop == end;
}

// Takes the options that all mechanisms share out of the list of parameters.
Status takeCommon(MechanismSpec& spec, const std::string& key, const std::string& value) {
  if (key == "causal") {
    if (value != "on" && value != "off")
      return fail(ErrorKind::Usage,
                  fmt::format("{}: causal is '{}', but must be on or off.", spec.id, value));
    spec.options.causal = value == "on";
    spec.options.causalGiven = true;
  } else if (key == "scale") {
    double scale = 0.0;
    if (!parseWhole(value, scale) || !std::isfinite(scale) || scale <= 0.0)
      return fail(ErrorKind::Usage,
                  fmt::format("{}: scale is '{}', but must be a number above 0 (default 1/sqrt(d)).", spec.id,
                              value));
    spec.options.scale = scale;
  } else if (key == "seed") {
    if (!parseWhole(value, spec.options.seed))
      return fail(ErrorKind::Usage,
                  fmt::format("{}: seed is '{}', but must be a whole number from 0.", spec.id, value));
    spec.options.seedGiven = true;
  } else {
    spec.params[key] = value;
  }
  return {};
}

bool needsQuotes(const std::string& value) {
  return value.find_first_of(" \t\r\n,\";=<>&|()!%*'") != std::string::npos;
}

std::string quoted(const std::string& value) {
  if (!needsQuotes(value)) return value;
  std::string text = "\"";
  for (const char c : value) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + "\"";
}

struct ReadValue {
  std::string value;
  std::size_t end = 0;  // at the comma, or the end of the text
};

// A value from `begin` to the next comma, or in quotes.
Result<ReadValue> readValue(const std::string& text, std::size_t begin) {
  if (begin >= text.size() || text[begin] != '"') {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    return ReadValue{text.substr(begin, end - begin), end};
  }
  ReadValue read;
  std::size_t at = begin + 1;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') {
      if (at + 1 >= text.size() || text[at + 1] != '"') break;
      ++at;
    }
    read.value += text[at];
  }
  if (at >= text.size())
    return fail(
        ErrorKind::Usage,
        fmt::format("In '{}' the quote before '{}' is not closed; add a \" at the end of the value (and "
                    "put the whole into single quotes for the shell).",
                    text, text.substr(begin + 1)));
  read.end = at + 1;
  if (read.end < text.size() && text[read.end] != ',')
    return fail(
        ErrorKind::Usage,
        fmt::format("In '{}' the value \"{}\" is followed by '{}', but must be by a comma or nothing.", text,
                    read.value, text.substr(read.end)));
  return read;
}

}  // namespace

std::string MechanismSpec::text() const {
  std::vector<std::string> parts;
  for (const auto& [key, value] : params) parts.push_back(key + "=" + quoted(value));
  if (options.causalGiven) parts.push_back(std::string("causal=") + (options.causal ? "on" : "off"));
  if (options.scale) parts.push_back(fmt::format("scale={}", *options.scale));
  if (options.seedGiven || options.seed != 0) parts.push_back(fmt::format("seed={}", options.seed));
  return parts.empty() ? id : fmt::format("{}:{}", id, fmt::join(parts, ","));
}

Result<MechanismSpec> parseMechanismSpec(const std::string& text) {
  MechanismSpec spec;
  const std::size_t colon = text.find(':');
  spec.id = text.substr(0, colon);
  if (spec.id.empty())
    return fail(ErrorKind::Usage,
                fmt::format("'{}' names no mechanism; write for example reformer:rounds=4.", text));
  if (colon == std::string::npos) return spec;
  std::size_t begin = colon + 1;
  std::set<std::string> seen;
  while (begin <= text.size()) {
    const std::string part = text.substr(begin, text.find(',', begin) - begin);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(
          ErrorKind::Usage,
          fmt::format("'{}' in '{}' is not of the form name=value; lists are joined by '+'.", part, text));
    ATTN_ASSIGN(read, readValue(text, begin + equals + 1));
    if (!seen.insert(part.substr(0, equals)).second)
      return fail(ErrorKind::Usage,
                  fmt::format("'{}' says {} twice; leave one of them out.", text, part.substr(0, equals)));
    ATTN_TRY(takeCommon(spec, part.substr(0, equals), read.value));
    begin = read.end + 1;
  }
  return spec;
}

std::string nearestWord(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t bestDistance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace attnscope
