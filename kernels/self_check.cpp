// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/self_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/inputs/recipes.h"
#include "core/mechanisms/registry.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/effective.h"

namespace attnscope {

namespace {

// Two heads, one head of keys, widths and lengths that fill no tile.
constexpr const char* kInput = "clustered:n=130,d=34,dv=66,heads=2,kv_heads=1,seed=11";

// Of the largest number. Rounding differs by some 1e-5 where exponents of features are summed in another
// order; a key too many or too few is off by a weight, a hundredth and more at this length.
constexpr double kTolerance = 1e-3;

// On tensor cores logits are off by some of the inputs' rounding, 2^-11 or 2^-8; a kernel that does nothing,
// or the wrong thing, is off by the whole of it.
double toleranceOf(Precision precision) {
  return precision == Precision::Fp32 ? kTolerance : precision == Precision::Tf32 ? 0.02 : 0.15;
}

Status compare(const std::string& call, const char* what, const Tensor& found, const Tensor& expected,
               double tolerance) {
  if (found.empty() && expected.empty()) return {};
  if (found.shape() != expected.shape())
    return fail(ErrorKind::Compute, fmt::format("{}: {} has another shape than the CPU's.", call, what));
  const auto mine = found.values<float>();
  const auto theirs = expected.values<float>();
  double largest = 1.0;
  for (const float value : theirs)
    if (std::isfinite(value)) largest = std::max(largest, std::abs(static_cast<double>(value)));
  for (std::size_t i = 0; i < mine.size(); ++i) {
    // Rows that read nothing have an lse of -inf on both sides. NaN is never close.
    const bool same =
        mine[i] == theirs[i] || std::abs(static_cast<double>(mine[i]) - theirs[i]) <= tolerance * largest;
    if (!same)
      return fail(ErrorKind::Compute,
                  fmt::format("{}: {}[{}] is {}, and {} on the CPU.", call, what, i, mine[i], theirs[i]));
  }
  return {};
}

// Weights that the device makes of what its pass left there: cells, and numbers of several.
Status compareMaps(const std::string& call, const EffectiveMatrix& mine, const EffectiveMatrix& theirs,
                   const JobContext& job) {
  const Index rows = mine.rows();
  const Index cols = mine.cols();
  for (Index head = 0; head < mine.heads(); ++head)
    for (const auto& [level, reduce] : {std::pair{0, WeightReduce::Max}, std::pair{2, WeightReduce::Max},
                                        std::pair{3, WeightReduce::Mean}, std::pair{8, WeightReduce::Mean}}) {
      ATTN_ASSIGN(found, mine.tile(head, 0, rows, level, 0, cols, level, reduce, job.quiet()));
      ATTN_ASSIGN(expected, theirs.tile(head, 0, rows, level, 0, cols, level, reduce, job.quiet()));
      ATTN_TRY(compare(call, "map", found, expected, toleranceOf(Precision::Fp32)));
    }
  return {};
}

Status checkCall(const Backend& backend, const MechanismSpec& spec, const AttentionInput& input,
                 Precision precision, const JobContext& job) {
  ATTN_ASSIGN(planned, planCall(spec, input, {}, job));
  ATTN_TRY(backend.supports(*planned.plan));
  ATTN_ASSIGN(expected, cpuBackend().run(*planned.plan, input, {}, job));
  RunOptions options;
  options.precision = precision;
  ATTN_ASSIGN(found, backend.run(*planned.plan, input, options, job));
  const std::string name =
      precision == Precision::Fp32 ? spec.text() : spec.text() + " in " + precisionName(precision);
  ATTN_TRY(compare(name, "out", found.out, expected.out, toleranceOf(precision)));
  ATTN_TRY(compare(name, "lse", found.lse, expected.lse, toleranceOf(precision)));
  if (!found.weights || precision != Precision::Fp32) return {};  // maps are in float32 anyway
  const EffectiveMatrix mine(planned.plan, input, std::move(found));
  const EffectiveMatrix theirs(planned.plan, input, std::move(expected));
  ATTN_TRY(compareMaps(name, mine, theirs, job));
  if (mine.fellBack().empty()) return {};
  return fail(ErrorKind::Compute, mine.fellBack());
}

}  // namespace

Status selfCheck(const Backend& backend, const JobContext& job) {
  ATTN_ASSIGN(input, makeRecipe(kInput, job));
  for (const Mechanism* mechanism : allMechanisms()) {
    MechanismSpec spec;
    spec.id = mechanism->card().id;
    ATTN_TRY(checkCall(backend, spec, input, Precision::Fp32, job));
    const CausalSupport causal = mechanism->card().causal;
    if (causal == CausalSupport::Never || causal == CausalSupport::Always) continue;
    spec.options.causal = causal == CausalSupport::Both;  // what is not the default
    spec.options.causalGiven = true;
    ATTN_TRY(checkCall(backend, spec, input, Precision::Fp32, job));
  }
  MechanismSpec full;
  full.id = "full";
  for (const Precision precision : backend.info().precisions)
    if (precision != Precision::Fp32) ATTN_TRY(checkCall(backend, full, input, precision, job));
  return {};
}

}  // namespace attnscope
