// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/routing_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/analysis/spectrum.h"
#include "core/mechanisms/plan_reading.h"
#include "core/mechanisms/routing_tables.h"
#include "core/mechanisms/rule_panels.h"

namespace attnscope {

namespace {

constexpr Index kMostMatrixColumns = 2048;

// One head, as the panels need it.
struct HeadView {
  Index n = 0;  // queries
  Index k = 0;
  Index seats = 0;
  std::span<const std::int32_t> tables;  // (k, seats)
  std::vector<float> points;             // standardised queries, then the centroids
  std::vector<std::int32_t> nearest;     // centroid of each query
  std::vector<Index> visits;             // tables of each query
  TokenGroups groups;                    // tables, then queries by the number of tables that invited them
};

// A table seats queries and keys; queries that the same number of tables invited are a group, too.
TokenGroups groupsOf(const HeadView& view, std::span<const std::int32_t> keys) {
  std::vector<TokenGroup> groups;
  const auto seated = [&](std::span<const std::int32_t> all, Index c) {
    const auto of =
        all.subspan(static_cast<std::size_t>(c * view.seats), static_cast<std::size_t>(view.seats));
    return rangesOf({of.begin(), of.end()});
  };
  for (Index c = 0; c < view.k; ++c)
    groups.push_back({fmt::format("table {}", c), seated(view.tables, c), seated(keys, c), {}});
  std::vector<std::int32_t> visits(view.visits.begin(), view.visits.end());
  const Index most = *std::max_element(visits.begin(), visits.end()) + 1;
  for (TokenGroup& group : groupsByLabel(visits, most, [](Index t) {
         return t == 0 ? std::string("unrouted queries")
                       : fmt::format("queries at {} table{}", t, t == 1 ? "" : "s");
       })) {
    group.keys.clear();
    groups.push_back(std::move(group));
  }
  return std::make_shared<const std::vector<TokenGroup>>(std::move(groups));
}

Result<HeadView> viewOf(const InsidesRequest& request, const Tensor& tables, const Tensor& keyTables,
                        const Tensor& centroids) {
  const Shape shape = request.input.shape();
  HeadView view;
  view.n = shape.nQ;
  view.k = tables.dim(1);
  view.seats = tables.dim(2);
  view.tables = tables.slice<std::int32_t>(request.head);
  const auto rows = standardisedRows(request.input.q.slice<float>(request.head), shape.nQ, shape.d);
  const auto mu = centroids.slice<float>(request.head);
  ATTN_ASSIGN(nearest,
              nearestCentroids({rows, shape.d}, std::vector<double>(mu.begin(), mu.end()), request.job));
  view.nearest = std::move(nearest);
  std::transform(rows.begin(), rows.end(), std::back_inserter(view.points),
                 [](double x) { return static_cast<float>(x); });
  view.points.insert(view.points.end(), mu.begin(), mu.end());
  view.visits.assign(static_cast<std::size_t>(view.n), 0);
  for (const std::int32_t i : view.tables) ++view.visits[static_cast<std::size_t>(i)];
  view.groups = groupsOf(view, keyTables.slice<std::int32_t>(request.head));
  return view;
}

InsidePanel sphere(const HeadView& view, Index d) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Scatter;
  panel.title = "Queries and centroids";
  panel.caption =
      "Normalised queries in the plane of largest variance, coloured by their nearest centroid; a table may "
      "still invite others.";
  panel.xTitle = "component 1";
  panel.yTitle = "component 2";
  const Tensor plane = projectToPlane(view.points, view.n + view.k, d);
  const auto cells = plane.values<float>();
  const auto split = static_cast<std::size_t>(2 * view.n);
  panel.points = Tensor::fromFloats({view.n, 2}, cells.first(split));
  panel.anchors = Tensor::fromFloats({view.k, 2}, cells.subspan(split));
  panel.group = view.nearest;
  for (Index i = 0; i < view.n; ++i) panel.token.push_back(static_cast<std::int32_t>(i));
  panel.groups = view.groups;
  panel.itemGroup = view.nearest;
  for (Index c = 0; c < view.k; ++c) panel.anchorGroup.push_back(static_cast<std::int32_t>(c));
  return panel;
}

InsidePanel membership(const HeadView& view) {
  const Index cols = std::min(view.n, kMostMatrixColumns);
  const Index rows = std::min(view.k, kMostMatrixColumns / 2);
  InsidePanel panel;
  panel.title = "Who sits where";
  panel.caption = "Queries at each table; a column without a mark is a token that no table invited.";
  if (cols < view.n)
    panel.caption += fmt::format(" One column stands for about {} queries, and shows the share seated.",
                                 (view.n + cols - 1) / cols);
  if (rows < view.k) panel.caption += fmt::format(" The first {} of {} tables.", rows, view.k);
  panel.xTitle = "query";
  panel.yTitle = "table";
  panel.groups = view.groups;
  for (Index c = 0; c < rows; ++c) panel.rowGroup.push_back(static_cast<std::int32_t>(c));
  panel.xTokens = {InsidePanel::AxisTokens::Queries, 0, view.n};
  panel.values = Tensor::zeros(DType::F32, {rows, cols});
  auto cells = panel.values.mutableValues<float>();
  for (Index c = 0; c < rows; ++c)
    for (Index r = 0; r < view.seats; ++r) {
      const Index i = view.tables[static_cast<std::size_t>(c * view.seats + r)];
      // Column p holds the queries [p n / cols, (p + 1) n / cols).
      const Index p = ((i + 1) * cols - 1) / view.n;
      const Index width = (p + 1) * view.n / cols - p * view.n / cols;
      cells[static_cast<std::size_t>(c * cols + p)] += 1.0F / static_cast<float>(width);
    }
  return panel;
}

InsidePanel invitations(const HeadView& view) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Invitations";
  panel.xTitle = "tables of a query";
  panel.yTitle = "queries";
  panel.bars.assign(static_cast<std::size_t>(*std::max_element(view.visits.begin(), view.visits.end())) + 1,
                    0.0);
  for (const Index visits : view.visits) panel.bars[static_cast<std::size_t>(visits)] += 1.0;
  panel.groups = view.groups;
  for (std::size_t t = 0; t < panel.bars.size(); ++t)
    panel.itemGroup.push_back(static_cast<std::int32_t>(static_cast<std::size_t>(view.k) + t));
  panel.barNames.emplace_back("unrouted");
  for (std::size_t t = 1; t < panel.bars.size(); ++t) panel.barNames.push_back(std::to_string(t));
  panel.caption =
      fmt::format("How many tables invited a query; {:.0f} of {} are unrouted: their output is 0 here.",
                  panel.bars[0], view.n);
  return panel;
}

InsidePanel clusterSizes(const HeadView& view) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Nearest queries and seats";
  panel.caption =
      "Queries whose nearest centroid this is, and the seats of its table: above the line they compete, "
      "below it strangers fill up.";
  panel.xTitle = "table";
  panel.yTitle = "queries";
  InsidePanel::Curve sizes{"nearest", {}, std::vector<double>(static_cast<std::size_t>(view.k), 0.0)};
  InsidePanel::Curve seats{"seats", {}, {}};
  for (const std::int32_t c : view.nearest) sizes.y[static_cast<std::size_t>(c)] += 1.0;
  for (Index c = 0; c < view.k; ++c) {
    sizes.x.push_back(static_cast<double>(c));
    seats.x.push_back(static_cast<double>(c));
    seats.y.push_back(static_cast<double>(view.seats));
  }
  panel.groups = view.groups;
  for (Index c = 0; c < view.k; ++c) panel.itemGroup.push_back(static_cast<std::int32_t>(c));
  panel.curves = {std::move(sizes), std::move(seats)};
  return panel;
}

// Angle between each centroid before and after every step of k-means.
InsidePanel movement(const Tensor& path, Index head) {
  const Index steps = path.dim(1) - 1;
  const Index k = path.dim(2);
  const Index d = path.dim(3);
  const auto cells = path.slice<float>(head);
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Centroids on the move";
  panel.caption = "How far the centroids turn in each step of k-means; at 0 the groups have settled.";
  panel.xTitle = "step";
  panel.yTitle = "angle in degrees";
  InsidePanel::Curve mean{"mean", {}, {}};
  InsidePanel::Curve largest{"largest", {}, {}};
  for (Index step = 0; step < steps; ++step) {
    double sum = 0.0;
    double most = 0.0;
    for (Index c = 0; c < k; ++c) {
      const float* a = cells.data() + (step * k + c) * d;
      const float* b = a + k * d;
      double squares = 0.0;  // of the difference: exact for small angles, where a cosine is not
      double lengths = 0.0;
      for (Index t = 0; t < d; ++t) {
        const double difference = static_cast<double>(a[t]) - b[t];
        squares += difference * difference;
        lengths += (static_cast<double>(a[t]) * a[t] + static_cast<double>(b[t]) * b[t]) / 2.0;
      }
      const double chord = lengths > 0.0 ? std::sqrt(squares / lengths) / 2.0 : 0.0;
      const double angle = 2.0 * std::asin(std::min(1.0, chord)) * 180.0 / M_PI;
      sum += angle;
      most = std::max(most, angle);
    }
    mean.x.push_back(static_cast<double>(step + 1));
    largest.x.push_back(static_cast<double>(step + 1));
    mean.y.push_back(sum / static_cast<double>(k));
    largest.y.push_back(most);
  }
  panel.curves = {std::move(mean), std::move(largest)};
  return panel;
}

// Mean squared distance of each query to its nearest centroid: what the paper's commitment loss adds up.
Result<double> commitment(RowsView rows, const std::vector<double>& centroids, const JobContext& job) {
  ATTN_ASSIGN(nearest, nearestCentroids(rows, centroids, job));
  double sum = 0.0;
  for (Index i = 0; i < rows.count(); ++i)
    for (Index c = 0; c < rows.d; ++c) {
      const double off =
          rows.row(i)[c] -
          centroids[static_cast<std::size_t>(nearest[static_cast<std::size_t>(i)] * rows.d + c)];
      sum += off * off;
    }
  return sum / static_cast<double>(rows.count() * rows.d);
}

// Training as the paper does it: exponential averages from where the centroids started, on the first queries.
Result<InsidePanel> averaging(const HeadView& view, const Tensor& path, const InsidesRequest& request) {
  constexpr Index kMostQueries = 1024;
  constexpr Index kSteps = 30;
  const Index d = request.input.shape().d;
  const Index count = std::min(view.n, kMostQueries);
  const std::vector<double> cells(view.points.begin(), view.points.begin() + count * d);
  const RowsView rows{cells, d};
  const auto start = path.slice<float>(request.head).first(static_cast<std::size_t>(view.k * d));
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Commitment while training";
  panel.caption =
      "Mean squared distance of the queries to their centroid under exponential averages with this decay; 0 "
      "is k-means.";
  panel.xTitle = "step";
  panel.yTitle = "distance";
  for (const double decay : {0.0, 0.9, 0.99}) {
    std::vector<std::vector<double>> moved{{start.begin(), start.end()}};
    ATTN_TRY(spherewiseLloyd({rows}, kSteps, moved, request.job, decay));
    InsidePanel::Curve curve{fmt::format("decay {:g}", decay), {}, {}};
    for (std::size_t step = 0; step < moved.size(); ++step) {
      ATTN_ASSIGN(distance, commitment(rows, moved[step], request.job));
      curve.x.push_back(static_cast<double>(step));
      curve.y.push_back(distance);
    }
    panel.curves.push_back(std::move(curve));
  }
  return panel;
}

}  // namespace

Result<std::vector<Decision>> routingDecisions(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const Tensor tables = traceOf(plan, "tables_q");
  if (request.head >= tables.dim(0)) return std::vector<Decision>{};  // a local head
  ATTN_ASSIGN(view, viewOf(request, tables, traceOf(plan, "tables_k"), plan.params.front().make()));
  const Index step = stepOf<AttendStep>(plan);
  const auto uninvited = std::count(view.visits.begin(), view.visits.end(), Index{0});
  return std::vector<Decision>{
      {step,
       "compare with the centroids",
       fmt::format("Each of {} queries, brought to mean 0 and variance 1, is compared with {} centroids.",
                   view.n, view.k),
       {sphere(view, request.input.shape().d), clusterSizes(view)}},
      {step,
       "seat the tables",
       fmt::format("Each centroid is a table that invites the {} queries nearest to it; {} of {} queries are "
                   "invited by none.",
                   view.seats, uninvited, view.n),
       {membership(view), invitations(view)}}};
}

Result<std::vector<InsidePanel>> routingPanels(const InsidesRequest& request) {
  const Plan& plan = request.plan.plan();
  const Tensor tables = traceOf(plan, "tables_q");
  if (request.head >= tables.dim(0)) return std::vector<InsidePanel>{keysByRule(request.plan, request.head)};
  ATTN_ASSIGN(view, viewOf(request, tables, traceOf(plan, "tables_k"), plan.params.front().make()));
  std::vector<InsidePanel> panels;
  panels.push_back(sphere(view, request.input.shape().d));
  if (!request.job.advance(0)) return cancelled();
  panels.push_back(membership(view));
  panels.push_back(invitations(view));
  panels.push_back(clusterSizes(view));
  const Tensor path = traceOf(plan, "centroid_path");
  if (!path.empty() && path.dim(1) > 1) panels.push_back(movement(path, request.head));
  if (!path.empty()) {
    ATTN_ASSIGN(trained, averaging(view, path, request));
    panels.push_back(std::move(trained));
  }
  return panels;
}

}  // namespace attnscope
