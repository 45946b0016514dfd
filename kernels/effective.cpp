// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/effective.h"

#include <fmt/format.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>

#include "core/analysis/channel_mixing.h"
#include "core/base/memory.h"
#include "kernels/effective_rows.h"

namespace attnscope {

struct EffectiveMatrix::Impl {
  std::shared_ptr<const FrozenPlan> plan;
  AttentionInput input;
  RunResult run;  // without its weights
  bool isSigned = false;
  mutable std::mutex asking;  // of the two
  mutable std::shared_ptr<const WeightSource> device;
  mutable std::string fellBack;
};

namespace {

bool hasNegative(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return std::any_of(values.begin(), values.end(), [](float x) { return x < 0.0F; });
}

// Some tap gives its token a share below 0, as far as channels can be told apart.
bool hasNegativeTap(const Tensor& weight) {
  const Index cols = weight.dim(2);
  for (Index h = 0; h < weight.dim(0); ++h)
    for (Index t = 0; t < weight.dim(1); ++t)
      if (meanDiagonal(weight.slice<float>(h).data() + t * cols * cols, cols) < 0.0) return true;
  return false;
}

// A softmax gives no weight below 0; what makes the values that it weighs, and features, may.
bool planIsSigned(const Plan& plan, const RunResult& run) {
  return std::any_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
    if (const auto* project = std::get_if<ProjectStep>(&step)) {
      const auto* weight = std::get_if<Tensor>(&project->weight);
      return project->out == plan.slotValues && weight != nullptr && hasNegative(*weight);
    }
    if (const auto* convolve = std::get_if<ConvolveStep>(&step))
      return convolve->out == plan.slotValues && hasNegativeTap(convolve->weight);
    if (const auto* linear = std::get_if<LinearAttendStep>(&step); linear && !linear->exponents) {
      const auto& name = plan.buffers[static_cast<std::size_t>(linear->phiK)].name;
      const auto features = run.buffers.find(name);
      return features != run.buffers.end() && hasNegative(features->second);
    }
    return false;
  });
}

// Which cells a number stands for, along one axis.
class Reduction {
 public:
  static Reduction to(Index cells, Index numbers) { return {cells, numbers, -1}; }
  static Reduction byLevel(Index cells, int level) {
    return {cells, (cells + (Index{1} << level) - 1) >> level, level};
  }
  // Numbers [first, past) of this one, with cells that count from the first of them.
  [[nodiscard]] Reduction part(Index first, Index past) const {
    Reduction narrow = *this;
    narrow.m_first = m_first + first;
    narrow.m_numbers = past - first;
    return narrow;
  }
  [[nodiscard]] Index numbers() const { return m_numbers; }
  [[nodiscard]] CellRange cells(Index p) const {
    const Index origin = m_first > 0 ? wholeCells(m_first).begin : 0;
    const CellRange range = wholeCells(m_first + p);
    return {range.begin - origin, range.end - origin};
  }
  [[nodiscard]] std::vector<CellRange> all() const {
    std::vector<CellRange> ranges;
    for (Index p = 0; p < m_numbers; ++p) ranges.push_back(cells(p));
    return ranges;
  }

 private:
  [[nodiscard]] CellRange wholeCells(Index p) const {
    if (m_level >= 0) return {p << m_level, std::min((p + 1) << m_level, m_cells)};
    const Index begin = p * m_cells / m_whole;
    return {begin, std::max(begin + 1, (p + 1) * m_cells / m_whole)};
  }

  Reduction(Index cells, Index numbers, int level)
      : m_cells(cells), m_whole(numbers), m_numbers(numbers), m_level(level) {}
  Index m_cells;
  Index m_whole;  // numbers that share all cells
  Index m_numbers;
  Index m_first = 0;
  int m_level;
};

// Eight at a time, side by side, so that the compiler may use vectors.
constexpr Index kLanes = 8;

double sumOf(const float* values, Index count) {
  std::array<double, kLanes> lanes{};
  Index j = 0;
  for (; j + kLanes <= count; j += kLanes)
    for (Index k = 0; k < kLanes; ++k) lanes[static_cast<std::size_t>(k)] += values[j + k];
  double sum = 0.0;
  for (; j < count; ++j) sum += values[j];
  for (const double lane : lanes) sum += lane;
  return sum;
}

// The value of largest size, with its sign.
float largestOf(const float* values, Index count) {
  std::array<float, kLanes> high{};
  std::array<float, kLanes> low{};
  Index j = 0;
  for (; j + kLanes <= count; j += kLanes)
    for (Index k = 0; k < kLanes; ++k) {
      const auto lane = static_cast<std::size_t>(k);
      const float value = values[j + k];
      high[lane] = value > high[lane] ? value : high[lane];
      low[lane] = value < low[lane] ? value : low[lane];
    }
  float most = *std::max_element(high.begin(), high.end());
  float least = *std::min_element(low.begin(), low.end());
  for (; j < count; ++j) {
    most = std::max(most, values[j]);
    least = std::min(least, values[j]);
  }
  return -least > most ? least : most;
}

void foldRow(std::span<const float> row, const Reduction& across, EffectiveMatrix::Reduce reduce,
             std::span<double> folded) {
  for (Index c = 0; c < across.numbers(); ++c) {
    const CellRange cells = across.cells(c);
    double& target = folded[static_cast<std::size_t>(c)];
    if (reduce == EffectiveMatrix::Reduce::Mean) {
      target += sumOf(row.data() + cells.begin, cells.end - cells.begin);
      continue;
    }
    const double value = largestOf(row.data() + cells.begin, cells.end - cells.begin);
    if (std::abs(value) > std::abs(target)) target = value;
  }
}

constexpr Index kRowsTogether = 16;

// Numbers of one picture: `rowsOf(r)` gives the rows of the matrix that row r of the picture is made of.
struct Picture {
  Index rows = 0;
  std::function<std::vector<Index>(Index r)> rowsOf;
  Reduction across = Reduction::to(1, 1);
  EffectiveMatrix::Reduce reduce = EffectiveMatrix::Reduce::Max;
};

Result<Tensor> paint(const EffectiveRows& source, Index cols, const Picture& picture, const JobContext& job) {
  const Index outCols = picture.across.numbers();
  Tensor numbers(DType::F32, {picture.rows, outCols});
  auto pixels = numbers.mutableValues<float>();
  job.beginPhase(static_cast<double>(picture.rows));
  std::atomic<bool> stopped{false};
  tbb::parallel_for(Index{0}, (picture.rows + kRowsTogether - 1) / kRowsTogether, [&](Index task) {
    const Index begin = task * kRowsTogether;
    const Index end = std::min(picture.rows, begin + kRowsTogether);
    std::vector<float> made(static_cast<std::size_t>(kRowsTogether * cols));
    std::vector<double> folded(static_cast<std::size_t>(outCols));
    EffectiveRows::Scratch scratch;
    // Rows that follow each other, each a number of its own, are made together.
    const std::vector<Index> first = picture.rowsOf(begin);
    bool together = true;
    for (Index r = begin; r < end && together; ++r)
      together = picture.rowsOf(r) == std::vector<Index>{first.front() + r - begin};
    if (together && !job.isCancelled()) source.fillRows(first[0], end - begin, made, scratch);
    for (Index r = begin; r < end; ++r) {
      const std::vector<Index> rows = picture.rowsOf(r);
      const auto row = std::span(made).subspan(static_cast<std::size_t>((r - begin) * cols),
                                               static_cast<std::size_t>(cols));
      std::fill(folded.begin(), folded.end(), 0.0);
      for (const Index i : rows) {
        if (stopped.load(std::memory_order_relaxed) || job.isCancelled()) {
          stopped = true;
          return;
        }
        if (!together) source.fill(i, row, scratch);
        foldRow(row, picture.across, picture.reduce, folded);
      }
      for (Index c = 0; c < outCols; ++c) {
        double value = folded[static_cast<std::size_t>(c)];
        if (picture.reduce == EffectiveMatrix::Reduce::Mean) {
          const CellRange cells = picture.across.cells(c);
          value /= static_cast<double>(std::ssize(rows) * (cells.end - cells.begin));
        }
        pixels[static_cast<std::size_t>(r * outCols + c)] = static_cast<float>(value);
      }
      if (!job.advance()) stopped = true;
    }
  });
  if (stopped) return cancelled();
  return numbers;
}

std::vector<Index> rowsFrom(Index first, const CellRange& range) {
  std::vector<Index> rows;
  for (Index i = range.begin; i < range.end; ++i) rows.push_back(first + i);
  return rows;
}

}  // namespace

EffectiveMatrix::EffectiveMatrix(std::shared_ptr<const FrozenPlan> plan, AttentionInput input,
                                 RunResult run) {
  auto impl = std::make_shared<Impl>();
  impl->isSigned = planIsSigned(plan->plan(), run);
  impl->plan = std::move(plan);
  impl->input = std::move(input);
  impl->device = std::move(run.weights);
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

std::string EffectiveMatrix::fellBack() const {
  const std::lock_guard lock(m_impl->asking);
  return m_impl->fellBack;
}

namespace {

// The picture from the device, or an empty tensor where there is none or it does not answer. One that failed
// is not asked again.
Result<Tensor> fromDevice(const EffectiveMatrix::Impl& impl, const std::function<WeightPicture()>& picture,
                          const JobContext& job) {
  std::shared_ptr<const WeightSource> device;
  {
    const std::lock_guard lock(impl.asking);
    device = impl.device;
  }
  if (!device) return Tensor();
  const WeightPicture wanted = picture();
  if (wanted.rows.empty() || wanted.cols.empty()) return Tensor();
  auto numbers = device->numbers(wanted, job);
  if (numbers || numbers.error().kind != ErrorKind::Compute) return numbers;
  const std::lock_guard lock(impl.asking);
  impl.device = nullptr;
  impl.fellBack = fmt::format("maps of {} are computed on the CPU since {} failed: {}",
                              impl.plan->plan().mechanism, device->name(), numbers.error().message);
  return Tensor();
}

}  // namespace

Result<Tensor> EffectiveMatrix::block(Index head, Index row0, Index rows, Index col0, Index cols,
                                      const JobContext& job) const {
  return reduced(head, row0, rows, col0, cols, rows, cols, Reduce::Max, job);
}

Result<Tensor> EffectiveMatrix::reduced(Index head, Index row0, Index rows, Index col0, Index cols,
                                        Index outRows, Index outCols, Reduce reduce,
                                        const JobContext& job) const {
  const Reduction down = Reduction::to(rows, outRows);
  const Reduction across = Reduction::to(cols, outCols);
  const auto picture = [&] { return WeightPicture{head, {}, row0, col0, down.all(), across.all(), reduce}; };
  ATTN_ASSIGN(made, fromDevice(*m_impl, picture, job));
  if (!made.empty()) return made;
  const EffectiveRows source(*m_impl->plan, m_impl->input, m_impl->run, head, col0, cols, rows);
  const auto rowsOf = [&](Index r) { return rowsFrom(row0, down.cells(r)); };
  return paint(source, cols, {outRows, rowsOf, across, reduce}, job);
}

namespace {

// Columns that are looked at together: their keys stay in the cache while all rows pass by.
constexpr Index kSlabBytes = Index{1} << 20;

// Columns [begin, begin + width) of the numbers of `whole`.
void putColumns(const Tensor& part, Index begin, Tensor& whole) {
  const Index width = part.dim(1);
  for (Index r = 0; r < part.dim(0); ++r)
    std::copy_n(part.slice<float>(r).begin(), width, whole.mutableSlice<float>(r).begin() + begin);
}

}  // namespace

Result<Tensor> EffectiveMatrix::tile(Index head, Index row0, Index rows, int down, Index col0, Index cols,
                                     int across, Reduce reduce, const JobContext& job) const {
  const Reduction byRows = Reduction::byLevel(rows, down);
  const Reduction byCols = Reduction::byLevel(cols, across);
  const auto picture = [&] {
    return WeightPicture{head, {}, row0, col0, byRows.all(), byCols.all(), reduce};
  };
  ATTN_ASSIGN(made, fromDevice(*m_impl, picture, job));
  if (!made.empty()) return made;
  const auto rowsOf = [&](Index r) { return rowsFrom(row0, byRows.cells(r)); };
  const Index numbers = byCols.numbers();
  const Index width = std::max<Index>(1, kSlabBytes / (4 * m_impl->plan->plan().shape.d) >> across);
  Tensor whole(DType::F32, {byRows.numbers(), numbers});
  for (Index first = 0; first < numbers; first += width) {
    const Index begin = first << across;
    const Index count = std::min(width << across, cols - begin);
    const EffectiveRows source(*m_impl->plan, m_impl->input, m_impl->run, head, col0 + begin, count, rows);
    ATTN_ASSIGN(part, paint(source, count,
                            {byRows.numbers(), rowsOf, Reduction::byLevel(count, across), reduce}, job));
    putColumns(part, first, whole);
  }
  return whole;
}

Result<Tensor> EffectiveMatrix::sampledRows(Index head, std::span<const Index> rows, Index col0, Index cols,
                                            Index outCols, Reduce reduce, const JobContext& job) const {
  const auto count = static_cast<Index>(rows.size());
  const auto rowsOf = [&](Index r) { return std::vector<Index>{rows[static_cast<std::size_t>(r)]}; };
  const Index cell = std::max<Index>(1, cols / outCols);
  const Index width = std::max<Index>(1, kSlabBytes / (4 * m_impl->plan->plan().shape.d) / cell);
  const Reduction all = Reduction::to(cols, outCols);
  const auto picture = [&] {
    return WeightPicture{
        head, {rows.begin(), rows.end()}, 0, col0, Reduction::to(count, count).all(), all.all(), reduce};
  };
  ATTN_ASSIGN(made, fromDevice(*m_impl, picture, job));
  if (!made.empty()) return made;
  Tensor whole(DType::F32, {count, outCols});
  for (Index first = 0; first < outCols; first += width) {
    const Index past = std::min(first + width, outCols);
    const Index begin = all.cells(first).begin;
    const Index extent = all.cells(past - 1).end - begin;
    const EffectiveRows source(*m_impl->plan, m_impl->input, m_impl->run, head, col0 + begin, extent, count);
    ATTN_ASSIGN(part, paint(source, extent, {count, rowsOf, all.part(first, past), reduce}, job));
    putColumns(part, first, whole);
  }
  return whole;
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

Status requireRoomFor(Index heads, Index rows, Index cols) {
  return requireMemory(
      4.0 * static_cast<double>(heads) * static_cast<double>(rows) * static_cast<double>(cols),
      fmt::format("The {} x {} x {} matrix", heads, rows, cols));
}

Result<Tensor> matrixBySlabs(const Backend& backend, const FrozenPlan& frozen, const AttentionInput& input,
                             RunOptions options, Axis axis, const JobContext& job, std::string* fellBack) {
  const Plan& plan = frozen.plan();
  const Shape& shape = plan.shape;
  const Index cols = shape.nK + (axis == Axis::Tokens ? 0 : plan.slotCount);
  const bool slotRows = axis == Axis::ExtendedBothSides && plan.slotOut != kNoBuffer;
  const Index rows = shape.nQ + (slotRows ? plan.slotCount : 0);
  ATTN_TRY(requireRoomFor(shape.heads, rows, cols));
  Tensor matrix(DType::F32, {shape.heads, rows, cols});
  options.keepBuffers = slotRows;
  job.beginPhase(static_cast<double>((cols + shape.dV - 1) / shape.dV));
  for (Index begin = 0; begin < cols; begin += shape.dV) {
    options.identity = IdentitySlab{begin, shape.dV, axis != Axis::Tokens};
    ATTN_ASSIGN(run, backend.run(frozen, input, options, job.quiet()));
    if (fellBack != nullptr && fellBack->empty()) *fellBack = run.fellBack;
    const Index width = std::min(shape.dV, cols - begin);
    copySlab(run.out, begin, width, 0, matrix);
    if (slotRows)
      copySlab(run.buffers.at(plan.buffers[static_cast<std::size_t>(plan.slotOut)].name), begin, width,
               shape.nQ, matrix);
    if (!job.advance()) return cancelled();
  }
  return matrix;
}

}  // namespace

Status requireMatrixMemory(const Plan& plan) {
  return requireRoomFor(plan.shape.heads, plan.shape.nQ, plan.shape.nK);
}

Result<Tensor> executedMatrix(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                              const RunOptions& options, const JobContext& job, std::string* fellBack) {
  return matrixBySlabs(backend, plan, input, options, Axis::Tokens, job, fellBack);
}

Result<Tensor> extendedMatrix(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                              const RunOptions& options, const JobContext& job, std::string* fellBack) {
  return matrixBySlabs(backend, plan, input, options, Axis::ExtendedBothSides, job, fellBack);
}

std::vector<Index> extendedMatrixShape(const Plan& plan) {
  return {plan.shape.heads, plan.shape.nQ + (plan.slotOut == kNoBuffer ? 0 : plan.slotCount),
          plan.shape.nK + plan.slotCount};
}

Result<Tensor> maskProbe(const Backend& backend, const FrozenPlan& plan, const AttentionInput& input,
                         const RunOptions& options, const JobContext& job) {
  RunOptions probe = options;
  probe.zeroLogits = true;
  return matrixBySlabs(backend, plan, input, probe, Axis::Extended, job, nullptr);
}

}  // namespace attnscope
