// SPDX-License-Identifier: GPL-3.0-or-later
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "app/cli/call_options.h"
#include "app/cli/command.h"
#include "app/cli/compute_arrays.h"
#include "core/analysis/cost.h"
#include "core/base/units.h"
#include "core/io/array_file.h"
#include "kernels/backend_registry.h"
#include "kernels/effective.h"

namespace attnscope {

namespace {

// Larger matrices than this are written only where one was asked for.
constexpr double kMostUnaskedBytes = 1 << 30;

double secondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// What both kinds of device leave behind.
struct Computed {
  RunResult run;
  ArrayList extras;  // matrix and pattern
};

void printSummary(const PlannedCall& call, const AttentionInput& input, const RunResult& run,
                  double planSeconds) {
  const Shape shape = input.shape();
  const Cost cost = planCost(*call.plan);
  const Plan& plan = call.plan->plan();
  fmt::print("{} ({})\n", call.mechanism->card().name, call.spec.text());
  fmt::print("input      {}: {} head{}, {} quer{}, {} key{}, d = {}, d_v = {}{}\n", input.title, shape.heads,
             shape.heads == 1 ? "" : "s", countText(shape.nQ), shape.nQ == 1 ? "y" : "ies",
             countText(shape.nK), shape.nK == 1 ? "" : "s", shape.d, shape.dV, plan.causal ? ", causal" : "");
  fmt::print("device     {}\n", run.device);
  fmt::print("time       {}, planning {}\n", durationText(run.seconds), durationText(planSeconds));
  fmt::print("pairs      {} compared in all heads, {} FLOPs\n",
             countText(static_cast<std::int64_t>(cost.pairs)), compactText(cost.flops));
  fmt::print("density    {} of the cells; tiles executed: {} of the square's\n",
             percentText(cost.cellDensity), percentText(cost.tileDensity));
  if (plan.slotCount > 0) fmt::print("slots      {}\n", countText(plan.slotCount));
  for (const ParamTensor& param : plan.params) fmt::print("tensor     {} ({})\n", param.name, param.origin);
  if (!plan.exact) fmt::print("matrix     no matrix on the tokens gives exactly this output\n");
  if (!plan.note.empty()) fmt::print("note       {}\n", plan.note);
}

class ComputeCommand final : public Command {
 public:
  void declare(CLI::App& app) override {
    app.add_option("spec", m_spec, "Mechanism, with parameters if wanted: reformer:rounds=4,chunk=32")
        ->required();
    m_arguments.declare(app);
    m_app = &app;
    app.get_option("--device")
        ->description("auto, cpu, cuda, or reference: dense, in double, without the plan");
    app.add_option("-o,--output", m_output, "File (.npz) for the arrays out, lse and param/<name>");
    app.add_flag("--pattern", m_pattern,
                 "Also pattern/<head>/indptr, indices, labels: which keys are read (columns after the tokens "
                 "are slots); "
                 "pattern/label_names is UTF-8 text as bytes, one name a line");
    app.add_flag("--matrix", m_matrix,
                 "Also matrix (heads, queries, keys): the effective attention, as executed");
    app.add_flag(
        "--trace", m_trace,
        "Also trace/<name>: buckets, orders, features, what slots are made of; trace/matrix_ext: the "
        "attention on [tokens | slots], with rows of notes below");
  }

  Status run(const JobContext& job) override {
    ATTN_TRY(checkUsage());
    ATTN_ASSIGN(spec, chosenSpec(m_spec, m_arguments));
    ATTN_ASSIGN(weights, loadWeights(m_arguments.weights));
    ATTN_ASSIGN(input, loadChosenInput(m_arguments, job));
    const auto start = std::chrono::steady_clock::now();
    ATTN_ASSIGN(call, planCall(spec, input, weights, job));
    const double planSeconds = secondsSince(start);
    ATTN_TRY(checkWeightNames(m_arguments.weights, weights, {&call}));
    ATTN_TRY(requireRoom(call));
    ATTN_ASSIGN(computed, m_arguments.device == "reference" ? runReference(call, input, job)
                                                            : runDevice(call, input, job));
    if (m_output.empty()) {
      printSummary(call, input, computed.run, planSeconds);
      return {};
    }
    return write(call, computed);
  }

 private:
  Status checkUsage() const {
    ATTN_TRY(checkDevice(m_arguments.device, true));
    ATTN_ASSIGN(precision, parsePrecision(m_arguments.precision));
    if (m_arguments.device == "reference" && precision != Precision::Fp32)
      return fail(ErrorKind::Usage,
                  fmt::format("--precision {}: the reference computes in double. Leave --precision out.",
                              m_arguments.precision));
    if (m_app->count("--output") > 0 && m_output.empty())
      return fail(ErrorKind::Usage, "--output is empty; name a file that ends in .npz.");
    if (m_output.empty() && (m_pattern || m_matrix || m_trace)) {
      return fail(
          ErrorKind::Usage,
          "--pattern, --matrix and --trace write arrays; name the file for them with --output FILE.npz.");
    }
    if (!m_output.empty() && !m_output.ends_with(".npz")) {
      return fail(ErrorKind::Usage, fmt::format("--output {} must end in .npz.", m_output));
    }
    return {};
  }

  // What is asked for beside the output is known before the pass, which may take minutes.
  Status requireRoom(const PlannedCall& call) const {
    if (m_matrix) ATTN_TRY(requireMatrixMemory(call.plan->plan()));
    if (m_pattern) ATTN_TRY(requirePatternMemory(*call.plan));
    if (m_matrix && !m_output.empty() && !call.plan->plan().exact)
      fmt::print(stderr, "attnscope: no matrix on the tokens gives exactly this output.\n");
    return {};
  }

  Result<Computed> runDevice(const PlannedCall& call, const AttentionInput& input,
                             const JobContext& job) const {
    ATTN_ASSIGN(backend, findBackend(m_arguments.device));
    ATTN_TRY(backend->supports(*call.plan));
    ATTN_ASSIGN(options, chosenRunOptions(m_arguments, *backend));
    options.keepBuffers = m_trace;
    Computed computed;
    ATTN_ASSIGN(run, backend->run(*call.plan, input, options, job));
    noteFallback(run.fellBack);
    computed.run = std::move(run);
    if (m_matrix) {
      std::string fellBack;
      ATTN_ASSIGN(matrix, executedMatrix(*backend, *call.plan, input, options, job, &fellBack));
      noteFallback(fellBack);
      computed.extras.push_back({"matrix", toFloat32(matrix)});
    }
    if (m_pattern) ATTN_TRY(addPattern(*call.plan, computed.extras, job));
    if (!m_trace) return computed;
    ATTN_TRY(addStates(*call.plan, input, computed.run, computed.extras, job));
    ATTN_TRY(addExtendedMatrix(*backend, *call.plan, input, options, job, computed.extras));
    return computed;
  }

  Status addExtendedMatrix(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                           const RunOptions& options, const JobContext& job, ArrayList& extras) const {
    if (plan.slotCount() == 0) return {};
    double bytes = 4.0;
    for (const Index side : extendedMatrixShape(plan.plan())) bytes *= static_cast<double>(side);
    if (!m_matrix && bytes > kMostUnaskedBytes) {
      fmt::print(stderr, "trace/matrix_ext would take {} and is left out; add --matrix to have it written.\n",
                 bytesText(bytes));
      return {};
    }
    std::string fellBack;
    ATTN_ASSIGN(matrix, extendedMatrix(backend, plan, input, options, job, &fellBack));
    noteFallback(fellBack);
    extras.push_back({"trace/matrix_ext", std::move(matrix)});
    return {};
  }

  Result<Computed> runReference(const PlannedCall& call, const AttentionInput& input,
                                const JobContext& job) const {
    const auto start = std::chrono::steady_clock::now();
    ATTN_ASSIGN(oracle, runOracle(call, input, job));
    Computed computed;
    computed.run.seconds = secondsSince(start);
    computed.run.device = "reference: dense, double precision, one thread";
    computed.run.out = oracle.out;
    computed.run.lse = oracle.lse;
    if (m_matrix) computed.extras.push_back({"matrix", toFloat32(oracle.matrix)});
    if (m_pattern) ATTN_TRY(addOraclePattern(oracle, input.shape().nQ, computed.extras));
    return computed;
  }

  Status write(const PlannedCall& call, const Computed& computed) const {
    ArrayList arrays{{"out", computed.run.out}};
    if (!computed.run.lse.empty()) arrays.push_back({"lse", computed.run.lse});
    addParams(*call.plan, arrays);
    arrays.insert(arrays.end(), computed.extras.begin(), computed.extras.end());
    if (m_trace) ATTN_TRY(addTrace(*call.plan, computed.run, arrays));
    return writeNpz(m_output, arrays);
  }

  const CLI::App* m_app = nullptr;
  CallArguments m_arguments;
  std::string m_spec;
  std::string m_output;
  bool m_pattern = false;
  bool m_matrix = false;
  bool m_trace = false;
};

}  // namespace

std::unique_ptr<Command> makeComputeCommand() {
  return std::make_unique<ComputeCommand>();
}

}  // namespace attnscope
