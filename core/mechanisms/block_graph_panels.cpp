// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/block_graph_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/params/param_spec.h"

namespace attnscope {

namespace {

constexpr Index kDrawnBlocks = 512;  // of the block graph, at most

// The graph of blocks as a matrix of rules. A long sequence shows its first blocks only.
InsidePanel graphPanel(const FrozenPlan& plan, Index head, Index block) {
  const Index blocks = ceilDiv(plan.plan().shape.nK, block);
  const Index shown = std::min(blocks, kDrawnBlocks);
  InsidePanel panel;
  panel.title = shown < blocks ? fmt::format("Graph of the blocks, the first {} of {}", shown, blocks)
                               : "Graph of the blocks";
  panel.caption =
      "Weakest to strongest: window, global key, global query, random. The random blocks differ from head to "
      "head.";
  panel.xTitle = "key block";
  panel.yTitle = "query block";
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(
      groupsByBlock(plan.plan().shape.nK, block, shown, [](Index b) { return fmt::format("block {}", b); }));
  for (Index b = 0; b < std::ssize(*panel.groups); ++b)
    panel.rowGroup.push_back(static_cast<std::int32_t>(b));
  panel.columnGroup = panel.rowGroup;
  panel.values = Tensor::zeros(DType::F32, {shown, shown});
  auto cells = panel.values.mutableValues<float>();
  RunList runs;
  for (Index row = 0; row < shown; ++row) {
    plan.support(head)->row(row * block, runs);
    for (const Run& run : runs)
      for (Index b = run.begin / block;
           run.begin < plan.plan().shape.nK && b < std::min(shown, ceilDiv(run.end, block)); ++b)
        cells[static_cast<std::size_t>(row * shown + b)] = static_cast<float>(run.label + 1);
  }
  return panel;
}

// Steps from block to block along the reads of the graph, by breadth-first search.
InsidePanel hopsPanel(const InsidePanel& graph) {
  const Index blocks = graph.values.dim(0);
  const auto reads = graph.values.values<float>();
  InsidePanel panel;
  panel.title = "Distances in the graph";
  panel.xTitle = graph.xTitle;
  panel.yTitle = graph.yTitle;
  panel.groups = graph.groups;
  panel.rowGroup = graph.rowGroup;
  panel.columnGroup = graph.columnGroup;
  panel.values = Tensor::zeros(DType::F32, {blocks, blocks});
  double sum = 0.0;
  Index reached = 0;
  Index farthest = 0;
  for (Index from = 0; from < blocks; ++from) {
    auto hops = panel.values.mutableSlice<float>(from);
    std::vector<Index> wave{from};
    std::vector<bool> seen(static_cast<std::size_t>(blocks), false);
    seen[static_cast<std::size_t>(from)] = true;
    for (Index step = 1; !wave.empty(); ++step) {
      std::vector<Index> next;
      for (const Index at : wave)
        for (Index to = 0; to < blocks; ++to) {
          if (seen[static_cast<std::size_t>(to)] || reads[static_cast<std::size_t>(at * blocks + to)] == 0.0F)
            continue;
          seen[static_cast<std::size_t>(to)] = true;
          hops[static_cast<std::size_t>(to)] = static_cast<float>(step);
          next.push_back(to);
          sum += static_cast<double>(step);
          farthest = std::max(farthest, step);
          ++reached;
        }
      wave = std::move(next);
    }
  }
  panel.caption = fmt::format(
      "Layers until the row's block hears from the column's: {:.2f} on average, {} at most{}.",
      sum / static_cast<double>(std::max<Index>(1, reached)), farthest,
      reached < blocks * (blocks - 1) ? fmt::format("; {} pairs never", blocks * (blocks - 1) - reached)
                                      : "");
  return panel;
}

}  // namespace

std::vector<InsidePanel> blockGraphPanels(const FrozenPlan& plan, Index head, Index block) {
  InsidePanel graph = graphPanel(plan, head, block);
  const Index blocks = graph.values.dim(0);
  const auto cells = graph.values.values<float>();
  const auto labelAt = [&](Index from, Index to) {
    return static_cast<int>(cells[static_cast<std::size_t>(from * blocks + to)]) - 1;
  };
  InsidePanel ring;
  ring.kind = InsidePanel::Kind::Scatter;
  ring.title = "The graph as a ring";
  ring.caption =
      "Blocks in the order of the text; a line for each pair that reads, in the colour of its rule.";
  ring.points = Tensor(DType::F32, {blocks, 2});
  ring.groups = graph.groups;
  ring.itemGroup = graph.rowGroup;
  auto points = ring.points.mutableValues<float>();
  for (Index b = 0; b < blocks; ++b) {
    const double turn = 2.0 * M_PI * static_cast<double>(b) / static_cast<double>(blocks);
    points[static_cast<std::size_t>(2 * b)] = static_cast<float>(std::sin(turn));
    points[static_cast<std::size_t>(2 * b + 1)] = static_cast<float>(std::cos(turn));
    ring.group.push_back(-1);
    for (Index to = 0; to < blocks; ++to)
      if (const int label = labelAt(b, to); label >= 0 && to != b)
        ring.edges.push_back({static_cast<std::int32_t>(b), static_cast<std::int32_t>(to), label});
  }
  std::vector<InsidePanel> panels;
  panels.push_back(std::move(graph));
  panels.push_back(std::move(ring));
  panels.push_back(hopsPanel(panels[0]));
  return panels;
}

}  // namespace attnscope
