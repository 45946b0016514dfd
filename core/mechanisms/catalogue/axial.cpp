// SPDX-License-Identifier: GPL-3.0-or-later
// Axial Transformer: Ho, Kalchbrenner, Weissenborn, Salimans, arXiv 1912.12180.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/mechanisms/axis_grid.h"
#include "core/mechanisms/catalogue_support.h"
#include "core/mechanisms/row_weights.h"
#include "core/params/sides_param.h"

namespace attnscope {

namespace {

constexpr std::size_t kHeight = 0;  // along a column
constexpr std::size_t kWidth = 1;   // along a row

MechanismCard makeCard() {
  MechanismCard card;
  card.id = "axial";
  card.name = "Axial Transformer";
  card.family = Family::FixedPatterns;
  card.paper = "Axial Attention in Multidimensional Transformers";
  card.authors = "Ho, Kalchbrenner, Weissenborn, Salimans";
  card.year = 2019;
  card.arxiv = "1912.12180";
  card.surveyComplexity = "O(n\u221an)";
  card.countedComplexity = "n(H + W) pairs for both stages of a grid of H\u00d7W; 2 n\u221an on a square";
  card.anyLengths = false;
  card.summary =
      "On a grid of seats, pass a note along your row and then along your column: any two seats are "
      "connected "
      "after two passes. Each pass costs n times one side of the grid instead of n\u00b2.";
  card.formula =
      "row_col: W = A_col A_row;  sum: W = A_row + A_col;  decoder: W = A_row,masked (S_right + S_down "
      "A_col,masked A_row)";
  card.ours =
      "All stages use the head's own Q and K, and only V passes through them; in the paper each stage is a "
      "layer with its own projections. The sum of stages is a library's variant, not the paper's. The "
      "decoder "
      "is causal by itself, so causal changes nothing there. With three axes H\u00d7W\u00d7D, row reads "
      "along "
      "W, col along H, row_col goes from the fastest axis to the slowest (D, W, H), col_row back, sum adds "
      "all three; for D alone, fold the grid to (HW)\u00d7D and take row.";
  return card;
}

std::vector<ParamSpec> makeParams() {
  std::vector<ParamSpec> params;
  params.push_back(axisGridParam("Height and width of the picture, or height, width and depth."));
  params.back().paperValue = ParamValue{std::string("32x32x3")};
  params.back().paperText = "32x32x3 for small pictures";
  params.push_back(
      choiceParam("mode", "Which axes are read, and in which order.",
                  {"row", "col", "row_col", "col_row", "sum", "decoder"},
                  {"inside a row", "inside a column", "rows, then columns", "columns, then rows",
                   "both from the same input, added up", "the paper's decoder: only earlier pixels"},
                  "row_col"));
  params.back().paperText = "rows and columns in turn; decoder for making pictures";
  return params;
}

struct AxisWords {
  const char* label;
  const char* why;
  const char* title;
};
const AxisWords& wordsOf(std::size_t axis) {
  static constexpr std::array<AxisWords, 3> kWords{{
      {"column", "in the query's own column", "columns"},
      {"row", "in the query's own row", "rows"},
      {"depth", "at the query's own place in the picture", "depth"},
  }};
  return kWords[axis];
}

// Labels: row, column and depth, then what needs more than one stage.
constexpr std::array<std::uint8_t, 3> kLabelOfAxis{1, 0, 2};

PatternPtr linesPattern(const AxisGrid& grid, std::size_t axis, bool masked, std::uint8_t label) {
  const Index side = grid.sides[axis];
  return makePattern(grid.cells(), grid.cells(), [side, masked, label](Index position, RunList& runs) {
    const Index begin = position / side * side;
    runs.push_back({begin, masked ? position + 1 : begin + side, 1, label, 1});
  });
}

void addRun(RunList& runs, Index begin, Index end, std::uint8_t label) {
  if (begin >= end) return;
  if (!runs.empty() && runs.back().end == begin && runs.back().label == label) {
    runs.back().end = end;
  } else {
    runs.push_back({begin, end, 1, label, 1});
  }
}

// Keys that stages along all axes reach: everything (earlier on every axis), or the cross of the lines
// through the query. Walks over the lines of the last axis.
PatternPtr reachPattern(const AxisGrid& grid, bool masked, bool crossOnly) {
  const auto rule = [grid, masked, crossOnly](Index i, RunList& runs) {
    const std::size_t last = grid.axes() - 1;
    const Index length = grid.sides[last];
    const Index own = i % length;
    const auto through = static_cast<std::uint8_t>(grid.axes());
    for (Index begin = 0; begin < grid.cells(); begin += length) {
      std::size_t differing = 0;
      std::size_t axis = last;
      bool later = false;
      for (std::size_t a = 0; a < last; ++a) {
        const Index there = grid.coordinate(begin, a);
        const Index here = grid.coordinate(i, a);
        later = later || there > here;
        if (there == here) continue;
        ++differing;
        axis = a;
      }
      if (masked && later) continue;
      const Index end = begin + (masked ? own + 1 : length);
      if (differing == 0) addRun(runs, begin, end, kLabelOfAxis[last]);
      if (differing != 1) {
        if (differing > 1 && !crossOnly) addRun(runs, begin, end, through);
        continue;
      }
      if (!crossOnly) addRun(runs, begin, begin + own, through);
      addRun(runs, begin + own, begin + own + 1, kLabelOfAxis[axis]);
      if (!crossOnly) addRun(runs, begin + own + 1, end, through);
    }
  };
  if (masked || grid.axes() != 2) return makePattern(grid.cells(), grid.cells(), rule);
  // For counting: everything is read through another token, but for the cross of row and column, which meet
  // in the token itself.
  const auto countingRule = [cells = grid.cells(), length = grid.sides[1], crossOnly](Index i,
                                                                                      SignedRunList& runs) {
    constexpr std::uint8_t kThrough = 2;
    const Index own = i % length;
    const Run line{i - own, i - own + length, 1, kLabelOfAxis[1], 1};
    const Run column{own, cells, length, kLabelOfAxis[0], 1};
    const Run self{i, i + 1, 1, kLabelOfAxis[0], 1};
    runs.assign({{line, false}, {column, false}, {self, true}});
    if (crossOnly) return;
    const auto through = [](Run run) {
      run.label = kThrough;
      return run;
    };
    runs.push_back({{0, cells, 1, kThrough, 1}, false});
    runs.push_back({through(line), true});
    runs.push_back({through(column), true});
    runs.push_back({through(self), false});
  };
  return makePattern(grid.cells(), grid.cells(), rule, countingRule);
}

// All earlier pixels and nothing else: those to the left and those in the rows above.
PatternPtr earlierPattern(const AxisGrid& grid) {
  const Index width = grid.sides[kWidth];
  return makePattern(grid.cells(), grid.cells(), [width](Index i, RunList& runs) {
    addRun(runs, 0, i / width * width, 1);
    addRun(runs, i / width * width, i, 0);
  });
}

AxisGrid gridOf(const AttentionInput& input, const ParamValues& params) {
  if (const auto asked = parseAxisGrid(params.text("grid"))) return *asked;
  const Grid grid = input.grid.value_or(squarestGrid(input.shape().nK));
  return {{grid.height, grid.width}};
}

// The stages of one call, written into its plan one after the other.
class Stages {
 public:
  Stages(Plan& plan, AxisGrid grid, double scale) : m_plan(plan), m_grid(std::move(grid)), m_scale(scale) {}

  struct Stage {
    std::size_t axis = kWidth;
    bool masked = false;
    BufferId values = kValue;
    std::string name;  // of its buffers: out_<name>, or out for the last stage
  };
  // Leaves the buffer with the stage's rows; its lse is the next one.
  BufferId add(const Stage& stage, std::uint8_t label) {
    AttendStep step;
    step.title = fmt::format("along the {}{}", wordsOf(stage.axis).title, stage.masked ? ", masked" : "");
    step.v = stage.values;
    const std::string suffix = stage.name.empty() ? "" : fmt::format("_{}", stage.name);
    step.out = m_plan.addBuffer(fmt::format("out{}", suffix), m_plan.shape.nQ, m_plan.shape.dV,
                                stage.name.empty() ? "" : fmt::format("out_{}", stage.name));
    step.lse = m_plan.addBuffer(fmt::format("lse{}", suffix), m_plan.shape.nQ, 1,
                                stage.name.empty() ? "" : fmt::format("lse_{}", stage.name));
    step.scale = m_scale;
    const Order order = lineOrder(m_grid, stage.axis);
    step.heads = sameForAllHeads(m_plan.shape.heads,
                                 {order, order, linesPattern(m_grid, stage.axis, stage.masked, label)});
    m_plan.steps.emplace_back(std::move(step));
    return std::get<AttendStep>(m_plan.steps.back()).out;
  }

  // Rows i of `in` at places given by `entriesOf`, in one step for all heads.
  BufferId gather(const std::string& title, const std::string& name, const std::vector<BufferId>& in,
                  const std::function<void(Index i, std::vector<SparseRows::Entry>&)>& entriesOf) {
    auto rows = std::make_shared<SparseRows>();
    rows->begin.push_back(0);
    for (Index i = 0; i < m_plan.shape.nQ; ++i) {
      entriesOf(i, rows->entries);
      rows->begin.push_back(static_cast<std::int64_t>(rows->entries.size()));
    }
    GatherStep step;
    step.title = title;
    step.in = in;
    step.out = m_plan.addBuffer(name, m_plan.shape.nQ, m_plan.shape.dV, name == "out" ? std::string() : name);
    step.heads.assign(static_cast<std::size_t>(m_plan.shape.heads), rows);
    m_plan.steps.emplace_back(step);
    return step.out;
  }

  void one(std::size_t axis, bool masked);
  void inTurn(const std::vector<std::size_t>& axes, bool masked);
  void sum(bool masked);
  void decoder();

 private:
  void labelAxes();
  void reach(const PatternPtr& support) {
    m_plan.support.assign(static_cast<std::size_t>(m_plan.shape.heads), support);
  }

  Plan& m_plan;
  AxisGrid m_grid;
  double m_scale;
};

void Stages::labelAxes() {
  m_plan.labels = {{wordsOf(kWidth).label, wordsOf(kWidth).why},
                   {wordsOf(kHeight).label, wordsOf(kHeight).why}};
  if (m_grid.axes() == 3) {
    m_plan.labels[0].why = "at the query's own row and depth";
    m_plan.labels[1].why = "at the query's own column and depth";
    m_plan.labels.push_back({wordsOf(2).label, wordsOf(2).why});
  }
}

void Stages::one(std::size_t axis, bool masked) {
  labelAxes();
  m_plan.labels = {m_plan.labels[kLabelOfAxis[axis]]};
  m_plan.out = add({axis, masked, kValue, ""}, 0);
  m_plan.lse = std::get<AttendStep>(m_plan.steps.back()).lse;
}

void Stages::inTurn(const std::vector<std::size_t>& axes, bool masked) {
  labelAxes();
  m_plan.labels.push_back({"through", "read by a token that the query reads: it takes several stages"});
  BufferId values = kValue;
  for (std::size_t s = 0; s < axes.size(); ++s)
    values = add({axes[s], masked, values, s + 1 == axes.size() ? "" : wordsOf(axes[s]).label},
                 kLabelOfAxis[axes[s]]);
  m_plan.out = values;
  reach(reachPattern(m_grid, masked, false));
}

void Stages::sum(bool masked) {
  labelAxes();
  std::vector<BufferId> parts;
  for (std::size_t axis = m_grid.axes(); axis-- > 0;)
    parts.push_back(add({axis, masked, kValue, wordsOf(axis).label}, kLabelOfAxis[axis]));
  m_plan.out = gather("sum of the axes", "out", parts, [&](Index i, std::vector<SparseRows::Entry>& row) {
    for (std::size_t p = 0; p < parts.size(); ++p)
      row.push_back({static_cast<std::int32_t>(p), static_cast<std::int32_t>(i), 1.0F});
  });
  reach(reachPattern(m_grid, masked, true));
}

// The outer stages know whole rows; moved down by one row they know the rows above. The inner stage adds what
// stands to the left.
void Stages::decoder() {
  m_plan.labels = {{"left", "earlier in the query's own row"}, {"above", "in a row above the query's"}};
  const BufferId rows = add({kWidth, false, kValue, "outer_row"}, 0);
  const BufferId known = add({kHeight, true, rows, "outer_column"}, 1);
  const Index width = m_grid.sides[kWidth];
  const BufferId shifted = gather("values to the right, rows above down", "shifted", {kValue, known},
                                  [width](Index i, std::vector<SparseRows::Entry>& row) {
                                    const auto token = static_cast<std::int32_t>(i);
                                    if (i % width > 0) row.push_back({0, token - 1, 1.0F});
                                    if (i >= width)
                                      row.push_back({1, token - static_cast<std::int32_t>(width), 1.0F});
                                  });
  m_plan.out = add({kWidth, true, shifted, ""}, 0);
  reach(earlierPattern(m_grid));
}

class AxialTransformer final : public Mechanism {
 public:
  AxialTransformer() : Mechanism(makeCard(), makeParams()) {}
  Result<Plan> lower(const LoweringRequest& request) const override;
  Result<std::vector<InsidePanel>> insides(const InsidesRequest& request) const override;
};

Status checkDecoder(const AxisGrid& grid) {
  if (grid.axes() == 2) return {};
  const AxisGrid folded{{grid.sides[0], grid.sides[1] * grid.sides[2]}};
  return fail(ErrorKind::Usage,
              fmt::format("axial: mode=decoder is the paper's construction for rows and columns (one shift "
                          "down, one to the right), but the grid of {} has three axes, for which the paper "
                          "leaves the shifts open. The nearest valid value is grid={}, in the same order of "
                          "tokens.",
                          axisGridText(grid), axisGridText(folded)));
}

Result<Plan> AxialTransformer::lower(const LoweringRequest& request) const {
  const bool causal = request.options.causal;
  const AxisGrid grid = gridOf(request.input, request.params);
  const std::string& mode = request.params.choice("mode");
  if (mode == "decoder") ATTN_TRY(checkDecoder(grid));
  Plan plan = Plan::begin(card().id, request.input.shape(), causal);
  if (grid.cells() > 1 && grid.cells() == *std::max_element(grid.sides.begin(), grid.sides.end()))
    plan.note =
        fmt::format("The grid of {} is a single line: a stage along it is full attention, and costs as much.",
                    axisGridText(grid));
  std::vector<std::size_t> fastestFirst;
  for (std::size_t axis = grid.axes(); axis-- > 0;) fastestFirst.push_back(axis);
  Stages stages(plan, grid, request.defaultScale());
  if (mode == "row") stages.one(kWidth, causal);
  if (mode == "col") stages.one(kHeight, causal);
  if (mode == "row_col") stages.inTurn(fastestFirst, causal);
  if (mode == "col_row") stages.inTurn({fastestFirst.rbegin(), fastestFirst.rend()}, causal);
  if (mode == "sum") stages.sum(causal);
  if (mode == "decoder") stages.decoder();
  return plan;
}

// The grid as a picture; a third axis lies side by side inside each column.
InsidePanel gridPanel(const AxisGrid& grid, const std::string& title, const std::string& caption) {
  InsidePanel panel;
  panel.title = title;
  panel.caption = caption;
  panel.xTitle = grid.axes() == 3 ? "column and depth" : "column";
  panel.yTitle = "row";
  panel.values = Tensor::zeros(DType::F32, {grid.sides[0], grid.cells() / grid.sides[0]});
  // Lines along the axes, the factors of the attention: a click on a cell selects those through it.
  panel.cellsAreTokens = true;
  const Index width = panel.values.dim(1);
  std::vector<TokenGroup> lines;
  for (Index r = 0; r < grid.sides[0]; ++r) {
    const TokenRanges line = rangeWithin(r * width, (r + 1) * width, grid.cells());
    panel.rowGroup.push_back(static_cast<std::int32_t>(lines.size()));
    lines.push_back({fmt::format("row {}", r), line, line, {}});
  }
  for (Index c = 0; c < width; ++c) {
    TokenRanges line;
    for (Index r = 0; r < grid.sides[0]; ++r) line.push_back({r * width + c, r * width + c + 1});
    if (width == 1) line = rangeWithin(0, grid.cells(), grid.cells());
    panel.columnGroup.push_back(static_cast<std::int32_t>(lines.size()));
    lines.push_back({fmt::format("column {}", c), line, line, {}});
  }
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(lines));
  return panel;
}

InsidePanel reachPanel(const InsidesRequest& request, const AxisGrid& grid, Index query, bool decoder) {
  const std::string caption =
      decoder ? "Strongest: the pixel, which does not read itself. Middle: left of it. Weak: the rows above."
      : request.plan.plan().labels.size() > grid.axes()
          ? "Strongest: the pixel itself. Middle: what one stage reads. Weak: what takes several stages."
          : "Strongest: the pixel itself. Weaker: what it reads along its axes.";
  InsidePanel panel = gridPanel(grid, fmt::format("Reach of token {}", query), caption);
  auto cells = panel.values.mutableValues<float>();
  const std::size_t direct = decoder ? 1 : grid.axes();  // labels before it: near
  RunList runs;
  request.plan.support(request.head)->row(query, runs);
  for (const Run& run : runs)
    for (Index j = run.begin; j < run.end; j += run.stride)
      cells[static_cast<std::size_t>(j)] = run.label < direct ? 0.6F : 0.3F;
  cells[static_cast<std::size_t>(query)] = 1.0F;
  return panel;
}

InsidePanel pairsPanel(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Pairs by stage";
  panel.caption =
      "A stage along an axis compares n tokens with the few on their line; full attention n with n.";
  panel.yTitle = "pairs";
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    if (!std::holds_alternative<AttendStep>(plan.steps[s])) continue;
    panel.barNames.push_back(stepTitle(plan.steps[s]));
    panel.bars.push_back(static_cast<double>(request.plan.tiles(s, request.head).pairs()));
  }
  const auto n = static_cast<double>(plan.shape.nK);
  panel.barNames.emplace_back(plan.causal ? "full, causal" : "full");
  panel.bars.push_back(plan.causal ? n * (n + 1.0) / 2.0 : n * n);
  return panel;
}

// Lengths of the rows of a buffer, laid out as the picture.
InsidePanel lengthsPanel(const InsidesRequest& request, const AxisGrid& grid, const std::string& buffer,
                         const std::string& title, const std::string& caption) {
  InsidePanel panel = gridPanel(grid, title, caption);
  const Tensor tensor = request.buffer(buffer);
  if (tensor.empty()) return panel;
  const auto rows = tensor.slice<float>(request.head);
  const auto width = static_cast<std::size_t>(tensor.dim(2));
  auto cells = panel.values.mutableValues<float>();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    double sum = 0.0;
    for (std::size_t c = 0; c < width; ++c)
      sum += static_cast<double>(rows[i * width + c]) * rows[i * width + c];
    cells[i] = static_cast<float>(std::sqrt(sum));
  }
  return panel;
}

Result<std::vector<InsidePanel>> AxialTransformer::insides(const InsidesRequest& request) const {
  const AxisGrid grid = gridOf(request.input, request.params);
  const bool decoder = request.params.choice("mode") == "decoder";
  Index query = 0;  // in the middle of every axis
  for (std::size_t axis = 0; axis < grid.axes(); ++axis) query += grid.sides[axis] / 2 * grid.stride(axis);
  std::vector<InsidePanel> panels;
  panels.push_back(reachPanel(request, grid, query, decoder));
  ATTN_ASSIGN(weights, rowWeights(request, query));
  panels.push_back(gridPanel(grid, fmt::format("What token {} reads", query),
                             "Its row of the matrix, laid out as the picture: all stages together."));
  auto cells = panels.back().values.mutableValues<float>();
  for (std::size_t j = 0; j < cells.size(); ++j) cells[j] = static_cast<float>(weights[j]);
  panels.push_back(pairsPanel(request));
  if (!decoder) return panels;
  panels.push_back(
      lengthsPanel(request, grid, "out_outer_column", "Outer stages, before the shift",
                   "Length of each pixel's sum: row r knows the rows up to r, its own included."));
  panels.push_back(
      lengthsPanel(request, grid, "shifted", "After the shifts",
                   "The sums moved down by a row plus the values moved right by a pixel: the first pixel has "
                   "nothing, and no pixel has anything of itself."));
  return panels;
}

}  // namespace

const Mechanism& axialMechanism() {
  static const AxialTransformer mechanism;
  return mechanism;
}

}  // namespace attnscope
