// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/cuda/host/device_weights.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/host/steps.h"

namespace attnscope::cuda {

namespace {

constexpr Index kLongestNumber = 1024;  // cells of an axis that one block sums
constexpr Index kMostGroups = 65535;    // of rows in a launch
constexpr int kPatience = 100;          // milliseconds that a picture waits for a pass

// Numbers of one axis as the kernel makes them: long ones in parts.
struct Axis {
  std::vector<Cells> cells;
  std::vector<std::size_t> number;  // that a part belongs to
  std::vector<Cells> groups;
  std::vector<Index> tiles;  // of a group
  Index allTiles = 0;

  explicit Axis(const std::vector<CellRange>& ranges) {
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      const Index size = ranges[r].end - ranges[r].begin;
      const Index parts = (size + kLongestNumber - 1) / kLongestNumber;
      for (Index p = 0; p < parts; ++p) {
        cells.push_back({static_cast<std::int32_t>(ranges[r].begin + p * size / parts),
                         static_cast<std::int32_t>(ranges[r].begin + (p + 1) * size / parts)});
        number.push_back(r);
      }
    }
    for (std::size_t first = 0; first < cells.size();) {
      std::size_t past = first + 1;
      while (past < cells.size() && past - first < kSide && cells[past].end - cells[first].begin <= kSide)
        ++past;
      groups.push_back({static_cast<std::int32_t>(first), static_cast<std::int32_t>(past)});
      tiles.push_back((cells[past - 1].end - cells[first].begin + kSide - 1) / kSide);
      allTiles += tiles.back();
      first = past;
    }
  }
  [[nodiscard]] Index count() const { return static_cast<Index>(groups.size()); }
  // Groups from `first` on that have at most so many tiles, at least one.
  [[nodiscard]] Index past(Index first, double budget, Index most) const {
    Index end = first;
    double sum = 0.0;
    do sum += static_cast<double>(tiles[static_cast<std::size_t>(end++)]);
    while (end < count() && end - first < most &&
           sum + static_cast<double>(tiles[static_cast<std::size_t>(end)]) <= budget);
    return end;
  }
  [[nodiscard]] Index tilesOf(Index first, Index past) const {
    Index sum = 0;
    for (Index g = first; g < past; ++g) sum += tiles[static_cast<std::size_t>(g)];
    return sum;
  }
};

double size(const Cells& cells) {
  return static_cast<double>(cells.end - cells.begin);
}

// The numbers of a picture from their parts.
Tensor joinParts(Tensor parts, const Axis& rows, const Axis& cols, const WeightPicture& picture) {
  const std::size_t outCols = picture.cols.size();
  if (rows.cells.size() == picture.rows.size() && cols.cells.size() == outCols) return parts;
  std::vector<double> numbers(picture.rows.size() * outCols, 0.0);
  const bool mean = picture.reduce == WeightReduce::Mean;
  for (std::size_t r = 0; r < rows.cells.size(); ++r) {
    const auto from = parts.slice<float>(static_cast<Index>(r));
    for (std::size_t c = 0; c < cols.cells.size(); ++c) {
      double& number = numbers[rows.number[r] * outCols + cols.number[c]];
      const auto value = static_cast<double>(from[c]);
      number = mean ? number + value * size(rows.cells[r]) * size(cols.cells[c]) : std::max(number, value);
    }
  }
  Tensor joined(DType::F32, {static_cast<Index>(picture.rows.size()), static_cast<Index>(outCols)});
  auto values = joined.mutableValues<float>();
  const auto count = [](const CellRange& range) { return static_cast<double>(range.end - range.begin); };
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (mean) numbers[i] /= count(picture.rows[i / outCols]) * count(picture.cols[i % outCols]);
    values[i] = static_cast<float>(numbers[i]);
  }
  return joined;
}

class WeightMemory final : public Holding {
 public:
  explicit WeightMemory(std::vector<SharedMemory> memory) : m_memory(std::move(memory)) {}
  [[nodiscard]] std::vector<SharedMemory> memory() const override { return m_memory; }
  void giveUp() override { m_memory.clear(); }

 private:
  std::vector<SharedMemory> m_memory;
};

class DeviceWeights final : public WeightSource {
 public:
  DeviceWeights(std::shared_ptr<SharedDevice> device, std::vector<SharedMemory> memory, WeightsArgs args,
                double width)
      : m_device(std::move(device)),
        m_name(m_device->info().id),
        m_memory(std::make_shared<WeightMemory>(std::move(memory))),
        m_args(args),
        m_width(width) {
    m_device->add(m_memory);
  }
  ~DeviceWeights() override { m_device->letGo(m_memory); }
  DeviceWeights(const DeviceWeights&) = delete;
  DeviceWeights& operator=(const DeviceWeights&) = delete;

  [[nodiscard]] std::string name() const override { return m_name; }

  [[nodiscard]] Result<Tensor> numbers(const WeightPicture& picture, const JobContext& job) const override {
    ATTN_ASSIGN(turn, m_device->takeTurn(job, kPatience));
    if (!turn) return Tensor();
    if (m_memory->memory().empty())
      return fail(ErrorKind::Compute, "the memory that it kept for maps was needed for something else");
    m_device->touch(*m_memory);
    ATTN_TRY(m_device->device().activate());
    return Drawing(*this, picture, job).numbers();
  }

 private:
  // One picture.
  class Drawing {
   public:
    Drawing(const DeviceWeights& weights, const WeightPicture& picture, const JobContext& job)
        : m_weights(weights), m_picture(picture), m_job(job), m_rows(picture.rows), m_cols(picture.cols) {}

    Result<Tensor> numbers() {
      Tensor parts(DType::F32,
                   {static_cast<Index>(m_rows.cells.size()), static_cast<Index>(m_cols.cells.size())});
      ATTN_TRY(requireMemory(parts.bytes()));
      ATTN_TRY(describe());
      ATTN_ASSIGN(out, DeviceMemory::make(device(), parts.bytes()));
      m_args.out = out.as<float>();
      ATTN_TRY(launch());
      ATTN_TRY(device().download(parts.mutableValues<float>().data(), out.as<void>(), parts.bytes()));
      return joinParts(std::move(parts), m_rows, m_cols, m_picture);
    }

   private:
    [[nodiscard]] Device& device() const { return m_weights.m_device->device(); }

    Status requireMemory(std::size_t parts) {
      const std::size_t lists = sizeof(Cells) * (m_rows.cells.size() + m_cols.cells.size() +
                                                 m_rows.groups.size() + m_cols.groups.size()) +
                                sizeof(std::int32_t) * m_picture.queries.size();
      const double needed = static_cast<double>(parts + lists) / kUsableShare;
      if (m_weights.m_device->makeRoom(needed, m_weights.m_memory.get())) return {};
      return fail(ErrorKind::Compute, fmt::format("{} bytes for a map are not free", parts + lists));
    }

    template <class T>
    Result<const T*> upload(const std::vector<T>& values) {
      ATTN_ASSIGN(memory, DeviceMemory::make(device(), values.size() * sizeof(T)));
      if (!values.empty())
        ATTN_TRY(device().upload(memory.template as<void>(), values.data(), values.size() * sizeof(T)));
      m_uploaded.push_back(std::move(memory));
      return m_uploaded.back().template as<T>();
    }

    Status describe() {
      m_args = m_weights.m_args;
      m_args.head = static_cast<std::int32_t>(m_picture.head);
      m_args.row0 = m_picture.row0;
      m_args.col0 = m_picture.col0;
      m_args.mean = m_picture.reduce == WeightReduce::Mean ? 1 : 0;
      m_args.outCols = static_cast<std::int64_t>(m_cols.cells.size());
      if (!m_picture.queries.empty()) {
        ATTN_ASSIGN(queries,
                    upload(std::vector<std::int32_t>(m_picture.queries.begin(), m_picture.queries.end())));
        m_args.queries = queries;
      }
      ATTN_ASSIGN(rows, upload(m_rows.cells));
      ATTN_ASSIGN(cols, upload(m_cols.cells));
      ATTN_ASSIGN(rowGroups, upload(m_rows.groups));
      ATTN_ASSIGN(colGroups, upload(m_cols.groups));
      m_args.rows = rows;
      m_args.cols = cols;
      m_args.rowGroups = rowGroups;
      m_args.colGroups = colGroups;
      return {};
    }

    // Pieces of some milliseconds each, between which the job can be stopped.
    Status launch() {
      const double budget = kTilesPerLaunch / m_weights.m_width;
      m_job.beginPhase(static_cast<double>(m_rows.allTiles) * static_cast<double>(m_cols.allTiles));
      for (Index row = 0, pastRow = 0; row < m_rows.count(); row = pastRow) {
        pastRow = m_rows.past(row, budget / static_cast<double>(m_cols.allTiles), kMostGroups);
        const auto rowTiles = static_cast<double>(m_rows.tilesOf(row, pastRow));
        for (Index col = 0, pastCol = 0; col < m_cols.count(); col = pastCol) {
          pastCol = m_cols.past(col, budget / rowTiles, m_cols.count());
          m_args.firstRowGroup = static_cast<std::int32_t>(row);
          m_args.firstColGroup = static_cast<std::int32_t>(col);
          ATTN_TRY(device().launch(
              m_args, {static_cast<unsigned>(pastCol - col), static_cast<unsigned>(pastRow - row), 1}));
          ATTN_TRY(device().synchronise());
          if (!m_job.advance(rowTiles * static_cast<double>(m_cols.tilesOf(col, pastCol))))
            return cancelled();
        }
      }
      return {};
    }

    const DeviceWeights& m_weights;
    const WeightPicture& m_picture;
    const JobContext& m_job;
    Axis m_rows;
    Axis m_cols;
    WeightsArgs m_args{};
    std::vector<DeviceMemory> m_uploaded;
  };

  std::shared_ptr<SharedDevice> m_device;
  std::string m_name;
  std::shared_ptr<WeightMemory> m_memory;
  WeightsArgs m_args;
  double m_width;
};

// Parts of an order of which PlanOnDevice is asked, beside the order itself.
enum OrderPart : int { kOfQuery = 1, kKeyBegin, kKeyPlaces };

std::vector<std::int32_t> placesOfQueries(const std::vector<std::int32_t>& order, Index queries) {
  std::vector<std::int32_t> places(static_cast<std::size_t>(queries), -1);
  for (std::size_t p = 0; p < order.size(); ++p)
    places[static_cast<std::size_t>(order[p])] = static_cast<std::int32_t>(p);
  return places;
}

std::vector<std::int32_t> beginsOfKeys(const std::vector<std::int32_t>& order, Index keys) {
  std::vector<std::int32_t> begin(static_cast<std::size_t>(keys) + 1, 0);
  for (const std::int32_t key : order) ++begin[static_cast<std::size_t>(key) + 1];
  for (std::size_t j = 1; j < begin.size(); ++j) begin[j] += begin[j - 1];
  return begin;
}

std::vector<std::int32_t> placesOfKeys(const std::vector<std::int32_t>& order, Index keys) {
  std::vector<std::int32_t> next = beginsOfKeys(order, keys);
  std::vector<std::int32_t> places(order.size());
  for (std::size_t p = 0; p < order.size(); ++p)
    places[static_cast<std::size_t>(next[static_cast<std::size_t>(order[p])]++)] =
        static_cast<std::int32_t>(p);
  return places;
}

Result<HeadPositions> positionsOf(const HeadAttend& head, DeviceRun& run) {
  HeadPositions positions{};
  const Shape& shape = run.plan().shape;
  const auto keep = [&](const Order& order, OrderPart part, const auto& make, Index tokens) {
    return run.keep<std::int32_t>(order.get(), part, [&] { return make(*order, tokens); });
  };
  if (head.queryOrder) {
    ATTN_ASSIGN(ofQuery, keep(head.queryOrder, kOfQuery, placesOfQueries, shape.nQ));
    positions.ofQuery = ofQuery;
  }
  if (!head.keyOrder) return positions;
  ATTN_ASSIGN(keyBegin, keep(head.keyOrder, kKeyBegin, beginsOfKeys, shape.nK));
  ATTN_ASSIGN(keyPlaces, keep(head.keyOrder, kKeyPlaces, placesOfKeys, shape.nK));
  positions.keyBegin = keyBegin;
  positions.keyPlaces = keyPlaces;
  return positions;
}

Result<const HeadPositions*> keepHeadPositions(const AttendStep& step, DeviceRun& run) {
  std::vector<HeadPositions> heads;
  for (const HeadAttend& head : step.heads) {
    ATTN_ASSIGN(positions, positionsOf(head, run));
    heads.push_back(positions);
  }
  return run.keep<HeadPositions>(&step, 1, [&] { return heads; });
}

// Buffers that the logits of a step are made of, and its lse.
std::vector<BufferId> buffersOf(const AttendStep& step) {
  std::vector<BufferId> ids{step.lse};
  if (step.q != kNoBuffer) ids.insert(ids.end(), {step.q, step.k});
  for (const ScoreTerm& term : step.terms) {
    if (const auto* outer = std::get_if<OuterTerm>(&term)) ids.insert(ids.end(), {outer->a, outer->b});
    if (const auto* label = std::get_if<LabelTerm>(&term)) ids.push_back(label->scores);
  }
  return ids;
}

void append(std::vector<SharedMemory>& to, std::vector<SharedMemory> from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

WeightsOfRun::WeightsOfRun(const Plan& plan, bool wanted) {
  if (!wanted) return;
  if (auto steps = outputSteps(plan)) m_wanted = std::move(*steps);
}

Status WeightsOfRun::collect(std::size_t index, DeviceRun& run, std::vector<SharedMemory> stepMemory) {
  const auto wanted = std::find_if(m_wanted.begin(), m_wanted.end(),
                                   [index](const OutputStep& output) { return output.index == index; });
  if (wanted == m_wanted.end()) return {};
  const auto& step = std::get<AttendStep>(run.plan().steps[index]);
  const HeadPositions* positions = nullptr;
  if (wanted->overTokens) {
    ATTN_ASSIGN(kept, keepHeadPositions(step, run));
    positions = kept;
  }
  m_steps.push_back({run.executed(index), positions, wanted->overTokens ? 1 : 0});
  m_width += 0.5 + 0.5 * static_cast<double>(blocksOf(m_steps.back().attend.d, kSide));
  append(m_memory, std::move(stepMemory));
  append(m_memory, run.takeStepMemory());
  for (const BufferId id : buffersOf(step)) m_memory.push_back(run.memory(id));
  return {};
}

Result<std::shared_ptr<const WeightSource>> WeightsOfRun::source(
    DeviceRun& run, const std::shared_ptr<SharedDevice>& device) {
  if (m_steps.empty()) return nullptr;
  ATTN_ASSIGN(steps, run.upload(m_steps));
  append(m_memory, run.takeStepMemory());
  WeightsArgs args{};
  args.steps = steps;
  args.stepCount = static_cast<std::int32_t>(m_steps.size());
  return std::make_shared<const DeviceWeights>(device, std::move(m_memory), args, m_width);
}

double weightBytes(const Plan& plan) {
  const auto steps = outputSteps(plan);
  if (!steps) return 0.0;
  double bytes = 0.0;
  for (const OutputStep& output : *steps)
    for (const HeadAttend& head : std::get<AttendStep>(plan.steps[output.index]).heads) {
      bytes += static_cast<double>(sizeof(HeadPositions));
      if (head.queryOrder) bytes += 4.0 * static_cast<double>(plan.shape.nQ);
      if (head.keyOrder) bytes += 4.0 * static_cast<double>(plan.shape.nK + 1 + std::ssize(*head.keyOrder));
    }
  return bytes;
}

}  // namespace attnscope::cuda
