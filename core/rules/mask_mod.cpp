// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/rules/mask_mod.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/rules/rule_arithmetic.h"

namespace attnscope {

namespace {

// Python's binding strengths, weakest first. The operators of tensors bind otherwise than the words of a
// rule: & is stronger than <.
enum Strength { kCompares = 1, kOr, kAnd, kSum, kProduct, kPrefix, kAtom };

// A part of the function. Constants are folded: numbers beside tensors keep their dtype in torch.
struct Part {
  enum class Kind { Constant, Whole, Fraction, Truth };
  Kind kind = Kind::Constant;
  double constant = 0.0;
  std::string text;
  Strength strength = kAtom;

  [[nodiscard]] bool isConstant() const { return kind == Kind::Constant; }
  [[nodiscard]] bool isFraction() const {
    return kind == Kind::Fraction || (isConstant() && constant != std::floor(constant));
  }
};

Part constantPart(double value) {
  Part part;
  part.constant = value;
  part.text = value == std::floor(value) ? fmt::format("{}", static_cast<std::int64_t>(value))
                                         : fmt::format("{}", value);
  part.strength = value < 0.0 ? kPrefix : kAtom;
  return part;
}
Part tensorPart(Part::Kind kind, std::string text, Strength strength) {
  return {kind, 0.0, std::move(text), strength};
}

std::string wrapped(const Part& part, Strength least) {
  return part.strength >= least ? part.text : "(" + part.text + ")";
}

// As a number: bool tensors become whole ones.
Part number(const Part& part) {
  if (part.kind != Part::Kind::Truth) return part;
  return tensorPart(Part::Kind::Whole, wrapped(part, kAtom) + ".to(torch.int64)", kAtom);
}

Part wide(const Part& part) {
  if (part.kind != Part::Kind::Whole) return part;
  return tensorPart(Part::Kind::Fraction, wrapped(part, kAtom) + ".to(torch.float64)", kAtom);
}

Part truth(const Part& part) {
  if (part.kind == Part::Kind::Truth) return part;
  if (part.isConstant()) return constantPart(part.constant != 0.0 ? 1.0 : 0.0);
  return tensorPart(Part::Kind::Truth, wrapped(part, kOr) + " != 0", kCompares);
}

double folded(RuleOp op, double a, double b) {
  const std::vector<double> left(kRuleLanes, a);
  const std::vector<double> right(kRuleLanes, b);
  std::vector<double> out(kRuleLanes);
  if (op == RuleOp::Not) return a == 0.0 ? 1.0 : 0.0;
  if (op == RuleOp::And) return a != 0.0 && b != 0.0 ? 1.0 : 0.0;
  if (op == RuleOp::Or) return a != 0.0 || b != 0.0 ? 1.0 : 0.0;
  if (!isCondition(op)) {
    ruleNumbers(op, left.data(), right.data(), out.data());
    return out[0];
  }
  std::vector<std::uint8_t> truths(kRuleLanes);
  ruleComparison(op, left.data(), right.data(), truths.data());
  return truths[0];
}

const char* pythonOperator(RuleOp op) {
  switch (op) {
    case RuleOp::Add:
      return "+";
    case RuleOp::Subtract:
      return "-";
    case RuleOp::Multiply:
      return "*";
    case RuleOp::Divide:
      return "/";
    case RuleOp::FloorDivide:
      return "//";
    case RuleOp::Modulo:
      return "%";
    case RuleOp::Less:
      return "<";
    case RuleOp::LessEqual:
      return "<=";
    case RuleOp::Greater:
      return ">";
    case RuleOp::GreaterEqual:
      return ">=";
    case RuleOp::Equal:
      return "==";
    default:
      return "!=";
  }
}

class Writer {
 public:
  Writer(const MaskRule& rule, const RuleScope& scope) : m_scope(scope) {
    for (const RuleNode& node : rule.nodes) m_parts.push_back(part(node));
  }
  [[nodiscard]] Part root(std::int32_t node) const { return truth(at(node)); }

 private:
  [[nodiscard]] const Part& at(std::int32_t node) const { return m_parts[static_cast<std::size_t>(node)]; }

  [[nodiscard]] Part part(const RuleNode& node) const {
    if (node.op == RuleOp::Number) return constantPart(node.number);
    if (node.op == RuleOp::Name) return name(node.name);
    const Part a = at(node.a);
    const Part b = node.b < 0 ? constantPart(0.0) : at(node.b);
    if (a.isConstant() && b.isConstant()) return constantPart(folded(node.op, a.constant, b.constant));
    if (node.op == RuleOp::And || node.op == RuleOp::Or) return logic(node.op, truth(a), truth(b));
    if (node.op == RuleOp::Not)
      return tensorPart(Part::Kind::Truth, "~" + wrapped(truth(a), kPrefix), kPrefix);
    if (node.op == RuleOp::Equal || node.op == RuleOp::Unequal || isCondition(node.op))
      return comparison(node.op, a, b);
    return arithmetic(node.op, number(a), number(b));
  }

  [[nodiscard]] Part name(RuleName name) const {
    const auto whole = [](std::string text, Strength strength) {
      return tensorPart(Part::Kind::Whole, std::move(text), strength);
    };
    switch (name) {
      case RuleName::Query:
        return whole("q_idx", kAtom);
      case RuleName::Key:
        return whole("kv_idx", kAtom);
      case RuleName::Head:
        return whole("h", kAtom);
      case RuleName::QueryBlock:
        return whole(fmt::format("q_idx // {}", m_scope.block), kProduct);
      case RuleName::KeyBlock:
        return whole(fmt::format("kv_idx // {}", m_scope.block), kProduct);
      case RuleName::QueryColumn:
        return whole(fmt::format("q_idx % {}", m_scope.grid.width), kProduct);
      case RuleName::KeyColumn:
        return whole(fmt::format("kv_idx % {}", m_scope.grid.width), kProduct);
      case RuleName::QueryRow:
        return whole(fmt::format("q_idx // {}", m_scope.grid.width), kProduct);
      case RuleName::KeyRow:
        return whole(fmt::format("kv_idx // {}", m_scope.grid.width), kProduct);
      case RuleName::QuerySegment:
        return whole("segment[q_idx]", kAtom);
      case RuleName::KeySegment:
        return whole("segment[kv_idx]", kAtom);
      default:
        return constantPart(m_scope.constant(name));
    }
  }

  static Part logic(RuleOp op, const Part& a, const Part& b) {
    const bool both = op == RuleOp::And;
    for (const auto& [one, other] : {std::pair(&a, &b), std::pair(&b, &a)})
      if (one->isConstant()) return (one->constant != 0.0) == both ? *other : *one;
    const Strength strength = both ? kAnd : kOr;
    return tensorPart(Part::Kind::Truth, wrapped(a, strength) + (both ? " & " : " | ") + wrapped(b, strength),
                      strength);
  }

  static Part comparison(RuleOp op, Part a, Part b) {
    const bool truths = a.kind == Part::Kind::Truth && b.kind == Part::Kind::Truth;
    if (!truths) {
      a = number(a);
      b = number(b);
      if (a.isFraction() || b.isFraction()) {
        a = wide(a);
        b = wide(b);
      }
    }
    return tensorPart(Part::Kind::Truth,
                      fmt::format("{} {} {}", wrapped(a, kOr), pythonOperator(op), wrapped(b, kOr)),
                      kCompares);
  }

  static Part arithmetic(RuleOp op, Part a, Part b) {
    const bool fraction = op == RuleOp::Divide || a.isFraction() || (b.isFraction() && op != RuleOp::Negate);
    if (op == RuleOp::Floor) {
      if (a.kind == Part::Kind::Whole) return a;
      return tensorPart(Part::Kind::Whole, "torch.floor(" + a.text + ").to(torch.int64)", kAtom);
    }
    if (fraction) {
      a = wide(a);
      b = wide(b);
    }
    const Part::Kind kind = fraction ? Part::Kind::Fraction : Part::Kind::Whole;
    if (op == RuleOp::Negate) return tensorPart(kind, "-" + wrapped(a, kPrefix), kPrefix);
    if (op == RuleOp::Abs) return tensorPart(kind, "torch.abs(" + a.text + ")", kAtom);
    if (op == RuleOp::Min || op == RuleOp::Max) return extreme(op == RuleOp::Min, kind, a, b);
    const Strength strength = op == RuleOp::Add || op == RuleOp::Subtract ? kSum : kProduct;
    const auto next = static_cast<Strength>(strength + 1);  // left to right: the right operand needs brackets
    return tensorPart(
        kind, fmt::format("{} {} {}", wrapped(a, strength), pythonOperator(op), wrapped(b, next)), strength);
  }

  static Part extreme(bool smallest, Part::Kind kind, const Part& a, const Part& b) {
    const Part& tensor = a.isConstant() ? b : a;
    const Part& other = a.isConstant() ? a : b;
    if (other.isConstant())
      return tensorPart(
          kind, fmt::format("torch.clamp({}, {}={})", tensor.text, smallest ? "max" : "min", other.text),
          kAtom);
    return tensorPart(kind, fmt::format("torch.{}({}, {})", smallest ? "minimum" : "maximum", a.text, b.text),
                      kAtom);
  }

  const RuleScope& m_scope;
  std::vector<Part> m_parts;
};

std::string oneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return text;
}

std::string header(const MaskRule& rule, const RuleScope& scope) {
  std::vector<std::string> numbers{fmt::format("n_q = {}", scope.nQ), fmt::format("n_k = {}", scope.nK)};
  for (const RuleName name : {RuleName::Window, RuleName::Stride, RuleName::Globals, RuleName::Block})
    if (rule.uses(name)) numbers.push_back(fmt::format("{} = {}", ruleWord(name), scope.constant(name)));
  std::string text =
      fmt::format("# The rule  {}\n# for {}, as a mask_mod of torch.nn.attention.flex_attention.\n",
                  oneLine(rule.text), fmt::join(numbers, ", "));
  text += "import torch\n\n";
  if (!rule.uses(RuleName::QuerySegment) && !rule.uses(RuleName::KeySegment)) return text + "\n";
  return text +
         fmt::format("# Move it to the device of the queries before use.\nsegment = torch.tensor([{}])\n\n\n",
                     fmt::join(scope.segments, ", "));
}

}  // namespace

std::string maskModPython(const MaskRule& rule, const RuleScope& scope, bool causal) {
  const Writer writer(rule, scope);
  std::vector<std::pair<std::string, std::string>> lines;  // condition, label
  bool always = false;
  for (const MaskRule::Section& section : rule.sections) {
    const Part root = writer.root(section.root);
    if (root.isConstant()) {
      always = always || root.constant != 0.0;
      continue;
    }
    lines.emplace_back(wrapped(root, rule.sections.size() > 1 || causal ? kPrefix : kCompares),
                       section.label);
  }
  // The result has to be a tensor, even where it is the same for all pairs.
  if (always || lines.empty())
    lines = {{always ? "(q_idx >= 0)" : "(q_idx < 0)", always ? "every pair" : "no pair"}};
  std::string body;
  if (lines.size() == 1 && !causal) {
    body = "    return " + lines[0].first + "\n";
  } else {
    body = "    return (\n";
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool first = i == 0;
      const bool last = i + 1 == lines.size();
      const std::string open = first && causal ? "(" : "";
      const std::string close = last && causal ? ")" : "";
      body += fmt::format("        {}{}{}{}  # {}\n", first ? "" : "| ", open, lines[i].first, close,
                          lines[i].second);
    }
    if (causal) {
      const Index shift = scope.nK - scope.nQ;
      body += fmt::format("        & (kv_idx <= q_idx{})  # causal\n", shift == 0 ? std::string()
                                                                       : shift > 0
                                                                           ? fmt::format(" + {}", shift)
                                                                           : fmt::format(" - {}", -shift));
    }
    body += "    )\n";
  }
  return header(rule, scope) + "def mask_mod(b, h, q_idx, kv_idx):\n" + body;
}

}  // namespace attnscope
