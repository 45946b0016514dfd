// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "core/mechanisms/registry.h"

namespace attnscope {

namespace {

using Json = nlohmann::ordered_json;

// Ranges and defaults depend on the shape; the JSON gives them at this one, and says so.
constexpr Shape kExampleShape{4, 4, 1024, 1024, 64, 64};

const char* causalText(CausalSupport support) {
  switch (support) {
    case CausalSupport::Both:
      return "both";
    case CausalSupport::CausalByDefault:
      return "by default";
    case CausalSupport::Never:
      return "never";
    case CausalSupport::Always:
      return "always";
  }
  return "";
}

const char* kindText(ParamKind kind) {
  switch (kind) {
    case ParamKind::Bool:
      return "bool";
    case ParamKind::Int:
      return "int";
    case ParamKind::Real:
      return "real";
    case ParamKind::Choice:
      return "choice";
    case ParamKind::IntList:
      return "int list";
    case ParamKind::Text:
      return "text";
  }
  return "";
}

Json finiteOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

void addRange(Json& json, const ParamSpec& spec) {
  if (spec.kind == ParamKind::Choice) {
    json["choices"] = Json::array();
    for (std::size_t i = 0; i < spec.choices.size(); ++i) {
      json["choices"].push_back(
          {{"id", spec.choices[i]}, {"help", i < spec.choiceHelp.size() ? spec.choiceHelp[i] : ""}});
    }
  } else if (spec.kind != ParamKind::Bool && spec.kind != ParamKind::Text) {
    json["minimum"] = finiteOrNull(spec.minimum);
    json["maximum"] = spec.maximum ? finiteOrNull(spec.maximum(kExampleShape)) : Json(nullptr);
    if (spec.multipleOf != 1) json["multiple_of"] = spec.multipleOf;
  }
}

Json paramJson(const ParamSpec& spec) {
  Json json{{"id", spec.id}, {"symbol", spec.symbol}, {"kind", kindText(spec.kind)}, {"unit", spec.unit}};
  addRange(json, spec);
  json["default"] = spec.defaultText;
  json["default_value"] =
      spec.defaultValue ? Json(paramText(spec.defaultValue(kExampleShape))) : Json(nullptr);
  json["paper_value"] = spec.paperValue ? Json(paramText(*spec.paperValue)) : Json(nullptr);
  json["paper"] = spec.paperText;
  if (!spec.visibleWhenId.empty())
    json["only_when"] = {{"id", spec.visibleWhenId}, {"is", spec.visibleWhenValues}};
  if (!spec.presets.empty()) {
    json["presets"] = Json::array();
    for (const TextPreset& preset : spec.presets)
      json["presets"].push_back({{"name", preset.name}, {"text", preset.text}});
  }
  json["help"] = spec.help;
  return json;
}

Json mechanismJson(const Mechanism& mechanism) {
  const MechanismCard& card = mechanism.card();
  Json json{{"id", card.id},
            {"name", card.name},
            {"family", familyName(card.family)},
            {"paper", card.paper},
            {"authors", card.authors},
            {"year", card.year},
            {"arxiv", card.arxiv},
            {"survey_complexity", card.surveyComplexity},
            {"counted_complexity", card.countedComplexity},
            {"causal", causalText(card.causal)},
            {"decodable", card.decodable},
            {"reads_keys", card.readsKeys},
            {"any_lengths", card.anyLengths},
            {"summary", card.summary},
            {"formula", card.formula},
            {"ours", card.ours},
            {"parameters", Json::array()}};
  for (const ParamSpec& spec : mechanism.params()) json["parameters"].push_back(paramJson(spec));
  return json;
}

void printJson() {
  Json json{{"at", {{"n", kExampleShape.nQ}, {"d", kExampleShape.d}, {"heads", kExampleShape.heads}}},
            {"mechanisms", Json::array()}};
  for (const Mechanism* mechanism : allMechanisms()) json["mechanisms"].push_back(mechanismJson(*mechanism));
  fmt::print("{}\n", json.dump(2));
}

void printTable() {
  fmt::print("{:<18} {:<24} {:<20} {:<5} {:<18} {:<10}  {}\n", "ID", "NAME", "FAMILY", "YEAR", "COMPLEXITY",
             "CAUSAL", "PARAMETERS (DEFAULT)");
  for (const Mechanism* mechanism : allMechanisms()) {
    const MechanismCard& card = mechanism->card();
    std::vector<std::string> params;
    for (const ParamSpec& spec : mechanism->params())
      params.push_back(fmt::format("{} ({})", spec.id, spec.defaultText));
    fmt::print("{:<18} {:<24} {:<20} {:<5} {:<18} {:<10}  {}\n", card.id, card.name, familyName(card.family),
               card.year > 0 ? std::to_string(card.year) : "-", card.surveyComplexity,
               causalText(card.causal), fmt::join(params, ", "));
  }
  fmt::print("\nThe language of custom's rules: attnscope rule\n");
}

class ListCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_flag("--json", m_json, "Everything on the cards and about the parameters, as JSON");
  }

  Status run(const JobContext&) override {
    if (m_json) {
      printJson();
    } else {
      printTable();
    }
    return {};
  }

 private:
  bool m_json = false;
};

}  // namespace

std::unique_ptr<Command> makeListCommand() {
  return std::make_unique<ListCommand>();
}

}  // namespace attnscope
