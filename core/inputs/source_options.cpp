// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/source_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "core/base/units.h"

namespace attnscope {

namespace {

std::optional<double> number(std::string_view text) {
  double value = 0.0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string numberOf(const SourceKey& key, double value) {
  return key.kind == SourceKey::Kind::Integer ? fmt::format("{}", static_cast<Index>(value))
                                              : fmt::format("{}", value);
}

std::string expectation(const SourceKey& key) {
  if (key.kind == SourceKey::Kind::Choice) return fmt::format("one of {}", fmt::join(key.choices, ", "));
  return fmt::format("{} from {} to {}", key.kind == SourceKey::Kind::Integer ? "an integer" : "a number",
                     numberOf(key, key.minimum), numberOf(key, key.maximum));
}

// The value in its one canonical spelling, or nothing where it is not allowed.
std::optional<std::string> canonical(const SourceKey& key, std::string_view text) {
  if (key.kind == SourceKey::Kind::Choice) {
    const auto found = std::find(key.choices.begin(), key.choices.end(), text);
    return found == key.choices.end() ? std::nullopt : std::optional(*found);
  }
  const std::optional<double> value = number(text);
  if (!value || *value < key.minimum || *value > key.maximum) return std::nullopt;
  if (key.kind == SourceKey::Kind::Integer && *value != std::floor(*value)) return std::nullopt;
  return numberOf(key, *value);
}

tl::unexpected<Error> unknownKey(const std::string& owner, const std::vector<SourceKey>& keys,
                                 std::string_view found) {
  std::vector<std::string> names;
  for (const SourceKey& key : keys) names.push_back(key.id);
  const std::string near = nearestSpelling(found, names);
  return fail(ErrorKind::Usage,
              fmt::format("{}: there is no option '{}'. {}Options: {}.", owner, found,
                          near.empty() ? "" : "Did you mean '" + near + "'? ", fmt::join(names, ", ")));
}

}  // namespace

SourceKey SourceKey::integer(std::string id, double minimum, double maximum, std::string byDefault,
                             std::string help) {
  return {std::move(id), Kind::Integer, minimum, maximum, std::move(byDefault), std::move(help), {}};
}

SourceKey SourceKey::real(std::string id, double minimum, double maximum, std::string byDefault,
                          std::string help) {
  return {std::move(id), Kind::Real, minimum, maximum, std::move(byDefault), std::move(help), {}};
}

SourceKey SourceKey::choice(std::string id, std::vector<std::string> choices, std::string help) {
  std::string first = choices.front();
  return {std::move(id), Kind::Choice, 0.0, 0.0, std::move(first), std::move(help), std::move(choices)};
}

Result<SourceOptions> SourceOptions::parse(const std::string& owner, const std::vector<SourceKey>& keys,
                                           std::string_view text) {
  SourceOptions options;
  options.m_keys = &keys;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    const std::string_view id = item.substr(0, equals);
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const SourceKey& k) { return k.id == id; });
    if (key == keys.end()) return unknownKey(owner, keys, id);
    if (equals == std::string_view::npos)
      return fail(ErrorKind::Usage, fmt::format("{}: the option '{}' has no value; write {}=VALUE with {}.",
                                                owner, id, id, expectation(*key)));
    const std::string_view found = item.substr(equals + 1);
    const std::optional<std::string> value = canonical(*key, found);
    if (!value)
      return fail(ErrorKind::Usage,
                  fmt::format("{}: {} is '{}', expected {}.", owner, id, found, expectation(*key)));
    if (!options.m_given.emplace(id, *value).second)
      return fail(ErrorKind::Usage,
                  fmt::format("{}: the option '{}' is given twice; give it once.", owner, id));
  }
  return options;
}

const std::string& SourceOptions::value(const std::string& id) const {
  if (const auto given = m_given.find(id); given != m_given.end()) return given->second;
  for (const SourceKey& key : *m_keys) {
    if (key.id != id) continue;
    const bool refers = std::any_of(m_keys->begin(), m_keys->end(), [&](const SourceKey& other) {
      return other.id == key.byDefault && other.id != id;
    });
    return refers && key.kind != SourceKey::Kind::Choice ? value(key.byDefault) : key.byDefault;
  }
  fmt::print(stderr, "attnscope: the option '{}' was read but never declared\n", id);
  std::abort();
}

Index SourceOptions::integer(const std::string& id) const {
  return static_cast<Index>(number(value(id)).value_or(0.0));
}

double SourceOptions::real(const std::string& id) const {
  return number(value(id)).value_or(0.0);
}

std::string SourceOptions::choice(const std::string& id) const {
  return value(id);
}

std::string SourceOptions::text(const std::vector<std::string>& without) const {
  std::string text;
  for (const SourceKey& key : *m_keys) {
    const auto given = m_given.find(key.id);
    if (given == m_given.end() || given->second == key.byDefault) continue;
    if (std::find(without.begin(), without.end(), key.id) != without.end()) continue;
    text += (text.empty() ? "" : ",") + key.id + "=" + given->second;
  }
  return text;
}

std::string nearestSpelling(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t bestEdits = word.size() / 3 + 2;  // beyond this it is another word
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t corner = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t change = corner + (word[i] == candidate[j] ? 0 : 1);
        corner = row[j + 1];
        row[j + 1] = std::min({row[j + 1] + 1, row[j] + 1, change});
      }
    }
    if (row.back() < bestEdits) {
      bestEdits = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace attnscope
