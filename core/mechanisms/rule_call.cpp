// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/rule_call.h"

#include <algorithm>

#include "core/params/sides_param.h"
#include "core/rules/mask_mod.h"

namespace attnscope {

namespace {

constexpr const char* kDefaultRule = "local: abs(q - k) <= w; global: q < g or k < g";

ParamSpec ruleParam() {
  ParamSpec spec;
  spec.id = "rule";
  spec.kind = ParamKind::Text;
  spec.help =
      "Which pairs are in: a condition on the query q, the key k and the head h, or several with labels, "
      "separated by ';'; the first that holds gives the reason. Further names: n, nq, nk; w, s, g and block "
      "(below); "
      "blocks qb, kb; on a grid qx, qy, kx, ky; sentences qs, ks. Operators: and, or, not, < <= > >= == !=, "
      "+ - * / // %, abs, floor, min, max, mod.";
  spec.isLong = true;
  spec.defaultValue = [](const Shape&) { return ParamValue{std::string(kDefaultRule)}; };
  spec.defaultText = kDefaultRule;
  spec.canonical = [](const std::string& text, const Shape&) -> Result<std::string> {
    ATTN_TRY(parseMaskRule(text));
    return text;
  };
  spec.presets = {
      {"Window and global tokens", kDefaultRule},
      {"Causal window", "k <= q and q - k < w"},
      {"Sinks and window", "sink: k < g and k <= q; local: k <= q and q - k < w"},
      {"Strided", "local: k <= q and q - k < s; strided: k <= q and (q - k) % s == 0"},
      {"Dilated window", "(q - k) % s == 0 and abs(q - k) <= w * s"},
      {"Blocks on the diagonal", "qb == kb"},
      {"Own and previous block", "own: qb == kb; previous: kb == qb - 1"},
      {"Neighbours on a grid", "max(abs(qx - kx), abs(qy - ky)) <= 2"},
      {"Disc on a grid", "(qx - kx) * (qx - kx) + (qy - ky) * (qy - ky) <= 9"},
      {"Own row and column", "row: qy == ky; column: qx == kx"},
      {"Same sentence", "qs == ks"},
      {"A window for each head", "abs(q - k) <= w * (h + 1)"},
  };
  spec.examples = [](const Shape&) {
    return std::vector<std::string>{
        "k <= q && q - k < w || k % s == 0",
        "qb == kb or not (kb % 2 == 0 or q + k < n)",
        "row: qy == ky; column: qx == kx and not qx == 0; h + 1 > k // block",
        "max(abs(qx - kx), abs(qy - ky)) < 2 and !(q == k)",
        "(q - k) mod s == 0; near: abs(q - k) / 2 <= 1.25; far: min(q, k, nq - 1) * 3 > n",
        "mod(-k, block) - floor(q / 3) >= -w",
        "0",
        "1 < 2",
    };
  };
  return spec;
}

// Shown while the rule speaks of one of these; while it cannot be read, too.
std::function<bool(const std::map<std::string, std::string>&)> whenNamed(std::vector<RuleName> names) {
  return [names = std::move(names)](const std::map<std::string, std::string>& texts) {
    const auto text = texts.find("rule");
    const auto rule = parseMaskRule(text == texts.end() ? kDefaultRule : text->second);
    return !rule || std::any_of(names.begin(), names.end(), [&](RuleName name) { return rule->uses(name); });
  };
}

ParamSpec numberParam(const std::string& id, const std::string& help, double minimum,
                      std::function<Index(const Shape&)> defaultValue, const std::string& defaultText,
                      std::vector<RuleName> names) {
  ParamSpec spec = intParam(
      id, id, help, minimum, [](const Shape& shape) { return static_cast<double>(shape.nK); },
      std::move(defaultValue), defaultText);
  spec.unit = "tokens";
  spec.visibleWhen = whenNamed(std::move(names));
  return spec;
}

}  // namespace

std::vector<ParamSpec> ruleParams() {
  std::vector<ParamSpec> params{ruleParam()};
  params.push_back(numberParam("w", "A number that the rule may use: the width of a window, say.", 0,
                               [](const Shape& shape) { return std::min<Index>(32, shape.nK / 8); },
                               "min(32, floor(n/8))", {RuleName::Window}));
  params.push_back(numberParam("s", "A number that the rule may use: a stride, say.", 1,
                               [](const Shape& shape) { return ceilSqrt(shape.nK); }, "ceil(sqrt n)",
                               {RuleName::Stride}));
  params.push_back(numberParam("g", "A number that the rule may use: how many tokens are global, say.", 0,
                               [](const Shape&) { return Index{1}; }, "1", {RuleName::Globals}));
  params.push_back(numberParam("block", "Length of the blocks that qb and kb count.", 1,
                               [](const Shape& shape) { return ceilSqrt(shape.nK); }, "ceil(sqrt n)",
                               {RuleName::Block, RuleName::QueryBlock, RuleName::KeyBlock}));
  params.push_back(gridParam("The tokens as a picture, for qx, qy, kx and ky."));
  params.back().visibleWhen =
      whenNamed({RuleName::QueryColumn, RuleName::QueryRow, RuleName::KeyColumn, RuleName::KeyRow});
  return params;
}

RuleScope ruleScope(const ParamValues& params, const AttentionInput& input, Index head) {
  const Shape shape = input.shape();
  RuleScope scope;
  scope.nQ = shape.nQ;
  scope.nK = shape.nK;
  scope.head = head;
  scope.window = params.integer("w");
  scope.stride = params.integer("s");
  scope.globals = params.integer("g");
  scope.block = params.integer("block");
  const auto asked = parseSides(params.text("grid"));
  scope.grid = asked ? *asked : input.grid.value_or(squarestGrid(shape.nK));
  scope.segments = input.segments;
  return scope;
}

Result<std::string> maskModOf(const PlannedCall& call, const AttentionInput& input) {
  const auto it = call.params.all().find("rule");
  if (it == call.params.all().end())
    return fail(ErrorKind::Usage,
                call.mechanism->card().id +
                    " is not written as a rule; only custom can be turned into a mask_mod. The "
                    "presets of its rule have several patterns of papers.");
  ATTN_ASSIGN(rule, parseMaskRule(call.params.text("rule")));
  return maskModPython(rule, ruleScope(call.params, input, 0), call.options.causal);
}

}  // namespace attnscope
