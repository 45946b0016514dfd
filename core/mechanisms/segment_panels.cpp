// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/segment_panels.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/mechanisms/relative_scores.h"

namespace attnscope {

namespace {

constexpr Index kMostCells = 2048;
constexpr int kColorsBeforeTints = 8;  // categories repeat after so many, paler
constexpr Index kMostQueries = 256;
constexpr Index kMostKeys = 768;

InsidePanel termMap(const std::string& title, const std::string& caption, const ScoreWindow& window) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Matrix;
  panel.title = title;
  panel.caption = fmt::format("{} Queries {} to {}, keys from token {} on.", caption, window.queryBegin,
                              window.queryEnd - 1, window.keyBegin);
  panel.xTitle = "key of the buffer";
  panel.yTitle = "query of the segment";
  panel.diverging = true;
  panel.series = "Terms of the logit";
  panel.xTokens = {InsidePanel::AxisTokens::Keys, window.keyBegin};
  panel.yTokens = {InsidePanel::AxisTokens::Queries, window.queryBegin};
  panel.values =
      Tensor::zeros(DType::F32, {window.queryEnd - window.queryBegin, window.queryEnd - window.keyBegin});
  return panel;
}

// Fills a map with term(i, j) where the key is not later than the query.
void fillSeen(InsidePanel& panel, const ScoreWindow& window, RelativeScores& scores,
              const std::function<double(Index i, Index j)>& term) {
  auto cells = panel.values.mutableValues<float>();
  const Index cols = panel.values.dim(1);
  for (Index i = window.queryBegin; i < window.queryEnd; ++i) {
    scores.setQuery(i);
    for (Index j = window.keyBegin; j <= i; ++j)
      cells[static_cast<std::size_t>((i - window.queryBegin) * cols + j - window.keyBegin)] =
          static_cast<float>(term(i, j));
  }
}

// (b) + (d) as they are computed: one product of the queries with the distances K-1, ..., 0, the same columns
// for all rows; shifting each row by its place puts them over their keys.
InsidePanel beforeShift(const ScoreWindow& window, RelativeScores& scores,
                        const std::function<Index(Index)>& clamped) {
  InsidePanel panel =
      termMap("Before the shift", "(b) + (d) for every distance: row i has to move by its place.", window);
  panel.xTitle = "distance, largest first";
  panel.xTokens = {};
  auto cells = panel.values.mutableValues<float>();
  const Index cols = panel.values.dim(1);
  for (Index row = 0; row < panel.values.dim(0); ++row) {
    scores.setQuery(window.queryBegin + row);
    for (Index c = 0; c < cols; ++c) {
      const Index x = clamped(cols - 1 - c);
      cells[static_cast<std::size_t>(row * cols + c)] =
          static_cast<float>(scores.distanceTerm(x) + scores.biasTerm(x));
    }
  }
  return panel;
}

InsidePanel biasCurves(const ScoreWindow& window, RelativeScores& scores,
                       const std::function<Index(Index)>& clamped) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Global biases";
  panel.caption =
      "What every query likes alike: (c) in a key, (d) in a distance, seen from the newest query.";
  panel.xTitle = "distance to the newest query";
  panel.yTitle = "part of the logit";
  panel.curves = {{"(c) u.k", {}, {}}, {"(d) w.r", {}, {}}};
  for (Index j = window.queryEnd - 1; j >= window.keyBegin; --j) {
    const Index x = window.queryEnd - 1 - j;
    for (InsidePanel::Curve& curve : panel.curves) curve.x.push_back(static_cast<double>(x));
    panel.curves[0].y.push_back(scores.keyTerm(j));
    panel.curves[1].y.push_back(scores.biasTerm(clamped(x)));
  }
  return panel;
}

bool hasValues(const InsidePanel& panel) {
  for (const InsidePanel::Curve& curve : panel.curves)
    if (std::any_of(curve.y.begin(), curve.y.end(), [](double y) { return y != 0.0; })) return true;
  if (panel.values.empty()) return false;
  const auto cells = panel.values.values<float>();
  return std::any_of(cells.begin(), cells.end(), [](float x) { return x != 0.0F; });
}

}  // namespace

InsidePanel segmentTimeline(const std::vector<SegmentSight>& segments, std::size_t count,
                            const std::function<SegmentCell(Index, Index)>& cellOf,
                            const std::string& caption) {
  const std::size_t rows = segments.size();
  const Index tokens = segments[rows - 1].end;
  const Index step = ceilDiv(tokens, kMostCells);
  const Index cells = ceilDiv(tokens, step);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Strips;
  panel.title = "Segments over time";
  panel.caption = caption;
  if (rows < count) panel.caption += fmt::format(" The first {} of {} segments.", rows, count);
  if (step > 1) panel.caption += fmt::format(" One cell is {} tokens.", step);
  panel.xTitle = step > 1 ? fmt::format("token / {}", step) : "token";
  panel.yTitle = "segment";
  panel.stripGroup = Tensor(DType::I32, {static_cast<Index>(rows), cells});
  panel.stripToken = Tensor(DType::I32, {static_cast<Index>(rows), cells});
  auto groups = panel.stripGroup.mutableValues<std::int32_t>();
  auto names = panel.stripToken.mutableValues<std::int32_t>();
  std::vector<TokenGroup> parts;
  for (std::size_t row = 0; row < rows; ++row) {
    panel.stripNames.push_back(fmt::format("{}", row));
    panel.stripBorders.emplace_back();
    for (const Index border : segments[row].borders)
      if (step == 1) panel.stripBorders.back().push_back(border);
    for (Index c = 0; c < cells; ++c) {
      const auto at = row * static_cast<std::size_t>(cells) + static_cast<std::size_t>(c);
      const SegmentCell cell = cellOf(static_cast<Index>(row), c * step);
      groups[at] = cell.color;
      names[at] = cell.color < 0 ? -1 : static_cast<std::int32_t>(c * step);
      panel.itemGroup.push_back(-1);
      if (cell.color < 0) continue;
      const auto color = static_cast<std::size_t>(cell.color);
      if (panel.barNames.size() <= color) panel.barNames.resize(color + 1);
      panel.barNames[color] = cell.kind;
      // A part is a run of cells in one row.
      if (parts.empty() || parts.back().name != cell.name) {
        const TokenRanges queries = rangeWithin(segments[row].begin, segments[row].end, tokens);
        parts.push_back({cell.name, queries, rangeWithin(cell.part.begin, cell.part.end, tokens), {}});
        if (cell.slotColumn >= 0) parts.back().slotColumns = {{cell.slotColumn, cell.slotColumn + 1}};
      }
      panel.itemGroup.back() = static_cast<std::int32_t>(parts.size()) - 1;
    }
  }
  panel.groups = std::make_shared<const std::vector<TokenGroup>>(std::move(parts));
  return panel;
}

SegmentCell ownSegmentCell(Index row, Index begin, Index end) {
  return {0, "own", {begin, end}, fmt::format("segment {}", row), -1};
}

SegmentCell memoryCell(Index row, Index token, Index memoryBegin, Index length) {
  const Index from = token / length;
  const Index age = row - from;
  const Index shade = std::min<Index>(age, 3);
  return {1 + kColorsBeforeTints * static_cast<int>(shade - 1),
          fmt::format("age {}{}", shade, shade == 3 ? "+" : ""),
          {std::max(memoryBegin, from * length), (from + 1) * length},
          fmt::format("memory of segment {}, {} segment{} old", row, age, age == 1 ? "" : "s"),
          -1};
}

ScoreWindow scoreWindow(Index segmentBegin, Index segmentEnd, Index keyBegin) {
  return {std::max(segmentBegin, segmentEnd - kMostQueries), segmentEnd,
          std::max(keyBegin, segmentEnd - kMostKeys)};
}

std::vector<InsidePanel> termPanels(const InsidesRequest& request, const RelativeTerms& terms, double scale,
                                    const ScoreWindow& window, Index clamp) {
  RelativeScores scores(request.input, terms, request.head, scale);
  const auto clamped = [clamp](Index x) { return clamp > 0 ? std::min(x, clamp) : x; };
  std::vector<InsidePanel> made;
  made.push_back(termMap("(a) content", "How well the contents fit, wherever they stand: s q.k.", window));
  fillSeen(made.back(), window, scores, [&](Index, Index j) { return scores.contentTerm(j); });
  if (terms.usesPositions()) {
    made.push_back(
        termMap("(b) content to distance", "What each query looks for at each distance: s q.r.", window));
    fillSeen(made.back(), window, scores,
             [&](Index i, Index j) { return scores.distanceTerm(clamped(i - j)); });
  }
  made.push_back(termMap("(c) key bias", "What every query likes alike in a key: s u.k.", window));
  fillSeen(made.back(), window, scores, [&](Index, Index j) { return scores.keyTerm(j); });
  if (terms.usesPositions()) {
    made.push_back(
        termMap("(d) distance bias", "What every query likes alike in a distance: s w.r.", window));
    fillSeen(made.back(), window, scores, [&](Index i, Index j) { return scores.biasTerm(clamped(i - j)); });
    made.push_back(termMap("(a) + (b) + (c) + (d)", "The whole logit.", window));
    fillSeen(made.back(), window, scores, [&](Index i, Index j) {
      const Index x = clamped(i - j);
      return scores.contentTerm(j) + scores.distanceTerm(x) + scores.keyTerm(j) + scores.biasTerm(x);
    });
    made.push_back(beforeShift(window, scores, clamped));
  }
  scores.setQuery(window.queryEnd - 1);
  made.push_back(biasCurves(window, scores, clamped));
  std::vector<InsidePanel> panels;
  for (InsidePanel& panel : made)
    if (hasValues(panel)) panels.push_back(std::move(panel));
  return panels;
}

}  // namespace attnscope
