// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/inputs/attention_input.h"
#include "core/plan/plan.h"
#include "kernels/backend.h"
#include "kernels/shared/weight_source.h"

namespace attnscope {

// The matrix that was applied, made from what a pass leaves (q, k, lse, features), for the rectangle that is
// looked at: on the device that made the pass where it left a WeightSource, else, and while that is busy with
// a pass, on the CPU; the numbers agree up to rounding, and their zeros exactly. Holds references by value
// (shared): may outlive the call and be used from any thread.
class EffectiveMatrix {
 public:
  // The run must have kept its buffers.
  EffectiveMatrix(std::shared_ptr<const FrozenPlan> plan, AttentionInput input, RunResult run);

  [[nodiscard]] Index rows() const;  // n_q
  [[nodiscard]] Index cols() const;  // n_k: always the tokens
  [[nodiscard]] Index heads() const;
  // True if weights can be negative (signed projections): draw with a diverging scale.
  [[nodiscard]] bool isSigned() const;

  // Weights of rows [row0, row0 + rows) and columns [col0, col0 + cols) of a head, float32 (rows, cols).
  // Exact zero outside the support.
  [[nodiscard]] Result<Tensor> block(Index head, Index row0, Index rows, Index col0, Index cols,
                                     const JobContext& job = {}) const;

  // How a block of many cells becomes one pixel.
  using Reduce = WeightReduce;
  // The rectangle reduced to (outRows, outCols) cells: pixel (r, c) stands for the rows
  // [row0 + r * rows / outRows, row0 + (r + 1) * rows / outRows) and the like. Max takes the weight of
  // largest size, with its sign. Equal to block() where outRows = rows and outCols = cols.
  [[nodiscard]] Result<Tensor> reduced(Index head, Index row0, Index rows, Index col0, Index cols,
                                       Index outRows, Index outCols, Reduce reduce,
                                       const JobContext& job = {}) const;

  // The rectangle from (row0, col0) reduced so that a number stands for 2^down rows and 2^across columns; the
  // last numbers of a rectangle that does not divide stand for fewer.
  [[nodiscard]] Result<Tensor> tile(Index head, Index row0, Index rows, int down, Index col0, Index cols,
                                    int across, Reduce reduce, const JobContext& job = {}) const;

  // A first look at a large rectangle: one row of `outCols` numbers for each of the given rows.
  [[nodiscard]] Result<Tensor> sampledRows(Index head, std::span<const Index> rows, Index col0, Index cols,
                                           Index outCols, Reduce reduce, const JobContext& job = {}) const;

  // Why the CPU computes what the device was to compute; empty: that did not happen.
  [[nodiscard]] std::string fellBack() const;

  struct Impl;

 private:
  std::shared_ptr<const Impl> m_impl;
};

// Error (Compute) if there is no memory for executedMatrix(), to be asked before the pass.
[[nodiscard]] Status requireMatrixMemory(const Plan& plan);

// The matrix as the backend executes it: the plan run on the identity, slab by slab. Slow (n_k / 64 passes),
// for files and tests; asks for memory first and reports a unit of progress a slab. (H, n_q, n_k), or (H,
// n_q, n_k + slots) for the probe on the key axis. `fellBack`, if not null, gets what the first slab said
// that another device computed (RunResult::fellBack).
[[nodiscard]] Result<Tensor> executedMatrix(const Backend& backend, const FrozenPlan& plan,
                                            const AttentionInput& input, const RunOptions& options,
                                            const JobContext& job = {}, std::string* fellBack = nullptr);
// What was applied on the key axis [tokens | slots], before slots are resolved into tokens: (H, n_q, n_k +
// slots), and below these the rows of slots that live on themselves (Plan::slotOut), (H, n_q + slots, n_k +
// slots). Rows sum to 1 where all weights of a query are one softmax.
[[nodiscard]] Result<Tensor> extendedMatrix(const Backend& backend, const FrozenPlan& plan,
                                            const AttentionInput& input, const RunOptions& options,
                                            const JobContext& job = {}, std::string* fellBack = nullptr);
[[nodiscard]] std::vector<Index> extendedMatrixShape(const Plan& plan);
[[nodiscard]] Result<Tensor> maskProbe(const Backend& backend, const FrozenPlan& plan,
                                       const AttentionInput& input, const RunOptions& options,
                                       const JobContext& job = {});

}  // namespace attnscope
