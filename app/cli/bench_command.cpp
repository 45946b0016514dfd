// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/cli/build_info.h"
#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "app/cli/figure_output.h"
#include "app/cli/sweep_options.h"
#include "app/cli/terminal_job.h"
#include "core/base/units.h"
#include "core/inputs/recipes.h"
#include "kernels/backend_registry.h"
#include "kernels/bench/sweep_file.h"

namespace attnscope {

namespace {

class BenchCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("specs", m_specs, "Mechanisms: full linear longformer:window=64")->required();
    app.add_option("--lengths", m_lengths, "256..65536 (doubling) or 256+512+1000")->capture_default_str();
    app.add_option("--recipe", m_request.recipe, "Input: a recipe, whose length is set")
        ->capture_default_str();
    app.add_option("--d", m_request.d, "Width of a head")->check(CLI::Range(1, 4096))->capture_default_str();
    app.add_option("--heads", m_request.heads, "Number of heads")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_flag("--causal", m_request.causal, "Queries read no later keys");
    app.add_option("--seconds", m_request.secondsPerPoint, "Time spent on a point")->capture_default_str();
    app.add_option("--device", m_request.device, "auto, cpu or cuda")->capture_default_str();
    app.add_option("--precision", m_precision, "fp32, tf32 or bf16, where the device has it")
        ->capture_default_str();
    app.add_option("--threads", m_request.threads, "Threads of the CPU (default: all cores)")
        ->check(CLI::Range(0, 4096));
    app.add_option("--json", m_json, "File for the points and fitted exponents ('-': standard output)");
    app.add_option("--csv", m_csv, "File for the points ('-': standard output)");
    app.add_option("--resume", m_resume,
                   "File of an earlier --json: takes its points over and measures only what is missing");
    app.add_option("--figure", m_figurePath, "File for the curves: .png, .svg or .pdf");
    app.add_option("--overlay", m_overlay, "File of another --json, laid under the curves of the figure");
    app.add_option("--theory", m_theory,
                   "Drawn beside, scaled to each curve's end: none, pairs, flops or bytes")
        ->check(CLI::IsMember({"none", "pairs", "flops", "bytes"}))
        ->capture_default_str();
    m_figure.declarePage(app);
  }

  Status run(const JobContext& job) override {
    ATTN_TRY(prepare());
    ATTN_ASSIGN(backend, findBackend(m_request.device));
    ATTN_TRY(requirePrecision(backend->info(), m_request.precision));
    const std::string device = backend->info().name;
    if (tableShown()) printHead(device);
    std::fflush(stdout);
    if (!m_resume.empty()) {
      ATTN_ASSIGN(earlier, readSweep(m_resume));
      ATTN_ASSIGN(known, knownPoints(earlier, m_request, device));
      m_request.known = std::move(known);
    }
    ATTN_ASSIGN(points, runSweep(
                            m_request, [this](const SweepPoint& point) { show(point); }, job));
    if (tableShown()) fmt::print("\n{}", sweepExponents(m_request, points));
    // What was measured before an interruption is worth keeping.
    const SweepRun finished{m_request, points, device, "attnscope " + std::string(buildInfo().version)};
    if (!m_json.empty()) ATTN_TRY(writeText(m_json, sweepJson(finished)));
    if (!m_csv.empty()) ATTN_TRY(writeText(m_csv, sweepCsv(finished)));
    if (job.isCancelled()) return cancelled();
    return m_figurePath.empty() ? Status{} : draw(points, device, job);
  }

 private:
  Status prepare() {
    ATTN_TRY(checkDevice(m_request.device, false));
    ATTN_ASSIGN(precision, parsePrecision(m_precision));
    m_request.precision = precision;
    if (!(m_request.secondsPerPoint > 0.0) || m_request.secondsPerPoint > 1e6)
      return fail(ErrorKind::Usage, fmt::format("--seconds is {}, but must be above 0 (up to 1,000,000).",
                                                m_request.secondsPerPoint));
    if (m_json == "-" && m_csv == "-")
      return fail(ErrorKind::Usage, "--json - and --csv - both take standard output; name a file for one.");
    if (findRecipe(m_request.recipe.substr(0, m_request.recipe.find(':'))) == nullptr) {
      std::vector<std::string> known;
      for (const Recipe& recipe : recipes()) known.emplace_back(recipe.id);
      return fail(ErrorKind::Usage, fmt::format("--recipe {}: there is no such recipe; they are {}.",
                                                m_request.recipe, fmt::join(known, ", ")));
    }
    if (!m_figurePath.empty()) ATTN_TRY(checkFigurePath(m_figurePath));
    ATTN_ASSIGN(lengths, parseLengths(m_lengths));
    m_request.lengths = std::move(lengths);
    for (const std::string& text : m_specs) {
      ATTN_ASSIGN(spec, parseMechanismSpec(text));
      m_request.specs.push_back(std::move(spec));
    }
    return checkMechanisms(m_request.specs);
  }

  // A machine reads standard output then.
  [[nodiscard]] bool tableShown() const { return m_json != "-" && m_csv != "-"; }

  void printHead(const std::string& device) const {
    fmt::print("{}, {}, {} head{}, d = {}, input {}\n", device, precisionName(m_request.precision),
               m_request.heads, m_request.heads == 1 ? "" : "s", m_request.d, m_request.recipe);
    fmt::print("{:>10}  {:<28} {:>10} {:>23} {:>10} {:>10} {:>9} {:>7} {:>7} {:>8} {:>10}\n", "N",
               "MECHANISM", "MEDIAN", "QUARTILES", "TRANSFER", "PLAN", "PAIRS", "CELLS", "TILES", "CEILING",
               "MEMORY");
  }

  void show(const SweepPoint& point) const {
    if (!tableShown()) return;
    clearProgress();
    const std::string spec = m_request.specs[point.spec].text();
    if (!point.skipped.empty()) {
      fmt::print("{:>10}  {:<28} not measured: {}\n", countText(point.n), spec, point.skipped);
    } else {
      fmt::print(
          "{:>10}  {:<28} {:>10} {:>23} {:>10} {:>10} {:>9} {:>7} {:>7} {:>8} {:>10}\n", countText(point.n),
          spec, durationText(point.median), durationText(point.low) + " .. " + durationText(point.high),
          point.transferSeconds > 0.0 ? durationText(point.transferSeconds) : "-",
          durationText(point.planSeconds), compactText(point.pairs), percentText(point.cellDensity),
          percentText(point.tileDensity), percentText(ceilingShare(point)), bytesText(point.peakBytes));
    }
    std::fflush(stdout);
  }

  Status draw(const std::vector<SweepPoint>& points, const std::string& device, const JobContext& job) const {
    ATTN_ASSIGN(figure, m_figure.makeSpec());
    figure.sweep = points;
    figure.theory = m_theory;
    if (!m_overlay.empty()) {
      ATTN_ASSIGN(under, readSweep(m_overlay));
      ATTN_ASSIGN(matched, overlayPoints(under, m_request.specs));
      figure.overlay = std::move(matched);
    }
    for (const MechanismSpec& spec : m_request.specs) {
      ATTN_ASSIGN(title, mechanismTitle(spec));
      figure.columns.push_back({QString::fromStdString(title), nullptr, {}, nullptr});
    }
    figure.provenance = QString::fromStdString(fmt::format("attnscope {}: bench of {}, recipe {}, device {}",
                                                           buildInfo().version, fmt::join(m_specs, " "),
                                                           m_request.recipe, device));
    return drawFigure(figure, m_figurePath, job);
  }

  SweepRequest m_request;
  FigureArguments m_figure;
  std::vector<std::string> m_specs;
  std::string m_lengths = "256..65536";
  std::string m_json;
  std::string m_csv;
  std::string m_figurePath;
  std::string m_resume;
  std::string m_overlay;
  std::string m_precision = "fp32";
  std::string m_theory = "none";
};

}  // namespace

std::unique_ptr<Command> makeBenchCommand() {
  return std::make_unique<BenchCommand>();
}

}  // namespace attnscope
