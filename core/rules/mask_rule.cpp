// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/mask_rule.h"

#include <fmt/format.h>
#include <muParserBase.h>

#include <algorithm>
#include <cstdlib>

#include "core/rules/rule_scanner.h"

namespace attnscope {

namespace {

// Precedence as muParser counts it: larger binds more.
enum : unsigned { kOr = 1, kAnd = 2, kNot = 3, kCompare = 4, kSum = 5, kProduct = 6, kPrefix = 7 };

// muParser reads the formula, but what flows through its operators are indices of nodes and not numbers: one
// evaluation leaves the tree, which can be evaluated for many pairs at once, bounded, and written as Python.
class Tracer;
thread_local Tracer* t_tracer = nullptr;

class Tracer {
 public:
  Tracer(const RuleSection& section, MaskRule& rule) : m_section(section), m_rule(rule) { t_tracer = this; }
  ~Tracer() { t_tracer = nullptr; }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // A number or a name at byte `at` of the formula; 0 if there is none, else its length.
  std::size_t leaf(std::size_t at, double& handle) {
    for (const RuleToken& token : m_section.tokens) {
      if (token.begin != at) continue;
      if (token.kind != RuleToken::Kind::Number && token.kind != RuleToken::Kind::Name) return 0;
      RuleNode node;
      node.begin = node.mark = token.begin;
      node.end = node.markEnd = token.end;
      if (token.kind == RuleToken::Kind::Number) {
        node.number = std::strtod(token.symbol.c_str(), nullptr);
        node.whole = node.number == static_cast<double>(static_cast<std::int64_t>(node.number));
      } else {
        node.op = RuleOp::Name;
        for (const RuleNameInfo& info : ruleNames())
          if (token.symbol == info.word) node.name = info.name;
      }
      handle = push(node);
      return token.end - token.begin;
    }
    return 0;
  }

  double unary(RuleOp op, double a) {
    RuleNode node;
    node.op = op;
    node.a = static_cast<std::int32_t>(a);
    node.end = at(node.a).end;
    markBefore(node, at(node.a).begin);
    node.whole = op == RuleOp::Floor || op == RuleOp::Not || at(node.a).whole;
    return push(node);
  }

  double binary(RuleOp op, double a, double b) {
    RuleNode node;
    node.op = op;
    node.a = static_cast<std::int32_t>(a);
    node.b = static_cast<std::int32_t>(b);
    const RuleNode& left = at(node.a);
    const RuleNode& right = at(node.b);
    node.begin = left.begin;
    node.end = right.end;
    markBetween(node, left.end);
    if (node.markEnd == 0) markBefore(node, left.begin);
    node.whole = isCondition(op) || (op != RuleOp::Divide && left.whole && right.whole);
    return push(node);
  }

 private:
  [[nodiscard]] const RuleNode& at(std::int32_t index) const {
    return m_rule.nodes[static_cast<std::size_t>(index)];
  }
  double push(const RuleNode& node) {
    m_rule.nodes.push_back(node);
    return static_cast<double>(m_rule.nodes.size() - 1);
  }

  // The operator between two operands: the first one after the left operand.
  void markBetween(RuleNode& node, std::size_t leftEnd) const {
    for (const RuleToken& token : m_section.tokens) {
      if (token.begin < leftEnd || token.kind == RuleToken::Kind::Close) continue;
      if (token.kind != RuleToken::Kind::Operator) return;
      node.mark = token.begin;
      node.markEnd = token.end;
      return;
    }
  }

  // A prefix or a function: the nearest token before the operand that is no bracket.
  void markBefore(RuleNode& node, std::size_t begin) const {
    for (auto token = m_section.tokens.rbegin(); token != m_section.tokens.rend(); ++token) {
      if (token->begin >= begin || token->kind == RuleToken::Kind::Open) continue;
      node.begin = node.mark = token->begin;
      node.markEnd = token->end;
      return;
    }
  }

  const RuleSection& m_section;
  MaskRule& m_rule;
};

template <RuleOp op>
double traceUnary(double a) {
  return t_tracer->unary(op, a);
}
template <RuleOp op>
double traceBinary(double a, double b) {
  return t_tracer->binary(op, a, b);
}
template <RuleOp op>
double traceAll(const double* values, int count) {
  double result = values[0];
  for (int i = 1; i < count; ++i) result = t_tracer->binary(op, result, values[i]);
  return result;
}
int traceLeaf(const char* formula, int* position, double* handle);

class RuleParser final : public mu::ParserBase {
 public:
  RuleParser() {
    InitCharSets();
    InitFun();
    InitOprt();
    AddValIdent(traceLeaf);
  }
  void InitCharSets() override {
    DefineNameChars("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    DefineOprtChars("+-*/%<>=!&|~");
    DefineInfixOprtChars("-~!");
  }
  void InitConst() override {}
  void InitFun() override {
    DefineFun("abs", traceUnary<RuleOp::Abs>, false);
    DefineFun("floor", traceUnary<RuleOp::Floor>, false);
    DefineFun("min", traceAll<RuleOp::Min>, false);
    DefineFun("max", traceAll<RuleOp::Max>, false);
    DefineFun("mod", traceBinary<RuleOp::Modulo>, false);
  }
  void InitOprt() override {
    EnableOptimizer(false);
    EnableBuiltInOprt(false);
    DefineInfixOprt("-", traceUnary<RuleOp::Negate>, kPrefix, false);
    DefineInfixOprt("!", traceUnary<RuleOp::Not>, kPrefix, false);
    DefineInfixOprt("~", traceUnary<RuleOp::Not>, kNot, false);
    DefineOprt("||", traceBinary<RuleOp::Or>, kOr);
    DefineOprt("&&", traceBinary<RuleOp::And>, kAnd);
    DefineOprt("<", traceBinary<RuleOp::Less>, kCompare);
    DefineOprt("<=", traceBinary<RuleOp::LessEqual>, kCompare);
    DefineOprt(">", traceBinary<RuleOp::Greater>, kCompare);
    DefineOprt(">=", traceBinary<RuleOp::GreaterEqual>, kCompare);
    DefineOprt("==", traceBinary<RuleOp::Equal>, kCompare);
    DefineOprt("!=", traceBinary<RuleOp::Unequal>, kCompare);
    DefineOprt("+", traceBinary<RuleOp::Add>, kSum);
    DefineOprt("-", traceBinary<RuleOp::Subtract>, kSum);
    DefineOprt("*", traceBinary<RuleOp::Multiply>, kProduct);
    DefineOprt("/", traceBinary<RuleOp::Divide>, kProduct);
    DefineOprt("//", traceBinary<RuleOp::FloorDivide>, kProduct);
    DefineOprt("%", traceBinary<RuleOp::Modulo>, kProduct);
  }
};

int traceLeaf(const char*, int* position, double* handle) {
  const std::size_t length = t_tracer->leaf(static_cast<std::size_t>(*position), *handle);
  *position += static_cast<int>(length);
  return length > 0 ? 1 : 0;
}

bool endsValue(const RuleToken& token) {
  return token.kind == RuleToken::Kind::Number || token.kind == RuleToken::Kind::Name ||
         token.kind == RuleToken::Kind::Close;
}

// Where values and operators stop taking turns. muParser's own place is that of the token after a prefix.
auto firstMisfit(const std::vector<RuleToken>& tokens, std::size_t place) {
  bool value = true;  // expected next
  bool prefixed = false;
  for (auto token = tokens.begin(); token != tokens.end(); ++token) {
    using Kind = RuleToken::Kind;
    const bool prefix = token->kind == Kind::Operator &&
                        (token->symbol == "-" || token->symbol == "!" || token->symbol == "~");
    const bool joins = token->kind == Kind::Operator && token->symbol != "!" && token->symbol != "~";
    const bool opens = token->kind == Kind::Open || token->kind == Kind::Function;
    const bool fits =
        value ? opens || token->kind == Kind::Number || token->kind == Kind::Name || (prefix && !prefixed)
              : joins || token->kind == Kind::Comma || token->kind == Kind::Close;
    if (!fits || token->end > place) return token;
    prefixed = value && prefix;
    value = value ? opens || prefix : token->kind != Kind::Close;
  }
  return tokens.end();
}

// The sentence for what muParser stopped at: its place, what stands there, and what could.
tl::unexpected<Error> syntaxFault(const std::string& text, const RuleSection& section,
                                  const mu::ParserError& error) {
  const auto& tokens = section.tokens;
  const std::size_t place = std::min(static_cast<std::size_t>(std::max(error.GetPos(), 0)), text.size());
  if (error.GetCode() == mu::ecTOO_FEW_PARAMS || error.GetCode() == mu::ecTOO_MANY_PARAMS) {
    auto found = std::find_if(tokens.rbegin(), tokens.rend(), [&](const RuleToken& token) {
      return token.begin < place && token.kind == RuleToken::Kind::Function &&
             token.symbol == error.GetToken();
    });
    const RuleToken& token = found == tokens.rend() ? tokens.front() : *found;
    const char* expected = token.symbol == "mod"                              ? "two values, as in mod(k, s)"
                           : token.symbol == "abs" || token.symbol == "floor" ? "one value"
                                                                              : "at least one value";
    return ruleFault(text, token.begin, token.end, fmt::format("{} takes {}.", token.symbol, expected));
  }
  const auto next = firstMisfit(tokens, place);
  const bool afterValue = next != tokens.begin() && endsValue(*std::prev(next));
  if (next == tokens.end()) {
    const bool open = error.GetCode() == mu::ecMISSING_PARENS;
    return ruleFault(text, section.end, section.end + 1,
                     open         ? "the rule ends, but a bracket is still open; expected ')'."
                     : afterValue ? "the rule ends too early."
                                  : "the rule ends here, but a value is still to come: a number, a name, a "
                                    "function or '('.");
  }
  const std::string found = text.substr(next->begin, next->end - next->begin);
  const std::string expected = next->kind == RuleToken::Kind::Close && afterValue
                                   ? "no bracket, as none is open"
                               : afterValue ? "an operator (and, or, <, ==, +, ...) or the end of the rule"
                                            : "a value: a number, a name, a function or '('";
  return ruleFault(text, next->begin, next->end, fmt::format("found '{}', expected {}.", found, expected));
}

// What syntax allows and sense does not: a < b < c, and rounding division of fractions.
Status checkSense(const MaskRule& rule) {
  for (const RuleNode& node : rule.nodes) {
    const bool ordered = node.op >= RuleOp::Less && node.op <= RuleOp::GreaterEqual;
    const bool equal = node.op == RuleOp::Equal || node.op == RuleOp::Unequal;
    if (!ordered && !equal && node.op != RuleOp::FloorDivide && node.op != RuleOp::Modulo) continue;
    const RuleNode& a = rule.nodes[static_cast<std::size_t>(node.a)];
    const RuleNode& b = rule.nodes[static_cast<std::size_t>(node.b)];
    const int conditions = (isCondition(a.op) ? 1 : 0) + (isCondition(b.op) ? 1 : 0);
    if ((ordered && conditions > 0) || (equal && conditions == 1))
      return ruleFault(rule.text, node.mark, node.markEnd,
                       "a comparison is compared again. Join two with and: a < b and b < c.");
    if (ordered || equal || (a.whole && b.whole)) continue;
    const RuleNode& part = a.whole ? b : a;
    return ruleFault(rule.text, part.begin, part.end,
                     "// and % take whole numbers, but this may be a fraction; write floor(...) around it.");
  }
  return {};
}

}  // namespace

const std::array<RuleNameInfo, kRuleNames + 1>& ruleNames() {
  static const std::array<RuleNameInfo, kRuleNames + 1> names{{
      {"q", RuleName::Query, "index of the query, from 0"},
      {"k", RuleName::Key, "index of the key, from 0"},
      {"h", RuleName::Head, "index of the head, from 0"},
      {"n", RuleName::Keys, "number of keys"},
      {"nq", RuleName::Queries, "number of queries"},
      {"nk", RuleName::Keys, "number of keys"},
      {"w", RuleName::Window, "the parameter w"},
      {"s", RuleName::Stride, "the parameter s"},
      {"g", RuleName::Globals, "the parameter g"},
      {"block", RuleName::Block, "the parameter block"},
      {"qb", RuleName::QueryBlock, "block of the query: q // block"},
      {"kb", RuleName::KeyBlock, "block of the key: k // block"},
      {"qx", RuleName::QueryColumn, "column of the query on the grid"},
      {"qy", RuleName::QueryRow, "row of the query on the grid"},
      {"kx", RuleName::KeyColumn, "column of the key on the grid"},
      {"ky", RuleName::KeyRow, "row of the key on the grid"},
      {"qs", RuleName::QuerySegment, "segment (sentence) of the query"},
      {"ks", RuleName::KeySegment, "segment (sentence) of the key"},
  }};
  return names;
}

const char* ruleWord(RuleName name) {
  for (const RuleNameInfo& info : ruleNames())
    if (info.name == name) return info.word;
  return "";
}

bool isCondition(RuleOp op) {
  return op == RuleOp::Not || op >= RuleOp::Less;
}

bool isDivision(RuleOp op) {
  return op == RuleOp::Divide || op == RuleOp::FloorDivide || op == RuleOp::Modulo;
}

bool MaskRule::uses(RuleName name) const {
  return std::any_of(nodes.begin(), nodes.end(),
                     [name](const RuleNode& node) { return node.op == RuleOp::Name && node.name == name; });
}

Result<MaskRule> parseMaskRule(const std::string& text) {
  ATTN_ASSIGN(sections, scanRule(text));
  MaskRule rule;
  rule.text = text;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const RuleSection& section = sections[i];
    MaskRule::Section made;
    made.label = !section.label.empty() ? section.label
                 : sections.size() == 1 ? "rule"
                                        : fmt::format("rule {}", i + 1);
    made.begin = section.begin;
    made.end = section.end;
    try {
      const Tracer tracer(section, rule);
      RuleParser parser;
      parser.SetExpr(section.formula);
      made.root = static_cast<std::int32_t>(parser.Eval());
    } catch (const mu::ParserError& error) {
      return syntaxFault(text, section, error);
    }
    rule.sections.push_back(std::move(made));
  }
  ATTN_TRY(checkSense(rule));
  return rule;
}

}  // namespace attnscope
