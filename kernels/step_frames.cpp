// SPDX-License-Identifier: GPL-3.0-or-later
#include "kernels/step_frames.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "core/raster/coverage.h"
#include "kernels/buffer_names.h"

namespace attnscope {

namespace {

constexpr Index kMostPixels = 256;

// Values of one head, at most 256 x 256: every pixel is the mean of the finite cells that it stands for.
InsidePanel valuesPanel(const BufferWords& words, std::span<const float> cells, Index rows, Index cols) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = words.name;
  panel.xTitle = words.column;
  panel.yTitle = words.row;
  panel.xTokens.count = cols;
  panel.yTokens.count = rows;
  panel.caption = rows > kMostPixels || cols > kMostPixels ? "Neighbouring cells are averaged." : "";
  const Index outRows = std::min(rows, kMostPixels);
  const Index outCols = std::min(cols, kMostPixels);
  panel.values = Tensor(DType::F32, {outRows, outCols});
  auto pixels = panel.values.mutableValues<float>();
  for (Index r = 0; r < outRows; ++r)
    for (Index c = 0; c < outCols; ++c) {
      double sum = 0.0;
      Index count = 0;
      for (Index i = r * rows / outRows; i < (r + 1) * rows / outRows; ++i)
        for (Index j = c * cols / outCols; j < (c + 1) * cols / outCols; ++j)
          if (const float x = cells[static_cast<std::size_t>(i * cols + j)]; std::isfinite(x)) {
            sum += x;
            ++count;
          }
      pixels[static_cast<std::size_t>(r * outCols + c)] =
          count > 0 ? static_cast<float>(sum / static_cast<double>(count)) : 0.0F;
    }
  panel.diverging = std::any_of(pixels.begin(), pixels.end(), [](float x) { return x < 0.0F; });
  return panel;
}

class FrameMaker {
 public:
  FrameMaker(const Exploration& exploration, Index head, const JobContext& job)
      : m_exploration(exploration), m_plan(exploration.call.plan->plan()), m_head(head), m_job(job) {}

  Result<StepFrame> make(std::size_t index) {
    m_index = index;
    StepFrame frame;
    frame.title = stepTitle(m_plan.steps[index]);
    if (index < m_exploration.steps.size()) frame.seconds = m_exploration.steps[index].seconds;
    frame.sentence = std::visit([this](const auto& step) { return sentence(step); }, m_plan.steps[index]);
    if (const auto* attend = std::get_if<AttendStep>(&m_plan.steps[index])) {
      ATTN_ASSIGN(compared, comparedPanel(*attend));
      frame.panels.push_back(std::move(compared));
    }
    if (auto made = writtenPanel(m_plan.steps[index])) frame.panels.push_back(std::move(*made));
    return frame;
  }

 private:
  [[nodiscard]] const BufferSpec& buffer(BufferId id) const {
    return m_plan.buffers[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] static std::string count(Index n, const char* one, const char* many) {
    return fmt::format("{} {}", countText(n), n == 1 ? one : many);
  }
  [[nodiscard]] std::string shapeOf(BufferId id) const {
    return fmt::format("{} of {}", count(buffer(id).rows, "row", "rows"),
                       count(buffer(id).cols, "number", "numbers"));
  }

  [[nodiscard]] std::string sentence(const AttendStep& step) const {
    const TileMap& tiles = m_exploration.call.plan->tiles(m_index, m_head);
    const HeadAttend& head = step.heads[static_cast<std::size_t>(m_head)];
    return fmt::format(
        "{} compared with {}: {} in {} of 64 x 64.{}", count(tiles.rows(), "query is", "queries are"),
        count(tiles.cols(), step.axis == KeyAxis::Slots ? "slot" : "key",
              step.axis == KeyAxis::Slots ? "slots" : "keys"),
        count(tiles.pairs(), "pair", "pairs"), count(tiles.tiles(), "tile", "tiles"),
        head.queryOrder || head.keyOrder
            ? " They stand in an order of their own, so that what belongs together is side by side."
            : "");
  }
  [[nodiscard]] std::string sentence(const MergeStep& step) const {
    return fmt::format(
        "{} results of the same queries become one softmax: each counts by the sum of its exponentials.",
        step.outs.size());
  }
  [[nodiscard]] std::string sentence(const ProjectStep& step) const {
    const char* how = std::holds_alternative<BlockMix>(step.weight) ? "mixed block by block into"
                      : std::holds_alternative<SegmentReduce>(step.weight)
                          ? "reduced, segment by segment, to"
                          : "multiplied along the length into";
    return fmt::format("{} are {} {}.", count(buffer(step.in).rows, "row", "rows"), how,
                       count(buffer(step.out).rows, "slot", "slots"));
  }
  [[nodiscard]] std::string sentence(const ConvolveStep& step) const {
    return fmt::format("A convolution with stride {} makes {} of {}.", step.weight.dim(1),
                       count(buffer(step.out).rows, "slot", "slots"),
                       count(buffer(step.in).rows, "row", "rows"));
  }
  [[nodiscard]] std::string sentence(const NormaliseRowsStep& step) const {
    return fmt::format("{} are brought to {}.", shapeOf(step.in),
                       step.kind == NormaliseRowsStep::Kind::Unit ? "length 1" : "mean 0 and variance 1");
  }
  [[nodiscard]] std::string sentence(const FeatureMapStep& step) const {
    return fmt::format("Each of {} is mapped to {}.", count(buffer(step.in).rows, "row", "rows"),
                       count(buffer(step.out).cols, "feature", "features"));
  }
  [[nodiscard]] std::string sentence(const RandomFeatureStep& step) const {
    return fmt::format("Each of {} is projected on {} and mapped to {}.",
                       count(buffer(step.in).rows, "row", "rows"),
                       count(step.omega.dim(1), "random direction", "random directions"),
                       count(buffer(step.out).cols, "feature", "features"));
  }
  [[nodiscard]] std::string sentence(const LinearAttendStep& step) const {
    return fmt::format("{} go into a state of {} x {} numbers, and {} read it{}: no pair is compared.",
                       count(buffer(step.phiK).rows, "key", "keys"), buffer(step.phiK).cols,
                       buffer(step.out).cols, count(buffer(step.phiQ).rows, "query", "queries"),
                       step.causal ? " as it stands at their place" : "");
  }
  [[nodiscard]] std::string sentence(const GatherStep& step) const {
    const SparseRows& rows = *step.heads[static_cast<std::size_t>(m_head)];
    return fmt::format("{} are put together from {}.", count(buffer(step.out).rows, "row", "rows"),
                       count(static_cast<Index>(rows.entries.size()), "weighted row", "weighted rows"));
  }
  [[nodiscard]] std::string sentence(const AffineStep& step) const {
    return fmt::format("{} {} {}.", shapeOf(step.in),
                       step.weight.empty() ? "get a constant added:" : "become", shapeOf(step.out));
  }
  [[nodiscard]] std::string sentence(const ConcatStep& step) const {
    return fmt::format("Columns of {} buffers stand side by side: {}.", step.in.size(), shapeOf(step.out));
  }
  [[nodiscard]] std::string sentence(const RotateStep& step) const {
    return fmt::format(
        "{} are turned by their positions, so that a product with a key depends on the distance.",
        count(buffer(step.in).rows, "row", "rows"));
  }

  [[nodiscard]] Result<InsidePanel> comparedPanel(const AttendStep& step) const {
    const HeadAttend& head = step.heads[static_cast<std::size_t>(m_head)];
    const Pattern& pattern = *head.pattern;
    InsidePanel panel;
    panel.kind = InsidePanel::Kind::Matrix;
    panel.title = "Compared";
    panel.xTitle = step.axis == KeyAxis::Slots ? "slot" : "key";
    if (head.keyOrder) panel.xTitle += ", in the order of this step";
    panel.yTitle = head.queryOrder ? "query, in the order of this step" : "query";
    panel.caption = "Share of the pairs that are compared, as this step executes them.";
    const Index outRows = std::min(pattern.rows(), kMostPixels);
    const Index outCols = std::min(pattern.cols(), kMostPixels);
    panel.xTokens.count = pattern.cols();
    panel.yTokens.count = pattern.rows();
    ATTN_ASSIGN(coverage, coverageOf(pattern, 0, pattern.rows(), 0, pattern.cols(), outRows, outCols, m_job));
    panel.values = Tensor::fromFloats({outRows, outCols}, coverage.share);
    return panel;
  }

  [[nodiscard]] std::optional<InsidePanel> writtenPanel(const Step& step) const {
    const BufferSpec& spec = buffer(std::visit([](const auto& one) { return one.out; }, step));
    const auto found = m_exploration.buffers->find(spec.name);
    if (found == m_exploration.buffers->end()) return std::nullopt;
    const Tensor& tensor = found->second;
    return valuesPanel(wordsOf(m_plan, step),
                       tensor.slice<float>(m_head * tensor.dim(0) / m_plan.shape.heads), spec.rows,
                       spec.cols);
  }

  const Exploration& m_exploration;
  const Plan& m_plan;
  Index m_head;
  const JobContext& m_job;
  std::size_t m_index = 0;
};

StepFrame inputFrame(const Exploration& exploration, Index head) {
  const AttentionInput& input = exploration.input;
  const Shape shape = input.shape();
  StepFrame frame;
  frame.title = "input";
  frame.sentence =
      fmt::format("{} queries meet {} keys and values of {} numbers, in {}.", countText(shape.nQ),
                  countText(shape.nK), shape.d, shape.heads == 1 ? "one head" : "each head");
  frame.panels.push_back(
      valuesPanel({"Queries", "query", "channel"}, input.q.slice<float>(head), shape.nQ, shape.d));
  frame.panels.push_back(
      valuesPanel({"Keys", "key", "channel"}, input.k.slice<float>(input.kvHead(head)), shape.nK, shape.d));
  return frame;
}

// Its pictures are those of the insides; here each stands alone.
StepFrame decisionFrame(Decision decision) {
  StepFrame frame;
  frame.title = std::move(decision.title);
  frame.sentence = std::move(decision.sentence);
  frame.panels = std::move(decision.panels);
  for (InsidePanel& panel : frame.panels) panel.series.clear();
  return frame;
}

}  // namespace

Result<std::vector<StepFrame>> framesOf(const Exploration& exploration, Index head, const JobContext& job) {
  if (!exploration.hasPass())
    return fail(ErrorKind::Usage,
                "The steps are shown from a pass, which has not run. Compute it from the map first.");
  std::vector<StepFrame> frames{inputFrame(exploration, head)};
  ATTN_ASSIGN(decisions, exploration.decisions(head, job));
  auto decision = decisions.begin();
  FrameMaker maker(exploration, head, job);
  for (std::size_t s = 0; s < exploration.call.plan->plan().steps.size(); ++s) {
    if (job.isCancelled()) return cancelled();
    for (; decision != decisions.end() && decision->step <= static_cast<Index>(s); ++decision)
      frames.push_back(decisionFrame(std::move(*decision)));
    ATTN_ASSIGN(frame, maker.make(s));
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace attnscope
