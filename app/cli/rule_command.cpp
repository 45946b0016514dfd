// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>

#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "core/base/shell_word.h"
#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "core/mechanisms/rule_call.h"

namespace attnscope {

namespace {

void printLanguage() {
  fmt::print(
      "A rule is a condition on a query q and a key k. Several with labels are separated by ';'; the first "
      "that\n"
      "holds is the reason that is shown.\n\n"
      "  attnscope rule 'custom:rule=\"local: abs(q - k) <= w; global: k < g\",w=16,g=2'\n\n"
      "Names\n");
  for (const RuleNameInfo& info : ruleNames()) fmt::print("  {:<7} {}\n", info.word, info.help);
  fmt::print(
      "\nOperators, strongest first\n"
      "  ! -              before a value\n"
      "  * / // %         / is the exact quotient; // rounds down, % (or mod) is what it leaves, with the "
      "sign of\n"
      "                   the divisor\n"
      "  + -\n"
      "  < <= > >= == !=\n"
      "  not\n"
      "  and (&&)\n"
      "  or (||)\n"
      "Functions: abs(a), floor(a), min(a, ...), max(a, ...), mod(a, b). Numbers other than 0 count as "
      "true.\n"
      "Every part is evaluated for every pair, so a divisor of 0 is an error: write max(..., 1).\n\n"
      "Examples\n");
  const auto custom = findMechanism("custom");
  if (!custom) return;
  for (const ParamSpec& spec : (*custom)->params())
    for (const TextPreset& preset : spec.presets) fmt::print("  {:<24} {}\n", preset.name, preset.text);
}

// Pairs of each label, and of all, in one head.
void printReport(const PlannedCall& call, const AttentionInput& input) {
  const Shape shape = input.shape();
  const Plan& plan = call.plan->plan();
  const double all = static_cast<double>(shape.nQ) * static_cast<double>(shape.nK);
  const auto tileSide = [](Index n) { return (n + kTile - 1) / kTile; };
  const Index allTiles = tileSide(shape.nQ) * tileSide(shape.nK);
  for (Index h = 0; h < shape.heads; ++h) {
    if (h > 0 && call.plan->sameSupport(h, h - 1)) continue;
    std::vector<Index> pairs(plan.labels.size());
    RunList runs;
    Index empty = 0;
    for (Index i = 0; i < shape.nQ; ++i) {
      call.plan->support(h)->row(i, runs);
      empty += runs.empty() ? 1 : 0;
      for (const Run& run : runs) pairs[run.label] += run.count();
    }
    fmt::print("head {}{}\n", h,
               h + 1 < shape.heads && call.plan->sameSupport(h, h + 1) ? " and the next" : "");
    fmt::print("  pairs            {} of {} ({})\n", countText(call.plan->pairs(h)),
               countText(shape.nQ * shape.nK), percentText(static_cast<double>(call.plan->pairs(h)) / all));
    fmt::print("  tiles of 64 x 64 {} executed, the square has {} ({})\n",
               countText(call.plan->executedTiles(h)), countText(allTiles),
               percentText(static_cast<double>(call.plan->executedTiles(h)) / static_cast<double>(allTiles)));
    for (std::size_t label = 0; label < pairs.size() && pairs.size() > 1; ++label)
      fmt::print("  {:<16} {}\n", plan.labels[label].name, countText(pairs[label]));
    if (empty > 0) fmt::print("  {} of {} queries read no key\n", countText(empty), countText(shape.nQ));
  }
}

class RuleCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option(
        "spec", m_spec,
        "custom:rule=\"...\" with the numbers that it names (w, s, g, block, grid); without it, the language "
        "is explained");
    app.add_option("--mask-mod", m_maskMod,
                   "Write the rule as a Python function for FlexAttention to this file ('-': print it)");
    m_arguments.declareCall(app);
  }

  Status run(const JobContext& job) override {
    if (m_spec.empty()) {
      if (!m_maskMod.empty()) return fail(ErrorKind::Usage, "--mask-mod needs a rule: custom:rule=\"...\".");
      printLanguage();
      return {};
    }
    ATTN_ASSIGN(spec, chosenSpec(m_spec, m_arguments));
    ATTN_ASSIGN(input, loadChosenInput(m_arguments, job));
    ATTN_ASSIGN(call, planCall(spec, input, {}, job));
    ATTN_ASSIGN(python, maskModOf(call, input));
    if (m_maskMod == "-") {
      fmt::print("{}", python);
      return {};
    }
    if (!m_maskMod.empty()) return write(python);
    fmt::print("{}\n", shellWord(call.spec.text()));
    printReport(call, input);
    return {};
  }

 private:
  Status write(const std::string& python) const {
    std::ofstream file(m_maskMod, std::ios::binary);
    file << python;
    file.close();
    if (file) return {};
    return fail(ErrorKind::Output,
                fmt::format("{} cannot be written; choose another file, or - to print.", m_maskMod));
  }

  CallArguments m_arguments;
  std::string m_spec;
  std::string m_maskMod;
};

}  // namespace

std::unique_ptr<Command> makeRuleCommand() {
  return std::make_unique<RuleCommand>();
}

}  // namespace attnscope
