// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"
#include "kernels/shared/precision.h"

namespace attnscope {

class WeightSource;

// Replaces the values by columns [begin, begin + width) of the identity on the key axis [tokens | slots], so
// that the output is that slab of the matrix that was applied.
struct IdentitySlab {
  Index begin = 0;
  Index width = 0;
  bool withSlots =
      false;  // also replace the slots' values; otherwise they are made from the identity of the tokens
};

struct RunOptions {
  int threads = 0;  // 0: all cores
  Precision precision = Precision::Fp32;
  bool zeroLogits = false;  // the mask probe: every logit 0 and every feature vector 1
  std::optional<IdentitySlab> identity;
  bool keepBuffers = true;  // keep intermediate buffers in the result (maps and insides are made from them)
};

struct StepTiming {
  std::string title;
  std::string kind;
  double seconds = 0.0;
};

// What a forward pass leaves: O(n) numbers, never the weights.
struct RunResult {
  Tensor out;                             // (H, n_q, d_v)
  Tensor lse;                             // (H, n_q); empty where the mechanism has none
  std::map<std::string, Tensor> buffers;  // by BufferSpec::name, (H, rows, cols)
  std::vector<StepTiming> steps;
  double seconds = 0.0;  // whole pass, without planning
  // Of these, what this run copied to and from a device: the input, every result that was asked for, and what
  // the plan itself says (tile maps, orders, weights) as far as no earlier run had left it there. 0 where
  // nothing is copied.
  double transferSeconds = 0.0;
  double planTransferSeconds = 0.0;  // of these, what stays there for later runs of the plan
  std::string device;                // "CPU, 2 threads, AVX-512"; names the precision where it is not fp32
  std::string fellBack;  // why another device than the one asked computed it; empty: it did itself
  std::shared_ptr<const WeightSource> weights;  // null where the device leaves none (weight_source.h)
};

struct DeviceInfo {
  std::string id;    // "cpu", "cuda:0"
  std::string name;  // "AMD EPYC, 2 cores, AVX-512"
  bool available = false;
  std::string reason;        // why it is not available, or not used unasked; else empty
  std::uint64_t memory = 0;  // bytes that can be used now
  std::vector<Precision> precisions = {Precision::Fp32};
  std::string products{};  // who multiplies dense matrices there: "cuBLAS 13.0"; empty: this program
};

// One device that executes frozen plans. No run changes the result of another; run() may be called from any
// thread.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual DeviceInfo info() const = 0;
  // Error (Compute) names the step that the device cannot do.
  [[nodiscard]] virtual Status supports(const FrozenPlan& plan) const = 0;
  // Bytes that run() cannot do without. A device may use more where there is more.
  [[nodiscard]] virtual double memoryNeeded(const FrozenPlan& plan, const RunOptions& options) const = 0;
  // Refuses before it starts what does not fit in memory, and a precision that the device does not have.
  // Cancel ends within 100 ms.
  [[nodiscard]] virtual Result<RunResult> run(const FrozenPlan& plan, const AttentionInput& input,
                                              const RunOptions& options, const JobContext& job) const = 0;
};

}  // namespace attnscope
