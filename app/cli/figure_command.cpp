// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "app/cli/build_info.h"
#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "app/cli/figure_output.h"
#include "app/cli/sweep_options.h"
#include "kernels/backend_registry.h"
#include "kernels/fidelity.h"
#include "ui/state/session.h"

namespace attnscope {

namespace {

// Rows of the figure from "map+pattern"; empty for "scaling", which is a figure of its own.
Result<std::vector<PanelKind>> parseViews(const std::string& text) {
  static const std::vector<std::string> names{"pattern", "map", "insides", "reach", "difference", "scaling"};
  std::vector<PanelKind> rows;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('+', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string near = nearestWord(name, names);
      return fail(
          ErrorKind::Usage,
          fmt::format("'{}' is no view; the first argument is one of {}, or several joined by '+'{}.", name,
                      fmt::join(names, ", "), near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
    }
    if (name == "scaling" && text != "scaling") {
      return fail(ErrorKind::Usage, fmt::format("{}: scaling curves are a figure of their own.", text));
    }
    if (name != "scaling") rows.push_back(static_cast<PanelKind>(found - names.begin()));
    begin = end + 1;
  }
  return rows;
}
static_assert(static_cast<int>(PanelKind::Pattern) == 0 && static_cast<int>(PanelKind::Map) == 1 &&
              static_cast<int>(PanelKind::Insides) == 2 && static_cast<int>(PanelKind::Reach) == 3 &&
              static_cast<int>(PanelKind::Difference) == 4);

class FigureCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("view", m_view,
                   "pattern, map, difference, insides, reach (joined by '+' for several rows), or scaling")
        ->required();
    app.add_option("specs", m_specs, "Mechanisms, a column each: full longformer:window=32")->required();
    app.add_option("-o,--output", m_output, "File to write: .png, .svg or .pdf")->required();
    m_arguments.declare(app);
    app.add_option("--head", m_head, "Head that is drawn, among the chosen ones")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--lengths", m_lengths, "Lengths of scaling curves")->capture_default_str();
    app.add_option("--layers", m_layers, "Layers of the view of reach (all heads of a layer together)")
        ->capture_default_str();
    app.add_option("--baseline", m_baseline,
                   "Mechanism that differences are taken from (default: full attention with the same mask)");
    app.add_option(
        "--sort-by", m_sortBy,
        "Order of the tokens: that of a column's step, by the column's number from 1: 3, or 3.2 for the "
        "second of its orders");
    app.add_option("--own-scale", m_ownScale,
                   "Columns whose maps and differences are coloured by their own weights, by their numbers "
                   "from 1: 2+4");
    app.add_option("--insides", m_insides,
                   "Of each mechanism's insides: all pictures, or the first, as on the window's wall")
        ->check(CLI::IsMember({"all", "first"}))
        ->capture_default_str();
    m_figure.declarePage(app);
    m_figure.declareMaps(app);
  }

  Status run(const JobContext& job) override {
    ATTN_TRY(checkFigurePath(m_output));
    ATTN_TRY(checkDevice(m_arguments.device, false));
    ATTN_ASSIGN(rows, parseViews(m_view));
    ATTN_ASSIGN(specs, chosenSpecs(m_specs, m_arguments));
    ATTN_TRY(checkMechanisms(specs));
    ATTN_ASSIGN(figure, m_figure.makeSpec());
    figure.rows = rows;
    ATTN_TRY(rows.empty() ? measure(figure, specs, job) : compute(figure, specs, job));
    ATTN_TRY(drawFigure(figure, m_output, job));
    for (const FigureColumn& column : figure.columns)
      if (column.exploration && column.exploration->matrix)
        noteFallback(column.exploration->matrix->fellBack());
    return {};
  }

 private:
  Status compute(FigureSpec& figure, const std::vector<MechanismSpec>& specs, const JobContext& job) {
    ATTN_ASSIGN(input, outlineChosenInput(m_arguments, job));
    if (m_head >= input.shape().heads) {
      return fail(ErrorKind::Usage, fmt::format("--head {}: there are {} heads; take 0 to {}.", m_head,
                                                input.shape().heads, input.shape().heads - 1));
    }
    ATTN_ASSIGN(weights, loadWeights(m_arguments.weights));
    ATTN_ASSIGN(backend, findBackend(m_arguments.device));
    figure.head = m_head;
    // A pattern, and what it reaches, need no pass.
    const bool patternOnly = std::all_of(figure.rows.begin(), figure.rows.end(), [](PanelKind row) {
      return row == PanelKind::Pattern || row == PanelKind::Reach;
    });
    if (!patternOnly) {  // once for all columns
      ATTN_ASSIGN(made, withValues(input, job));
      input = std::move(made);
    }
    for (const MechanismSpec& spec : specs) {
      ATTN_ASSIGN(column, makeColumn(figure, spec, input, *backend, weights, patternOnly, job));
      figure.columns.push_back(std::move(column));
    }
    const std::string& device = figure.columns.front().exploration->device;
    figure.provenance = provenance(input.source, device.empty() ? "none (no pass)" : device);
    if (!m_sortBy.empty()) ATTN_TRY(sort(figure));
    if (!m_ownScale.empty()) ATTN_TRY(unlinkScales(figure));
    ATTN_TRY(checkHidden(figure));
    std::vector<const PlannedCall*> calls;
    for (const FigureColumn& column : figure.columns) calls.push_back(&column.exploration->call);
    ATTN_TRY(checkWeightNames(m_arguments.weights, weights, calls));
    return carrySession(figure, specs, job);
  }

  // A reason that no column has would be hidden without a trace.
  static Status checkHidden(const FigureSpec& figure) {
    std::vector<std::string> known;
    for (const FigureColumn& column : figure.columns)
      for (const Label& label : column.exploration->call.plan->plan().labels) known.push_back(label.name);
    for (const QString& hidden : figure.style.hidden)
      if (std::find(known.begin(), known.end(), hidden.toStdString()) == known.end())
        return fail(ErrorKind::Usage, fmt::format("--hide {}: no column has this reason; they have {}.",
                                                  hidden.toStdString(), fmt::join(known, ", ")));
    return {};
  }

  // The wall that shows what the figure shows. The window computes with drawn tensors and compares with full
  // attention or a column, so that figures of other things carry none.
  Status carrySession(FigureSpec& figure, const std::vector<MechanismSpec>& specs,
                      const JobContext& job) const {
    if (!m_arguments.weights.empty() || specs.size() > std::size_t{kMaxColumns}) return {};
    Session session;
    DocumentState& state = session.state;
    ATTN_ASSIGN(layer, chosenLayer(m_arguments, job));
    state.source = QString::fromStdString(resolvedSource(m_arguments.source));
    state.layer = layer;
    state.head = m_head;
    if (!m_arguments.heads.empty()) {
      ATTN_ASSIGN(heads, parseIndexList(m_arguments.heads, "--heads"));
      state.head = heads[static_cast<std::size_t>(m_head)];
    }
    state.columns = specs;
    state.views.resize(specs.size());
    state.rows = {false, false, false, false, false};
    for (const PanelKind row : figure.rows) state.rows.of(row) = true;
    state.reachLayers = m_layers;
    state.style = figure.style;
    if (!m_baseline.empty()) {
      ATTN_ASSIGN(given, chosenSpecs({m_baseline}, m_arguments));
      const auto column = std::find(specs.begin(), specs.end(), given.front());
      if (column == specs.end()) return {};
      state.views[static_cast<std::size_t>(column - specs.begin())].baseline = true;
    }
    if (m_sortedColumn > 0) state.views[m_sortedColumn - 1].sortBy = static_cast<int>(m_sortedOrder) - 1;
    for (std::size_t i = 0; i < specs.size(); ++i) state.views[i].ownScale = figure.columns[i].ownScale;
    figure.session = sessionText(session);
    return {};
  }

  Status unlinkScales(FigureSpec& figure) const {
    if (std::none_of(figure.rows.begin(), figure.rows.end(), showsWeights))
      return fail(ErrorKind::Usage, "--own-scale: the figure has neither maps nor differences to colour.");
    ATTN_ASSIGN(numbers, parseIndexList(m_ownScale, "--own-scale"));
    for (const Index number : numbers) {
      if (number < 1 || number > std::ssize(figure.columns))
        return fail(ErrorKind::Usage, fmt::format("--own-scale {}: columns have the numbers 1 to {}.",
                                                  m_ownScale, figure.columns.size()));
      figure.columns[static_cast<std::size_t>(number - 1)].ownScale = true;
    }
    return {};
  }

  Status sort(FigureSpec& figure) {
    unsigned& column = m_sortedColumn;
    unsigned& which = m_sortedOrder;
    int used = 0;
    bool read = std::sscanf(m_sortBy.c_str(), "%u.%u%n", &column, &which, &used) == 2;
    if (!read) {
      which = 1;
      read = std::sscanf(m_sortBy.c_str(), "%u%n", &column, &used) == 1;
    }
    if (!read || used != static_cast<int>(m_sortBy.size()) || column < 1 || column > figure.columns.size() ||
        which < 1)
      return fail(ErrorKind::Usage,
                  fmt::format("--sort-by {}: write the number of a column from 1 to {}, or 2.3 for the third "
                              "order of column 2.",
                              m_sortBy, figure.columns.size()));
    const Exploration& from = *figure.columns[column - 1].exploration;
    if (!isSortable(from.input.shape()))
      return fail(ErrorKind::Usage,
                  "--sort-by: tokens are sorted up to a length of 4,096; take a shorter input.");
    std::vector<TokenOrder> orders = tokenOrders(from.call.plan->plan(), m_head);
    if (which > orders.size())
      return fail(ErrorKind::Usage, fmt::format("--sort-by {}: column {}, {}, has {} orders of its own.",
                                                m_sortBy, column, from.call.spec.text(), orders.size()));
    figure.order = std::make_shared<const TokenOrder>(std::move(orders[which - 1]));
    return {};
  }

  Result<FigureColumn> makeColumn(const FigureSpec& figure, const MechanismSpec& spec,
                                  const AttentionInput& input, const Backend& backend,
                                  const WeightSet& weights, bool patternOnly, const JobContext& job) const {
    ATTN_ASSIGN(options, chosenRunOptions(m_arguments, backend));
    FigureColumn column;
    ATTN_ASSIGN(title, mechanismTitle(spec));
    column.title = QString::fromStdString(title);
    ATTN_ASSIGN(exploration, patternOnly ? explorePattern(spec, input, weights, job)
                                         : explore(spec, input, backend, options, weights, job));
    noteFallback(exploration->fellBack);
    column.exploration = std::move(exploration);
    if (std::find(figure.rows.begin(), figure.rows.end(), PanelKind::Insides) != figure.rows.end()) {
      ATTN_ASSIGN(insides, column.exploration->insides(m_head, job));
      if (m_insides == "first" && insides.size() > 1) insides.resize(1);
      column.insides = std::move(insides);
    }
    if (std::find(figure.rows.begin(), figure.rows.end(), PanelKind::Reach) != figure.rows.end()) {
      ATTN_ASSIGN(reach, reachOverLayers(*column.exploration->call.plan, m_layers, std::nullopt, job));
      column.reach = std::move(reach);
    }
    if (std::find(figure.rows.begin(), figure.rows.end(), PanelKind::Difference) != figure.rows.end()) {
      ATTN_ASSIGN(baseline, makeBaseline(*column.exploration, backend, options, weights, job));
      column.baseline = std::move(baseline);
    }
    return column;
  }

  // Null where the column is the baseline itself.
  Result<std::shared_ptr<const Exploration>> makeBaseline(const Exploration& column, const Backend& backend,
                                                          const RunOptions& options, const WeightSet& weights,
                                                          const JobContext& job) const {
    MechanismSpec spec = fullFor(column.call);
    if (!m_baseline.empty()) {
      ATTN_ASSIGN(given, chosenSpecs({m_baseline}, m_arguments));
      if (given.size() != 1) return fail(ErrorKind::Usage, "--baseline takes one mechanism.");
      spec = given.front();
    }
    if (spec.text() == column.call.spec.text() || (m_baseline.empty() && spec.id == column.call.spec.id))
      return nullptr;
    return explore(spec, column.input, backend, options, weights, job);
  }

  Status measure(FigureSpec& figure, const std::vector<MechanismSpec>& specs, const JobContext& job) const {
    SweepRequest request;
    request.specs = specs;
    ATTN_ASSIGN(lengths, parseLengths(m_lengths));
    request.lengths = std::move(lengths);
    request.device = m_arguments.device;
    request.threads = m_arguments.threads;
    ATTN_ASSIGN(precision, parsePrecision(m_arguments.precision));
    request.precision = precision;
    request.causal = m_arguments.causal;
    ATTN_ASSIGN(points, runSweep(
                            request, [](const SweepPoint&) {}, job));
    if (job.isCancelled()) return cancelled();
    figure.sweep = std::move(points);
    for (const MechanismSpec& spec : specs) {
      ATTN_ASSIGN(title, mechanismTitle(spec));
      figure.columns.push_back({QString::fromStdString(title), nullptr, {}, nullptr});
    }
    figure.provenance = provenance(request.recipe, request.device);
    return {};
  }

  QString provenance(const std::string& source, const std::string& device) const {
    return QString::fromStdString(fmt::format("attnscope {}: {} of {}, input {}, head {}, seed {}, device {}",
                                              buildInfo().version, m_view, fmt::join(m_specs, " "), source,
                                              m_head, m_arguments.seed.value_or(0), device));
  }

  CallArguments m_arguments;
  FigureArguments m_figure;
  std::string m_view;
  std::vector<std::string> m_specs;
  std::string m_output;
  std::string m_baseline;
  std::string m_ownScale;
  std::string m_insides = "all";
  std::string m_sortBy;
  unsigned m_sortedColumn = 0;  // what m_sortBy says, from 1; 0: nothing
  unsigned m_sortedOrder = 1;
  std::string m_lengths = "256..8192";
  Index m_head = 0;
  Index m_layers = 4;
};

}  // namespace

std::unique_ptr<Command> makeFigureCommand() {
  return std::make_unique<FigureCommand>();
}

}  // namespace attnscope
