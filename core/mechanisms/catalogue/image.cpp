// SPDX-License-Identifier: GPL-3.0-or-later
// Image Transformer: Parmar, Vaswani, Uszkoreit, Kaiser, Shazeer, Ku, Tran, arXiv 1802.05751, section 4.2.
#include <fmt/format.h>

#include <algorithm>

#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/local_blocks.h"
#include "core/mechanisms/rule_panels.h"
#include "core/params/sides_param.h"

namespace attnscope {

namespace {

enum : std::uint8_t { kBlock = 0, kMemory = 1 };

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "image";
  card.name = "Image Transformer";
  card.family = Family::FixedPatterns;
  card.paper = "Image Transformer";
  card.authors = "Parmar, Vaswani, Uszkoreit, Kaiser, Shazeer, Ku, Tran";
  card.year = 2018;
  card.arxiv = "1802.05751";
  card.surveyComplexity = "O(n m)";
  card.countedComplexity = "n(l_q + l_p) compared (1d), n(h_q + h_m)(w_q + 2w_m) (2d): linear in n";
  card.causal = CausalSupport::CausalByDefault;
  card.summary =
      "A pixel mostly depends on its neighbourhood, so a whole block of queries shares one slightly larger "
      "block of keys. "
      "That turns sliding windows into plain small matrix products.";
  card.formula =
      "1d: M = [b l_q \u2212 l_p, (b + 1) l_q);  2d: the block, h_m rows above it and w_m columns on each "
      "side;  "
      "S\u1d62 = M \u2229 { t(j) \u2264 t(i) }";
  card.ours =
      "The two-way form (causal=off; 2d then has a margin below as well). The memory counts the extra keys, "
      "not all of them. "
      "Inputs are not shifted by one pixel: a query may read its own key.";
  return card;
}

void showOnlyFor(ParamSpec& spec, const std::string& kind) {
  spec.visibleWhenId = "kind";
  spec.visibleWhenValues = {kind};
}

std::vector<ParamSpec> makeParams() {
  const auto toN = [](const Shape& s) { return static_cast<double>(s.nK); };
  std::vector<ParamSpec> params;
  params.push_back(choiceParam("kind", "How the pixels are cut into blocks.", {"1d", "2d"},
                               {"runs of the flattened picture", "rectangles"}, "1d"));
  params.push_back(intParam(
      "query_block", "l_q", "Queries that share one memory (1d).", 1, toN,
      [](const Shape& s) { return ceilSqrt(s.nK); }, "ceil(sqrt n)"));
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{256}};
  params.back().paperText = "256";
  params.push_back(intParam(
      "memory", "l_p", "Extra keys before the block; on both sides when two-way (1d).", 0, noLimit,
      [](const Shape& s) { return ceilSqrt(s.nK); }, "l_q"));
  params.back().derivedDefault = [](const Shape&, const ParamValues& before) {
    return ParamValue{before.integer("query_block")};
  };
  params.back().unit = "tokens";
  params.back().paperValue = ParamValue{Index{256}};
  params.back().paperText = "256 before the block, in published code";
  showOnlyFor(params[1], "1d");
  showOnlyFor(params[2], "1d");
  params.push_back(gridParam("Height and width of the picture (2d)."));
  params.push_back(sidesParam("block", "h_q\u00d7w_q", "Height and width of a block of queries (2d).", 1,
                              "auto: ceil(sqrt H) x ceil(sqrt W)"));
  params.back().paperValue = ParamValue{std::string("8x32")};
  params.back().paperText = "8x32";
  params.back().examples = [](const Shape& s) {
    return std::vector<std::string>{kAutoSides, "1x1", "1x3", sidesText(squarestGrid(s.nK))};
  };
  params.push_back(sidesParam("flange", "h_m\u00d7w_m",
                              "Rows above the block and columns beside it that are read as well (2d).", 0,
                              "auto: as the block"));
  params.back().paperValue = ParamValue{std::string("8x16")};
  params.back().paperText = "8x16";
  params.back().examples = [](const Shape& s) {
    return std::vector<std::string>{kAutoSides, "0x0", "1x2", "2x0", fmt::format("{}x{}", s.nK, s.nK)};
  };
  for (std::size_t p = 3; p < 6; ++p) showOnlyFor(params[p], "2d");
  return params;
}

// The picture cut into blocks. Position t numbers pixels by block in raster order, and by raster inside a
// block: the order in which pictures are made, and the one in which a block of queries and most of its memory
// are contiguous.
struct Blocks {
  Grid grid;
  Grid block;
  Grid flange;

  [[nodiscard]] Index heightAt(Index y0) const { return std::min(block.height, grid.height - y0); }
  [[nodiscard]] Index widthAt(Index x0) const { return std::min(block.width, grid.width - x0); }
  [[nodiscard]] Index positionOf(Index y, Index x) const {
    const Index y0 = y / block.height * block.height;
    const Index x0 = x / block.width * block.width;
    return y0 * grid.width + heightAt(y0) * x0 + (y - y0) * widthAt(x0) + x - x0;
  }
};

struct Rectangle {
  Index top, bottom, left, right;  // bottom and right are not part of it
};

Rectangle memoryOf(const Blocks& blocks, Index y0, Index x0, bool causal) {
  const Index below = causal ? 0 : blocks.flange.height;
  return {std::max<Index>(0, y0 - blocks.flange.height),
          std::min(blocks.grid.height, y0 + blocks.block.height + below),
          std::max<Index>(0, x0 - blocks.flange.width),
          std::min(blocks.grid.width, x0 + blocks.block.width + blocks.flange.width)};
}

std::vector<std::int32_t> blockOrder(const Blocks& blocks) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(blocks.grid.height * blocks.grid.width));
  for (Index y = 0; y < blocks.grid.height; ++y)
    for (Index x = 0; x < blocks.grid.width; ++x)
      order[static_cast<std::size_t>(blocks.positionOf(y, x))] =
          static_cast<std::int32_t>(y * blocks.grid.width + x);
  return order;
}

// Walks over the blocks that the memory touches in raster order and over the rows in each: positions only
// rise.
void rectangleRuns(const Blocks& blocks, Index y, Index x, bool causal, RunList& runs) {
  const Index ownY = y / blocks.block.height * blocks.block.height;
  const Index ownX = x / blocks.block.width * blocks.block.width;
  const Index limit = causal ? blocks.positionOf(y, x) + 1 : blocks.grid.height * blocks.grid.width;
  const Rectangle memory = memoryOf(blocks, ownY, ownX, causal);
  for (Index y0 = memory.top / blocks.block.height * blocks.block.height; y0 < memory.bottom;
       y0 += blocks.block.height)
    for (Index x0 = memory.left / blocks.block.width * blocks.block.width; x0 < memory.right;
         x0 += blocks.block.width) {
      const std::uint8_t label = y0 == ownY && x0 == ownX ? kBlock : kMemory;
      const Index left = std::max(x0, memory.left);
      const Index count = std::min(x0 + blocks.block.width, memory.right) - left;
      const Index bottom = std::min(y0 + blocks.block.height, memory.bottom);
      for (Index row = std::max(y0, memory.top); row < bottom; ++row) {
        const Index begin = blocks.positionOf(row, left);
        const Index end = std::min(begin + count, limit);
        if (begin >= end) return;
        if (!runs.empty() && runs.back().end == begin && runs.back().label == label) {
          runs.back().end = end;
        } else {
          runs.push_back({begin, end, 1, label, 1});
        }
      }
    }
}

HeadAttend rectangles(const Blocks& blocks, bool causal) {
  const Index n = blocks.grid.height * blocks.grid.width;
  const Order order = makeOrder(blockOrder(blocks));
  return {order, order, makePattern(n, n, [blocks, causal, order](Index position, RunList& runs) {
            const Index token = (*order)[static_cast<std::size_t>(position)];
            rectangleRuns(blocks, token / blocks.grid.width, token % blocks.grid.width, causal, runs);
          })};
}

Result<Blocks> blocksOf(const AttentionInput& input, const ParamValues& params) {
  const Shape shape = input.shape();
  if (shape.nQ != shape.nK)
    return fail(ErrorKind::Usage,
                fmt::format("image: kind=2d needs as many queries as keys, since both are the pixels of one "
                            "picture, but the input has {} and {}. Use kind=1d.",
                            shape.nQ, shape.nK));
  Blocks blocks;
  blocks.grid = parseSides(params.text("grid")).value_or(input.grid.value_or(squarestGrid(shape.nK)));
  const Grid root{ceilSqrt(blocks.grid.height), ceilSqrt(blocks.grid.width)};
  blocks.block = parseSides(params.text("block")).value_or(root);
  blocks.flange = parseSides(params.text("flange")).value_or(blocks.block);
  if (blocks.block.height > blocks.grid.height || blocks.block.width > blocks.grid.width) {
    const Grid nearest{std::min(blocks.block.height, blocks.grid.height),
                       std::min(blocks.block.width, blocks.grid.width)};
    return fail(ErrorKind::Usage,
                fmt::format("image: a block of {} does not fit into the grid of {}. The nearest valid value "
                            "is {}.",
                            sidesText(blocks.block), sidesText(blocks.grid), sidesText(nearest)));
  }
  return blocks;
}

class ImageTransformer final : public Mechanism {
 public:
  ImageTransformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Result<Plan> ImageTransformer::lower(const LoweringRequest& request) const {
  const Shape shape = request.input.shape();
  const bool causal = request.options.causal;
  Plan plan = Plan::begin(card().id, shape, causal);
  JoinedAttention joined(plan, request.defaultScale());
  if (request.params.choice("kind") == "1d") {
    const Index block = request.params.integer("query_block");
    const Index memory = request.params.integer("memory");
    plan.labels = {Label{"block", fmt::format("in the query's own block of {}", block)},
                   Label{"memory", fmt::format("at most {} tokens outside the block", memory)}};
    joined.add(
        "blocks and their memory", "blocks",
        sameForAllHeads(shape.heads, {nullptr, nullptr,
                                      localBlocksPattern(shape, {block, memory, causal, kBlock, kMemory})}));
  } else {
    ATTN_ASSIGN(blocks, blocksOf(request.input, request.params));
    plan.labels = {
        Label{"block", fmt::format("in the query's own block of {} on the grid of {}",
                                   sidesText(blocks.block), sidesText(blocks.grid))},
        Label{"memory", fmt::format("in the margin of {} around the block", sidesText(blocks.flange))}};
    joined.add("rectangles and their memory", "blocks",
               sameForAllHeads(shape.heads, rectangles(blocks, causal)));
  }
  joined.finish("");
  return plan;
}

// Blocks with their memory, and the block of each cell of the grid.
void nameBlocks(InsidePanel& panel, const Blocks& blocks, bool causal) {
  panel.cellsAreTokens = true;
  const auto tokensOf = [&](const Rectangle& area) {
    std::vector<std::int32_t> tokens;
    for (Index y = area.top; y < area.bottom; ++y)
      for (Index x = area.left; x < area.right; ++x)
        tokens.push_back(static_cast<std::int32_t>(y * blocks.grid.width + x));
    return rangesOf(std::move(tokens));
  };
  std::vector<TokenGroup> groups;
  panel.itemGroup.resize(static_cast<std::size_t>(blocks.grid.height * blocks.grid.width));
  for (Index y0 = 0; y0 < blocks.grid.height; y0 += blocks.block.height)
    for (Index x0 = 0; x0 < blocks.grid.width; x0 += blocks.block.width) {
      const Rectangle own{y0, y0 + blocks.heightAt(y0), x0, x0 + blocks.widthAt(x0)};
      for (Index y = own.top; y < own.bottom; ++y)
        for (Index x = own.left; x < own.right; ++x)
          panel.itemGroup[static_cast<std::size_t>(y * blocks.grid.width + x)] =
              static_cast<std::int32_t>(groups.size());
      groups.push_back({fmt::format("block at row {}, column {} with its memory", y0, x0),
                        tokensOf(own),
                        tokensOf(memoryOf(blocks, y0, x0, causal)),
                        {}});
    }
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
}

// One block in the middle of the picture with its memory, and the order in which pixels are made.
InsidePanel rectanglePanel(const Blocks& blocks, bool causal) {
  const Index y0 = blocks.grid.height / 2 / blocks.block.height * blocks.block.height;
  const Index x0 = blocks.grid.width / 2 / blocks.block.width * blocks.block.width;
  const Rectangle memory = memoryOf(blocks, y0, x0, causal);
  InsidePanel panel;
  panel.title = fmt::format("The block at row {}, column {} and its memory", y0, x0);
  panel.caption =
      causal ? "Strongest: the block of queries. Middle: memory that every query of the block reads. "
               "Weakest: memory "
               "that is made later and stays masked."
             : "Stronger: the block of queries. Weaker: the memory that every query of the block reads.";
  panel.xTitle = "column";
  panel.yTitle = "row";
  panel.values = Tensor::zeros(DType::F32, {blocks.grid.height, blocks.grid.width});
  auto cells = panel.values.mutableValues<float>();
  for (Index y = memory.top; y < memory.bottom; ++y)
    for (Index x = memory.left; x < memory.right; ++x) {
      const bool own = y >= y0 && y < y0 + blocks.block.height && x >= x0 && x < x0 + blocks.block.width;
      const bool later = causal && blocks.positionOf(y, x) > blocks.positionOf(y0, x0);
      cells[static_cast<std::size_t>(y * blocks.grid.width + x)] = own ? 1.0F : later ? 0.25F : 0.6F;
    }
  nameBlocks(panel, blocks, causal);
  return panel;
}

InsidePanel orderPanel(const Blocks& blocks, bool causal) {
  InsidePanel panel;
  panel.title = "Order of the pixels";
  panel.caption =
      "Block by block, and row by row inside a block: causal means earlier in this order, not higher in the "
      "picture.";
  panel.xTitle = "column";
  panel.yTitle = "row";
  panel.values = Tensor(DType::F32, {blocks.grid.height, blocks.grid.width});
  auto cells = panel.values.mutableValues<float>();
  for (Index y = 0; y < blocks.grid.height; ++y)
    for (Index x = 0; x < blocks.grid.width; ++x)
      cells[static_cast<std::size_t>(y * blocks.grid.width + x)] =
          static_cast<float>(blocks.positionOf(y, x));
  nameBlocks(panel, blocks, causal);
  return panel;
}

Result<std::vector<InsidePanel>> ImageTransformer::insides(const InsidesRequest& request) const {
  std::vector<InsidePanel> panels;
  if (request.params.choice("kind") == "2d") {
    ATTN_ASSIGN(blocks, blocksOf(request.input, request.params));
    panels.push_back(rectanglePanel(blocks, request.plan.plan().causal));
    panels.push_back(orderPanel(blocks, request.plan.plan().causal));
  } else {
    panels.push_back(blockStrip(request.plan, request.head, request.params.integer("query_block")));
  }
  panels.push_back(keysByRule(request.plan, request.head));
  panels.push_back(
      pairsByRule(request.plan, request.head, "Both grow with n only: the memory has a fixed size."));
  return panels;
}

}  // namespace

const Mechanism& imageMechanism() {
  static const ImageTransformer mechanism;
  return mechanism;
}

}  // namespace attnscope
