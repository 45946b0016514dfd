// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/analysis/cost.h"

#include <algorithm>
#include <functional>
#include <map>

namespace attnscope {

namespace {

double cells(const Plan& plan, BufferId id) {
  if (id == kNoBuffer) return 0.0;
  const BufferSpec& buffer = plan.buffers[static_cast<std::size_t>(id)];
  return static_cast<double>(plan.shape.heads) * static_cast<double>(buffer.rows) *
         static_cast<double>(buffer.cols);
}

// What a pattern asks of a kernel.
struct PatternWork {
  double pairs = 0.0;
  double tiles = 0.0;
  double bytes = 0.0;  // of its tile map
};
using WorkOf = std::function<PatternWork(std::size_t step, Index head)>;

PatternWork executedWork(const FrozenPlan& frozen, std::size_t step, Index head) {
  const TileMap& map = frozen.tiles(step, head);
  return {static_cast<double>(map.pairs()), static_cast<double>(map.tiles()),
          static_cast<double>(map.bytes())};
}

// Some rows of a pattern, each of which stands for `factor` rows.
struct SampledRows {
  PatternPtr rows;
  double factor = 1.0;
};
constexpr Index kSampledTileRows = 48;

PatternPtr tileRowsOf(const PatternPtr& pattern, Index count, const std::function<Index(Index)>& firstRow) {
  return makePattern(count * kTile, pattern->cols(), [pattern, firstRow](Index i, RunList& runs) {
    pattern->row(firstRow(i / kTile) + i % kTile, runs);
  });
}

// The first and the last rows as they are (that is where global tokens are), and of those between them rows
// of tiles that are spread evenly. Few rows are taken whole.
std::vector<SampledRows> sampleOf(const PatternPtr& pattern) {
  const Index rows = pattern->rows();
  if (rows <= 2 * kSampledTileRows * kTile) return {{pattern, 1.0}};
  const Index between = rows - 2 * kTile;
  const auto spread = [between](Index tile) {
    return kTile + (2 * tile + 1) * between / (2 * kSampledTileRows) / kTile * kTile;
  };
  const auto ends = [rows](Index tile) { return tile == 0 ? 0 : rows - kTile; };
  return {{tileRowsOf(pattern, 2, ends), 1.0},
          {tileRowsOf(pattern, kSampledTileRows, spread),
           static_cast<double>(between) / static_cast<double>(kSampledTileRows * kTile)}};
}

PatternWork sampledWork(const PatternPtr& pattern) {
  PatternWork work;
  for (const SampledRows& sample : sampleOf(pattern)) {
    const auto map = TileMap::build(*sample.rows, {});
    if (!map) continue;  // only cancelling could be the reason
    work.pairs += sample.factor * static_cast<double>((*map)->pairs());
    work.tiles += sample.factor * static_cast<double>((*map)->tiles());
    work.bytes += sample.factor * static_cast<double>((*map)->bytes());
  }
  return work;
}

// Adds what one step compares, multiplies and moves.
class StepCounter {
 public:
  StepCounter(const FrozenPlan& frozen, WorkOf workOf, Cost& cost)
      : m_plan(frozen.plan()), m_workOf(std::move(workOf)), m_cost(cost) {}

  void count(std::size_t index) {
    m_index = index;
    std::visit(*this, m_plan.steps[index]);
  }

  void operator()(const AttendStep& step) const {
    double pairs = 0.0;
    double tiles = 0.0;
    for (Index h = 0; h < m_plan.shape.heads; ++h) {
      const PatternWork work = m_workOf(m_index, h);
      pairs += work.pairs;
      tiles += work.tiles;
    }
    m_cost.pairs += pairs;
    m_cost.tiles += tiles;
    const auto width = cols(step.q) + cols(step.v) + cols(step.v2);
    // Two products, an exponential, and what each further term adds.
    m_cost.flops += pairs * (2.0 * width + 1.0 + 2.0 * static_cast<double>(step.terms.size()));
    // Keys and values are read again for every row of tiles; queries and outputs once.
    m_cost.bytesRead +=
        4.0 * (tiles * static_cast<double>(kTile) * width + cells(m_plan, step.q) + cells(m_plan, step.out));
    for (const ScoreTerm& term : step.terms)
      if (std::holds_alternative<TableTerm>(term)) m_cost.bytesRead += 4.0 * pairs;
  }
  void operator()(const MergeStep& step) const {
    m_cost.flops += 2.0 * static_cast<double>(step.outs.size()) * cells(m_plan, step.out);
    m_cost.bytesRead += 4.0 * static_cast<double>(step.outs.size() + 1) * cells(m_plan, step.out);
  }
  void operator()(const ProjectStep& step) const {
    const auto n = static_cast<double>(m_plan.buffers[static_cast<std::size_t>(step.in)].rows);
    const bool dense = std::holds_alternative<Tensor>(step.weight);
    if (const auto* blocks = std::get_if<BlockMix>(&step.weight)) {
      m_cost.flops += 2.0 * cells(m_plan, step.out) * static_cast<double>(blocks->mix.dim(2));
      m_cost.bytesRead += 4.0 * (cells(m_plan, step.in) + cells(m_plan, step.out));
      return;
    }
    m_cost.flops += dense ? 2.0 * n * cells(m_plan, step.out) : cells(m_plan, step.in);
    m_cost.bytesRead += 4.0 * (cells(m_plan, step.in) + cells(m_plan, step.out));
    if (dense) m_cost.bytesRead += static_cast<double>(std::get<Tensor>(step.weight).bytes());
  }
  void operator()(const ConvolveStep& step) const {
    m_cost.flops += 2.0 * cells(m_plan, step.in) * static_cast<double>(step.weight.dim(3));
    m_cost.bytesRead +=
        4.0 * (cells(m_plan, step.in) + cells(m_plan, step.out)) + static_cast<double>(step.weight.bytes());
  }
  void operator()(const NormaliseRowsStep& step) const { elementwise(step.in, step.out, 3.0); }
  void operator()(const FeatureMapStep& step) const { elementwise(step.in, step.out, 1.0); }
  void operator()(const RandomFeatureStep& step) const {
    const double products = 2.0 * cells(m_plan, step.in) * static_cast<double>(step.omega.dim(1));
    m_cost.flops += products + cells(m_plan, step.out);  // and one function each
    m_cost.bytesRead +=
        4.0 * (cells(m_plan, step.in) + cells(m_plan, step.out)) + static_cast<double>(step.omega.bytes());
  }
  void operator()(const GatherStep& step) const {
    double entries = 0.0;
    for (const auto& rows : step.heads) entries += static_cast<double>(rows->entries.size());
    m_cost.flops += 2.0 * entries * cols(step.out);
    m_cost.bytesRead += 4.0 * (entries * cols(step.out) + cells(m_plan, step.out));
  }
  void operator()(const AffineStep& step) const {
    elementwise(step.in, step.out, step.weight.empty() ? 1.0 : 2.0 * cols(step.in));
  }
  void operator()(const ConcatStep& step) const { elementwise(step.out, step.out, 1.0); }
  void operator()(const RotateStep& step) const { elementwise(step.in, step.out, 3.0); }
  void operator()(const LinearAttendStep& step) const {
    const auto r = static_cast<double>(m_plan.buffers[static_cast<std::size_t>(step.phiK)].cols);
    const auto dV = static_cast<double>(m_plan.shape.dV);
    const auto heads = static_cast<double>(m_plan.shape.heads);
    const auto nQ = static_cast<double>(m_plan.shape.nQ);
    const auto nK = static_cast<double>(m_plan.shape.nK);
    m_cost.flops += heads * (2.0 * nK * r * dV + nK * r + 2.0 * nQ * r * (dV + 1.0));
    if (step.causal)
      m_cost.flops += heads * nQ * static_cast<double>(std::min(step.chunk, m_plan.shape.nK)) * (r + dV);
    // Exponents become features once for every reading.
    if (step.exponents) m_cost.flops += heads * (nQ + (step.causal ? 2.0 : 1.0) * nK) * r;
    m_cost.bytesRead +=
        4.0 * (cells(m_plan, step.phiQ) + 2.0 * cells(m_plan, step.phiK) + cells(m_plan, step.out));
  }

 private:
  [[nodiscard]] double cols(BufferId id) const {
    return id == kNoBuffer ? 0.0 : static_cast<double>(m_plan.buffers[static_cast<std::size_t>(id)].cols);
  }
  void elementwise(BufferId in, BufferId out, double flops) const {
    m_cost.flops += flops * cells(m_plan, out);
    m_cost.bytesRead += 4.0 * (cells(m_plan, in) + cells(m_plan, out));
  }

  const Plan& m_plan;
  WorkOf m_workOf;
  Cost& m_cost;
  std::size_t m_index = 0;
};

double tileMapBytes(const FrozenPlan& frozen) {
  double bytes = 0.0;
  for (std::size_t s = 0; s < frozen.plan().steps.size(); ++s)
    if (std::holds_alternative<AttendStep>(frozen.plan().steps[s]))
      for (Index h = 0; h < frozen.plan().shape.heads; ++h)
        if (h == 0 || &frozen.tiles(s, h) != &frozen.tiles(s, h - 1))
          bytes += static_cast<double>(frozen.tiles(s, h).bytes());
  return bytes;
}

// Pairs of the support of all heads; `countOf` counts those of one pattern.
template <class CountOf>
double supportPairs(const FrozenPlan& frozen, CountOf countOf) {
  std::vector<double> counts;
  for (Index h = 0; h < frozen.plan().shape.heads; ++h) {
    Index like = 0;
    while (like < h && !frozen.sameSupport(like, h)) ++like;
    counts.push_back(like < h ? counts[static_cast<std::size_t>(like)] : countOf(frozen.support(h)));
  }
  double sum = 0.0;
  for (const double count : counts) sum += count;
  return sum;
}

Cost costFrom(const FrozenPlan& frozen, const WorkOf& workOf, double support, double mapBytes) {
  const Plan& plan = frozen.plan();
  Cost cost;
  StepCounter counter(frozen, workOf, cost);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) counter.count(s);
  cost.support = support;
  cost.peakBytes = mapBytes;
  for (std::size_t b = 0; b < plan.buffers.size(); ++b)
    cost.peakBytes += 4.0 * cells(plan, static_cast<BufferId>(b));
  cost.peakBytes += 4.0 * (cells(plan, kKey) + cells(plan, kValue));  // the packed copies
  const double square = static_cast<double>(plan.shape.heads) * static_cast<double>(plan.shape.nQ) *
                        static_cast<double>(plan.shape.nK);
  cost.cellDensity = cost.support / square;
  const auto tileRows = static_cast<double>((plan.shape.nQ + kTile - 1) / kTile);
  const auto tileCols = static_cast<double>((plan.shape.nK + kTile - 1) / kTile);
  cost.tileDensity = cost.tiles / (static_cast<double>(plan.shape.heads) * tileRows * tileCols);
  return cost;
}

}  // namespace

Cost planCost(const FrozenPlan& frozen) {
  const double support = supportPairs(frozen, [](const PatternPtr& pattern) {
    return static_cast<double>(countPairs(*pattern, 0, pattern->rows(), 0, pattern->cols()));
  });
  return costFrom(
      frozen, [&](std::size_t step, Index head) { return executedWork(frozen, step, head); }, support,
      tileMapBytes(frozen));
}

Cost estimateCost(const FrozenPlan& frozen) {
  std::map<const Pattern*, PatternWork> known;
  const auto workOf = [&](std::size_t step, Index head) {
    const PatternPtr& pattern =
        std::get<AttendStep>(frozen.plan().steps[step]).heads[static_cast<std::size_t>(head)].pattern;
    const auto [at, isNew] = known.try_emplace(pattern.get());
    if (isNew) at->second = sampledWork(pattern);
    return at->second;
  };
  const double support = supportPairs(frozen, [](const PatternPtr& pattern) {
    double pairs = 0.0;
    for (const auto& [rows, factor] : sampleOf(pattern))
      pairs += factor * static_cast<double>(countPairs(*rows, 0, rows->rows(), 0, rows->cols()));
    return pairs;
  });
  Cost cost = costFrom(frozen, workOf, support, 0.0);
  for (const auto& [pattern, work] : known) cost.peakBytes += work.bytes;
  return cost;
}

}  // namespace attnscope
