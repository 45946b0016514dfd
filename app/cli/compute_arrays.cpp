// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/compute_arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/analysis/running_state.h"
#include "core/base/memory.h"

namespace attnscope {

namespace {

struct CompressedRows {
  Tensor indptr;
  Tensor indices;
  Tensor labels;
};

Tensor labelNames(const std::vector<std::string>& names) {
  const std::string text = fmt::format("{}", fmt::join(names, "\n"));
  Tensor tensor(DType::U8, {static_cast<Index>(text.size())});
  std::copy(text.begin(), text.end(), tensor.mutableValues<std::uint8_t>().begin());
  return tensor;
}

Tensor rowOffsets(const Pattern& pattern) {
  Tensor indptr = Tensor::zeros(DType::I64, {pattern.rows() + 1});
  auto offsets = indptr.mutableValues<std::int64_t>();
  for (Index i = 0; i < pattern.rows(); ++i) {
    offsets[static_cast<std::size_t>(i) + 1] = offsets[static_cast<std::size_t>(i)] + rowCount(pattern, i);
  }
  return indptr;
}

Status requirePairs(Index pairs) {
  return requireMemory(5.0 * static_cast<double>(pairs), fmt::format("A pattern with {} pairs", pairs));
}

// Runs with a stride interleave, so a row is put in order once its cells are known.
Result<CompressedRows> sparseRows(const Pattern& pattern, const JobContext& job) {
  CompressedRows rows;
  rows.indptr = rowOffsets(pattern);
  const auto offsets = rows.indptr.values<std::int64_t>();
  ATTN_TRY(requirePairs(offsets.back()));
  rows.indices = Tensor(DType::I32, {offsets.back()});
  rows.labels = Tensor(DType::U8, {offsets.back()});
  auto indices = rows.indices.mutableValues<std::int32_t>();
  auto labels = rows.labels.mutableValues<std::uint8_t>();
  RunList runs;
  std::vector<std::pair<std::int32_t, std::uint8_t>> cells;
  std::size_t next = 0;
  for (Index i = 0; i < pattern.rows(); ++i) {
    if (job.isCancelled()) return cancelled();
    pattern.row(i, runs);
    cells.clear();
    for (const Run& run : runs) {
      for (Index j = run.begin; j < run.end; j += run.stride)
        cells.emplace_back(static_cast<std::int32_t>(j), run.label);
    }
    std::sort(cells.begin(), cells.end());
    for (const auto& [column, label] : cells) {
      indices[next] = column;
      labels[next++] = label;
    }
  }
  return rows;
}

void appendRows(const CompressedRows& rows, Index head, ArrayList& arrays) {
  const std::string prefix = fmt::format("pattern/{}/", head);
  arrays.push_back({prefix + "indptr", rows.indptr});
  arrays.push_back({prefix + "indices", rows.indices});
  arrays.push_back({prefix + "labels", rows.labels});
}

CompressedRows sparseFromDense(const std::vector<std::uint8_t>& support, Index rows, Index cols) {
  CompressedRows sparse;
  sparse.indptr = Tensor::zeros(DType::I64, {rows + 1});
  auto offsets = sparse.indptr.mutableValues<std::int64_t>();
  std::vector<std::int32_t> indices;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      if (support[static_cast<std::size_t>(i * cols + j)] != 0)
        indices.push_back(static_cast<std::int32_t>(j));
    }
    offsets[static_cast<std::size_t>(i) + 1] = static_cast<std::int64_t>(indices.size());
  }
  const auto count = static_cast<Index>(indices.size());
  sparse.indices = Tensor::fromInts({count}, indices);
  sparse.labels = Tensor::zeros(DType::U8, {count});
  return sparse;
}

// Slots that are made alike in all heads are kept once, and written with the axis of heads that every array
// has.
Tensor forEveryHead(const Tensor& tensor, Index heads) {
  if (tensor.dim(0) == heads) return tensor;
  std::vector<Index> shape(tensor.shape().begin(), tensor.shape().end());
  shape[0] = heads;
  Tensor repeated(DType::F32, shape);
  for (Index h = 0; h < heads; ++h)
    std::ranges::copy(tensor.slice<float>(0), repeated.mutableSlice<float>(h).begin());
  return repeated;
}

}  // namespace

void addParams(const FrozenPlan& plan, ArrayList& arrays) {
  for (const ParamTensor& param : plan.plan().params) arrays.push_back({"param/" + param.name, param.make()});
}

Status requirePatternMemory(const FrozenPlan& plan) {
  Index pairs = 0;
  for (Index head = 0; head < plan.plan().shape.heads; ++head) {
    if (head > 0 && plan.sameSupport(head - 1, head)) continue;
    const PatternPtr support = plan.support(head);
    for (Index i = 0; i < support->rows(); ++i) pairs += rowCount(*support, i);
  }
  return requirePairs(pairs);
}

Status addPattern(const FrozenPlan& plan, ArrayList& arrays, const JobContext& job) {
  CompressedRows rows;
  for (Index head = 0; head < plan.plan().shape.heads; ++head) {
    if (head == 0 || !plan.sameSupport(head - 1, head)) {
      ATTN_ASSIGN(made, sparseRows(*plan.support(head), job));
      rows = std::move(made);
    }
    appendRows(rows, head, arrays);
  }
  std::vector<std::string> names;
  for (const Label& label : plan.plan().labels) names.push_back(label.name);
  arrays.push_back({"pattern/label_names", labelNames(names)});
  return {};
}

Status addOraclePattern(const OracleResult& result, Index rows, ArrayList& arrays) {
  for (std::size_t head = 0; head < result.support.size(); ++head) {
    const auto& support = result.support[head];
    ATTN_TRY(requirePairs(std::count(support.begin(), support.end(), std::uint8_t{1})));
    appendRows(sparseFromDense(support, rows, result.supportCols), static_cast<Index>(head), arrays);
  }
  // The oracle says which values reach an output, not why.
  arrays.push_back({"pattern/label_names", labelNames({"read"})});
  return {};
}

Status addTrace(const FrozenPlan& plan, const RunResult& run, ArrayList& arrays) {
  for (const NamedTensor& decision : plan.plan().trace)
    arrays.push_back({"trace/" + decision.name, decision.tensor});
  for (const BufferSpec& buffer : plan.plan().buffers) {
    const auto found = run.buffers.find(buffer.name);
    if (!buffer.trace.empty() && found != run.buffers.end())
      arrays.push_back({"trace/" + buffer.trace, found->second});
  }
  const Plan& call = plan.plan();
  if (call.slotComposition) {
    ATTN_TRY(requireMemory(4.0 * static_cast<double>(call.shape.heads * call.slotCount * call.shape.nK),
                           fmt::format("trace/slots, {} slots of {} tokens", call.slotCount, call.shape.nK)));
    arrays.push_back({"trace/slots", forEveryHead(call.slotComposition(), call.shape.heads)});
  }
  return {};
}

Status addStates(const FrozenPlan& plan, const AttentionInput& input, const RunResult& run, ArrayList& arrays,
                 const JobContext& job) {
  for (const Step& step : plan.plan().steps) {
    const auto* linear = std::get_if<LinearAttendStep>(&step);
    if (linear == nullptr) continue;
    const auto phiK = run.buffers.find(plan.plan().buffers[static_cast<std::size_t>(linear->phiK)].name);
    if (phiK == run.buffers.end()) continue;
    ATTN_ASSIGN(state, runningState(*linear, phiK->second, input, job));
    arrays.push_back({"trace/S", state.s});
    arrays.push_back({"trace/Z", state.z});
    if (!state.log.empty()) arrays.push_back({"trace/log_scale", state.log});
    arrays.push_back({"trace/state_tokens", state.tokens});
  }
  return {};
}

Tensor toFloat32(const Tensor& tensor) {
  if (tensor.dtype() == DType::F32) return tensor;
  Tensor narrow(DType::F32, tensor.shape());
  const auto from = tensor.values<double>();
  std::transform(from.begin(), from.end(), narrow.mutableValues<float>().begin(),
                 [](double value) { return static_cast<float>(value); });
  return narrow;
}

}  // namespace attnscope
