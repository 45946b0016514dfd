// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/effective.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "kernels/effective_rows.h"

namespace attnscope {

struct EffectiveMatrix::Impl {
  std::shared_ptr<const FrozenPlan> plan;
  AttentionInput input;
  RunResult run;
  bool isSigned = false;
};

namespace {

bool hasNegative(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return std::any_of(values.begin(), values.end(), [](float x) { return x < 0.0F; });
}

bool planIsSigned(const Plan& plan, const RunResult& run) {
  for (const Step& step : plan.steps) {
    if (const auto* project = std::get_if<ProjectStep>(&step)) {
      if (project->out != plan.slotValues) continue;
      if (const auto* weight = std::get_if<Tensor>(&project->weight)) return hasNegative(*weight);
    }
    if (const auto* linear = std::get_if<LinearAttendStep>(&step); linear && !linear->exponents) {
      const auto& name = plan.buffers[static_cast<std::size_t>(linear->phiK)].name;
      const auto features = run.buffers.find(name);
      if (features != run.buffers.end() && hasNegative(features->second)) return true;
    }
  }
  return false;
}

// Cells that pixel p of `out` stands for, when `count` cells are drawn.
struct CellRange {
  Index begin;
  Index end;
};
CellRange cellsOf(Index p, Index count, Index out) {
  const Index begin = p * count / out;
  return {begin, std::max(begin + 1, (p + 1) * count / out)};
}

void foldRow(std::span<const float> row, Index outCols, EffectiveMatrix::Reduce reduce,
             std::span<double> folded) {
  const auto cols = static_cast<Index>(row.size());
  for (Index c = 0; c < outCols; ++c) {
    const CellRange cells = cellsOf(c, cols, outCols);
    double& target = folded[static_cast<std::size_t>(c)];
    for (Index j = cells.begin; j < cells.end; ++j) {
      const double value = row[static_cast<std::size_t>(j)];
      if (reduce == EffectiveMatrix::Reduce::Mean)
        target += value;
      else if (std::abs(value) > std::abs(target))
        target = value;
    }
  }
}

}  // namespace

EffectiveMatrix::EffectiveMatrix(std::shared_ptr<const FrozenPlan> plan, AttentionInput input,
                                 RunResult run) {
  auto impl = std::make_shared<Impl>();
  impl->isSigned = planIsSigned(plan->plan(), run);
  impl->plan = std::move(plan);
  impl->input = std::move(input);
  impl->run = std::move(run);
  m_impl = std::move(impl);
}

Index EffectiveMatrix::rows() const {
  return m_impl->plan->plan().shape.nQ;
}
Index EffectiveMatrix::cols() const {
  return m_impl->plan->plan().shape.nK;
}
Index EffectiveMatrix::heads() const {
  return m_impl->plan->plan().shape.heads;
}
bool EffectiveMatrix::isSigned() const {
  return m_impl->isSigned;
}

Result<Tensor> EffectiveMatrix::block(Index head, Index row0, Index rows, Index col0, Index cols,
                                      const JobContext& job) const {
  return reduced(head, row0, rows, col0, cols, rows, cols, Reduce::Max, job);
}

Result<Tensor> EffectiveMatrix::reduced(Index head, Index row0, Index rows, Index col0, Index cols,
                                        Index outRows, Index outCols, Reduce reduce,
                                        const JobContext& job) const {
  Tensor picture(DType::F32, {outRows, outCols});
  auto pixels = picture.mutableValues<float>();
  const EffectiveRows source(*m_impl->plan, m_impl->input, m_impl->run, head, col0, cols, rows);
  std::atomic<bool> stopped{false};
  tbb::parallel_for(Index{0}, outRows, [&](Index r) {
    if (stopped.load(std::memory_order_relaxed)) return;
    const CellRange range = cellsOf(r, rows, outRows);
    std::vector<float> row(static_cast<std::size_t>(cols));
    std::vector<double> folded(static_cast<std::size_t>(outCols), 0.0);
    EffectiveRows::Scratch scratch;
    for (Index i = range.begin; i < range.end; ++i) {
      if (job.isCancelled()) {
        stopped = true;
        return;
      }
      source.fill(row0 + i, row, scratch);
      foldRow(row, outCols, reduce, folded);
    }
    for (Index c = 0; c < outCols; ++c) {
      double value = folded[static_cast<std::size_t>(c)];
      if (reduce == Reduce::Mean) {
        const CellRange cells = cellsOf(c, cols, outCols);
        value /= static_cast<double>((range.end - range.begin) * (cells.end - cells.begin));
      }
      pixels[static_cast<std::size_t>(r * outCols + c)] = static_cast<float>(value);
    }
  });
  if (stopped) return cancelled();
  return picture;
}

namespace {

enum class Axis { Tokens, Extended, ExtendedBothSides };

// Columns [begin, begin + width) of the rows of one buffer of a slab run, from row `firstRow` of the matrix
// on.
void copySlab(const Tensor& slab, Index begin, Index width, Index firstRow, Tensor& matrix) {
  for (Index h = 0; h < matrix.dim(0); ++h) {
    const auto from = slab.slice<float>(h);
    auto to = matrix.mutableSlice<float>(h);
    for (Index row = 0; row < slab.dim(1); ++row)
      std::copy_n(from.begin() + row * slab.dim(2), width,
                  to.begin() + (firstRow + row) * matrix.dim(2) + begin);
  }
}

Result<Tensor> matrixBySlabs(const Backend& backend, const FrozenPlan& frozen, const AttentionInput& input,
                             RunOptions options, Axis axis, const JobContext& job) {
  const Plan& plan = frozen.plan();
  const Shape& shape = plan.shape;
  const Index cols = shape.nK + (axis == Axis::Tokens ? 0 : plan.slotCount);
  const bool slotRows = axis == Axis::ExtendedBothSides && plan.slotOut != kNoBuffer;
  const Index rows = shape.nQ + (slotRows ? plan.slotCount : 0);
  ATTN_TRY(requireMemory(
      4.0 * static_cast<double>(shape.heads) * static_cast<double>(rows) * static_cast<double>(cols),
      fmt::format("The {} x {} x {} matrix", shape.heads, rows, cols)));
  Tensor matrix(DType::F32, {shape.heads, rows, cols});
  options.keepBuffers = slotRows;
  for (Index begin = 0; begin < cols; begin += shape.dV) {
    if (job.isCancelled()) return cancelled();
    options.identity = IdentitySlab{begin, shape.dV, axis != Axis::Tokens};
    ATTN_ASSIGN(run, backend.run(frozen, input, options, job.quiet()));
    const Index width = std::min(shape.dV, cols - begin);
    copySlab(run.out, begin, width, 0, matrix);
    if (slotRows)
      copySlab(run.buffers.at(plan.buffers[static_cast<std::size_t>(plan.slotOut)].name), begin, width,
               shape.nQ, matrix);
  }
  return matrix;
}

}  // namespace

Result<Tensor> executedMatrix(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                              const RunOptions& options, const JobContext& job) {
  return matrixBySlabs(backend, plan, input, options, Axis::Tokens, job);
}

Result<Tensor> extendedMatrix(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                              const RunOptions& options, const JobContext& job) {
  return matrixBySlabs(backend, plan, input, options, Axis::ExtendedBothSides, job);
}

std::vector<Index> extendedMatrixShape(const Plan& plan) {
  return {plan.shape.heads, plan.shape.nQ + (plan.slotOut == kNoBuffer ? 0 : plan.slotCount),
          plan.shape.nK + plan.slotCount};
}

Result<Tensor> maskProbe(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                         const RunOptions& options, const JobContext& job) {
  RunOptions probe = options;
  probe.zeroLogits = true;
  return matrixBySlabs(backend, plan, input, probe, Axis::Extended, job);
}

}  // namespace attnscope
