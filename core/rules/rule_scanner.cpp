// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/rule_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/rules/mask_rule.h"

namespace attnscope {

namespace {

constexpr std::size_t kLongestLabel = 24;
constexpr std::array<std::string_view, 5> kFunctions{"abs", "floor", "min", "max", "mod"};

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct Spelling {
  std::string_view written;
  std::string_view symbol;  // not longer than what was written
};
// Longer ones first.
constexpr std::array<Spelling, 22> kOperators{
    {{"<=", "<="},    {">=", ">="},     {"==", "=="},     {"!=", "!="},     {"&&", "&&"},
     {"||", "||"},    {"//", "//"},     {"\u2264", "<="}, {"\u2265", ">="}, {"\u2260", "!="},
     {"\u2212", "-"}, {"\u2227", "&&"}, {"\u2228", "||"}, {"\u00ac", "~"},  {"\u00d7", "*"},
     {"<", "<"},      {">", ">"},       {"+", "+"},       {"-", "-"},       {"*", "*"},
     {"/", "/"},      {"%", "%"}}};
constexpr std::array<Spelling, 4> kWords{{{"and", "&&"}, {"or", "||"}, {"not", "~"}, {"mod", "%"}}};

// What people write out of habit, and what it is called here.
constexpr std::array<Spelling, 9> kHabits{{{"=<", "<="},
                                           {"=>", ">="},
                                           {"<>", "!="},
                                           {"**", "a product, as in q * q"},
                                           {"=", "=="},
                                           {"&", "and"},
                                           {"|", "or"},
                                           {"~", "not"},
                                           {"^", "a product, as in q * q (or != for exclusive or)"}}};

std::string allNames() {
  std::vector<std::string_view> words;
  for (const RuleNameInfo& info : ruleNames()) words.emplace_back(info.word);
  return fmt::format("{}", fmt::join(words, ", "));
}

std::size_t characterEnd(const std::string& text, std::size_t at) {
  ++at;
  while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
  return at;
}

// The character in quotes, or in words where it cannot be shown.
std::string shownCharacter(const std::string& character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
  if (byte(0) < 0x20 || byte(0) == 0x7F) return fmt::format("the control character {}", byte(0));
  const std::size_t length = byte(0) < 0x80   ? 1
                             : byte(0) < 0xC2 ? 0
                             : byte(0) < 0xE0 ? 2
                             : byte(0) < 0xF0 ? 3
                             : byte(0) < 0xF5 ? 4
                                              : 0;
  const bool overlong =
      length > 2 && ((byte(0) == 0xE0 && byte(1) < 0xA0) || (byte(0) == 0xED && byte(1) > 0x9F) ||
                     (byte(0) == 0xF0 && byte(1) < 0x90) || (byte(0) == 0xF4 && byte(1) > 0x8F));
  if (length != character.size() || overlong) return fmt::format("the byte {}, which is no UTF-8", byte(0));
  return "'" + character + "'";
}

class Scanner {
 public:
  Scanner(const std::string& text, RuleSection& section) : m_text(text), m_section(section) {
    m_section.formula.assign(text.size(), ' ');
  }

  Status scan() {
    std::size_t at = m_section.begin;
    while (at < m_section.end) {
      if (isBlank(m_text[at])) {
        ++at;
        continue;
      }
      ATTN_ASSIGN(next, token(at));
      at = next;
    }
    return {};
  }

 private:
  Result<std::size_t> token(std::size_t at) {
    const char c = m_text[at];
    if (isDigit(c) || (c == '.' && at + 1 < m_section.end && isDigit(m_text[at + 1]))) return number(at);
    if (isLetter(c)) return word(at);
    if (c == '(') {
      m_open.push_back(!m_section.tokens.empty() &&
                       m_section.tokens.back().kind == RuleToken::Kind::Function);
      return add(RuleToken::Kind::Open, at, at + 1, "(");
    }
    if (c == ')') {
      if (!m_open.empty()) m_open.pop_back();
      return add(RuleToken::Kind::Close, at, at + 1, ")");
    }
    if (c == ',') {
      if (m_open.empty() || !m_open.back())
        return ruleFault(m_text, at, at + 1,
                         "found ',', which only separates what min, max and mod are given. Rules are "
                         "separated by ';'.");
      return add(RuleToken::Kind::Comma, at, at + 1, ",");
    }
    return operation(at);
  }

  Result<std::size_t> number(std::size_t at) {
    std::size_t end = at;
    while (end < m_section.end && (isDigit(m_text[end]) || m_text[end] == '.')) ++end;
    double value = 0.0;
    const auto [stop, code] = std::from_chars(m_text.data() + at, m_text.data() + end, value);
    if (stop != m_text.data() + end || (code != std::errc{} && code != std::errc::result_out_of_range))
      return ruleFault(
          m_text, at, end,
          fmt::format("'{}' is not a number.", m_text.substr(at, std::min<std::size_t>(end - at, 40))));
    if (code == std::errc::result_out_of_range || value > kLargestRuleNumber)
      return ruleFault(m_text, at, end, "numbers may be at most 2^50 (1,125,899,906,842,624).");
    return add(RuleToken::Kind::Number, at, end, m_text.substr(at, end - at));
  }

  Result<std::size_t> word(std::size_t at) {
    std::size_t end = at;
    while (end < m_section.end && (isLetter(m_text[end]) || isDigit(m_text[end]))) ++end;
    const std::string name = m_text.substr(at, end - at);
    std::size_t next = end;
    while (next < m_section.end && isBlank(m_text[next])) ++next;
    const bool called = next < m_section.end && m_text[next] == '(';
    const bool function = std::find(kFunctions.begin(), kFunctions.end(), name) != kFunctions.end();
    const bool afterValue =
        !m_section.tokens.empty() && (m_section.tokens.back().kind == RuleToken::Kind::Number ||
                                      m_section.tokens.back().kind == RuleToken::Kind::Name ||
                                      m_section.tokens.back().kind == RuleToken::Kind::Close);
    if (function && !(name == "mod" && afterValue)) {
      if (called) return add(RuleToken::Kind::Function, at, end, name);
      return ruleFault(m_text, at, end, fmt::format("{} is a function: write {}(...).", name, name));
    }
    for (const Spelling& spelling : kWords)
      if (name == spelling.written)
        return add(RuleToken::Kind::Operator, at, end, std::string(spelling.symbol));
    for (const RuleNameInfo& info : ruleNames())
      if (name == info.word) return add(RuleToken::Kind::Name, at, end, name);
    const std::string shown = name.size() > 40 ? name.substr(0, 40) + "..." : name;
    if (called)
      return ruleFault(
          m_text, at, end,
          fmt::format("there is no function '{}'; there are {}.", shown, fmt::join(kFunctions, ", ")));
    return ruleFault(m_text, at, end, fmt::format("there is no '{}'; the names are {}.", shown, allNames()));
  }

  Result<std::size_t> operation(std::size_t at) {
    const std::string_view rest = std::string_view(m_text).substr(at, m_section.end - at);
    for (const Spelling& habit : kHabits) {
      const bool doubled =
          rest.size() > habit.written.size() && habit.written.size() == 1 && rest[1] == habit.written[0];
      if (rest.starts_with(habit.written) && !doubled)
        return ruleFault(m_text, at, at + habit.written.size(),
                         fmt::format("found '{}', expected {}.", habit.written, habit.symbol));
    }
    for (const Spelling& spelling : kOperators)
      if (rest.starts_with(spelling.written))
        return add(RuleToken::Kind::Operator, at, at + spelling.written.size(), std::string(spelling.symbol));
    if (rest[0] == '!') return add(RuleToken::Kind::Operator, at, at + 1, "!");
    const std::size_t end = std::min(characterEnd(m_text, at), m_section.end);
    return ruleFault(
        m_text, at, end,
        fmt::format("found {}, which no rule contains; expected a number, a name, a function or an "
                    "operator.",
                    shownCharacter(m_text.substr(at, end - at))));
  }

  std::size_t add(RuleToken::Kind kind, std::size_t begin, std::size_t end, std::string symbol) {
    std::copy(symbol.begin(), symbol.end(), m_section.formula.begin() + static_cast<std::ptrdiff_t>(begin));
    m_section.tokens.push_back({kind, begin, end, std::move(symbol)});
    return end;
  }

  const std::string& m_text;
  RuleSection& m_section;
  std::vector<bool> m_open;  // for every open bracket: whether it is a function's
};

// Takes "name:" off the front of a section.
Status takeLabel(const std::string& text, RuleSection& section) {
  const std::size_t colon = text.find(':', section.begin);
  if (colon >= section.end) return {};
  std::size_t begin = section.begin;
  std::size_t end = colon;
  while (begin < end && isBlank(text[begin])) ++begin;
  while (end > begin && isBlank(text[end - 1])) --end;
  const std::string label = text.substr(begin, end - begin);
  const bool fits = !label.empty() && label.size() <= kLongestLabel && isLetter(label[0]) &&
                    std::all_of(label.begin(), label.end(),
                                [](char c) { return isLetter(c) || isDigit(c) || c == ' ' || c == '-'; });
  if (!fits)
    return ruleFault(
        text, colon, colon + 1,
        fmt::format("what stands before ':' is the rule's label: a letter, then letters, digits, "
                    "blanks or '-', at most {} of them.",
                    kLongestLabel));
  section.label = label;
  section.begin = colon + 1;
  return {};
}

}  // namespace

tl::unexpected<Error> ruleFault(const std::string& text, std::size_t begin, std::size_t end,
                                const std::string& sentence) {
  const auto startsCharacter = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  const auto before =
      std::count_if(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(begin, text.size())),
                    startsCharacter);
  return tl::unexpected<Error>(Error{ErrorKind::Usage,
                                     fmt::format("Rule, character {}: {}", before + 1, sentence),
                                     TextFault{text, begin, std::max(end, begin + 1)}});
}

Result<std::vector<RuleSection>> scanRule(const std::string& text) {
  if (text.size() > kLongestRule)
    return ruleFault(
        text, kLongestRule, text.size(),
        fmt::format("a rule has at most {} characters, this one has {}.", kLongestRule, text.size()));
  std::vector<RuleSection> sections;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    RuleSection section;
    section.begin = begin;
    section.end = end;
    begin = end + 1;
    if (std::all_of(text.begin() + static_cast<std::ptrdiff_t>(section.begin),
                    text.begin() + static_cast<std::ptrdiff_t>(section.end), isBlank))
      continue;
    ATTN_TRY(takeLabel(text, section));
    if (sections.size() == kMostRuleSections)
      return ruleFault(text, section.begin, section.end,
                       fmt::format("there may be at most {} rules; join some with or.", kMostRuleSections));
    ATTN_TRY(Scanner(text, section).scan());
    if (section.tokens.empty())
      return ruleFault(text, section.end, section.end + 1,
                       fmt::format("'{}' has no condition; write for example {}: abs(q - k) <= w.",
                                   section.label, section.label));
    sections.push_back(std::move(section));
  }
  if (sections.empty())
    return ruleFault(text, 0, text.size(), "the rule is empty; write for example abs(q - k) <= w.");
  return sections;
}

}  // namespace attnscope
