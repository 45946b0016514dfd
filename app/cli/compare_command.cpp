// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "app/cli/sweep_options.h"
#include "core/base/csv_field.h"
#include "core/base/units.h"
#include "kernels/backend_registry.h"
#include "kernels/fidelity.h"

namespace attnscope {

namespace {

struct Row {
  std::string spec;
  std::shared_ptr<const Exploration> exploration;
  Fidelity fidelity;
};

std::string massText(double mass) {
  return std::isnan(mass) ? "-" : percentText(mass);
}

// One mechanism against full attention: the same columns in all three outputs.
nlohmann::ordered_json rowJson(const Row& row) {
  const Fidelity& f = row.fidelity;
  const Cost& cost = row.exploration->cost;
  nlohmann::ordered_json json;
  json["spec"] = row.spec;
  json["captured_mass"] =
      std::isnan(f.capturedMass) ? nlohmann::ordered_json() : nlohmann::ordered_json(f.capturedMass);
  json["recall"] = f.recall;
  json["recall_k"] = f.topK;
  json["total_variation"] = f.totalVariation;
  json["output_error"] = f.outputError;
  json["effective_keys"] = f.effectiveKeys;
  json["full_effective_keys"] = f.fullEffectiveKeys;
  json["pairs"] = cost.pairs;
  json["flops"] = cost.flops;
  json["bytes"] = cost.bytesRead;
  json["cell_density"] = cost.cellDensity;
  json["tile_density"] = cost.tileDensity;
  json["seconds"] = row.exploration->runSeconds;
  json["device"] = row.exploration->device;
  return json;
}

void printTable(const std::vector<Row>& rows) {
  fmt::print("{:<36} {:>8} {:>9} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}\n", "MECHANISM", "MASS", "RECALL", "TV",
             "OUT ERR", "KEYS", "PAIRS", "FLOPs", "TIME");
  for (const Row& row : rows) {
    const Fidelity& f = row.fidelity;
    const Cost& cost = row.exploration->cost;
    fmt::print("{:<36} {:>8} {:>9} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}\n", row.spec, massText(f.capturedMass),
               percentText(f.recall), numberText(f.totalVariation), numberText(f.outputError),
               numberText(f.effectiveKeys), compactText(cost.pairs), compactText(cost.flops),
               durationText(row.exploration->runSeconds));
  }
  if (!rows.empty())
    fmt::print(
        "\nagainst full attention on the same Q, K, V; recall of the {} largest weights; mean over heads and "
        "rows; "
        "{}\n",
        rows.front().fidelity.topK, rows.front().exploration->device);
}

void printCsv(const std::vector<Row>& rows) {
  bool head = true;
  for (const Row& row : rows) {
    const auto json = rowJson(row);
    std::vector<std::string> names;
    std::vector<std::string> values;
    for (const auto& [key, value] : json.items()) {
      names.push_back(key);
      const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
      values.push_back(value.is_null() ? std::string() : csvField(text));
    }
    if (std::exchange(head, false)) fmt::print("{}\n", fmt::join(names, ","));
    fmt::print("{}\n", fmt::join(values, ","));
  }
}

class CompareCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("specs", m_specs, "Mechanisms: longformer:window=32 reformer linformer:k=16")->required();
    m_arguments.declare(app);
    app.add_option("--top", m_topK, "Largest weights of a row that recall looks for")
        ->check(CLI::Range(1, 65536))
        ->capture_default_str();
    auto* json = app.add_flag("--json", m_json, "JSON on standard output");
    app.add_flag("--csv", m_csv, "CSV on standard output")->excludes(json);
  }

  Status run(const JobContext& job) override {
    ATTN_TRY(checkDevice(m_arguments.device, false));
    ATTN_ASSIGN(specs, chosenSpecs(m_specs, m_arguments));
    ATTN_TRY(checkMechanisms(specs));
    ATTN_ASSIGN(input, loadChosenInput(m_arguments, job));
    ATTN_ASSIGN(weights, loadWeights(m_arguments.weights));
    ATTN_ASSIGN(backend, findBackend(m_arguments.device));
    ATTN_ASSIGN(options, chosenRunOptions(m_arguments, *backend));
    std::map<std::string, std::shared_ptr<const Exploration>> fulls;  // by mask
    std::vector<Row> rows;
    for (const MechanismSpec& spec : specs) {
      Row row{spec.text(), nullptr, {}};
      ATTN_ASSIGN(exploration, explore(spec, input, *backend, options, weights, job));
      noteFallback(exploration->fellBack);
      row.exploration = std::move(exploration);
      const MechanismSpec fullSpec = fullFor(row.exploration->call);
      auto& full = fulls[fullSpec.text()];
      if (!full) {
        ATTN_ASSIGN(made, explore(fullSpec, input, *backend, options, {}, job));
        full = std::move(made);
      }
      ATTN_ASSIGN(fidelity, compareWithFull(*full, *row.exploration, m_topK, job));
      row.fidelity = fidelity;
      rows.push_back(std::move(row));
    }
    std::vector<const PlannedCall*> calls;
    for (const Row& row : rows) calls.push_back(&row.exploration->call);
    ATTN_TRY(checkWeightNames(m_arguments.weights, weights, calls));
    print(rows);
    return {};
  }

 private:
  void print(const std::vector<Row>& rows) const {
    if (m_json) {
      nlohmann::ordered_json all = nlohmann::ordered_json::array();
      for (const Row& row : rows) all.push_back(rowJson(row));
      fmt::print("{}\n", all.dump(2));
    } else if (m_csv) {
      printCsv(rows);
    } else {
      printTable(rows);
    }
  }

  CallArguments m_arguments;
  std::vector<std::string> m_specs;
  Index m_topK = 8;
  bool m_json = false;
  bool m_csv = false;
};

}  // namespace

std::unique_ptr<Command> makeCompareCommand() {
  return std::make_unique<CompareCommand>();
}

}  // namespace attnscope
