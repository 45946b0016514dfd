// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/token_order.h"

#include <algorithm>
#include <numeric>

namespace attnscope {

namespace {

bool ascends(const std::vector<std::int32_t>& order) {
  return std::is_sorted(order.begin(), order.end());
}

// Every token of [0, n) once: as the step has them first, then those that it does not have.
std::vector<std::int32_t> completed(const Order& order, Index n) {
  std::vector<std::int32_t> all;
  all.reserve(static_cast<std::size_t>(n));
  std::vector<bool> seen(static_cast<std::size_t>(n), false);
  const auto take = [&](std::int32_t token) {
    if (token < 0 || token >= n || seen[static_cast<std::size_t>(token)]) return;
    seen[static_cast<std::size_t>(token)] = true;
    all.push_back(token);
  };
  if (order)
    for (const std::int32_t token : *order) take(token);
  for (Index token = 0; token < n; ++token) take(static_cast<std::int32_t>(token));
  return all;
}

// Places where a row reads for one reason, as runs: neighbours join.
void appendRuns(std::vector<Run>& places, RunList& runs) {
  std::sort(places.begin(), places.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
  for (const Run& place : places) {
    if (!runs.empty() && runs.back().end == place.begin && runs.back().label == place.label &&
        runs.back().multiplicity == place.multiplicity)
      runs.back().end = place.end;
    else
      runs.push_back(place);
  }
}

}  // namespace

bool TokenOrder::isIdentity() const {
  return ascends(queries) && ascends(keys);
}

std::vector<TokenOrder> tokenOrders(const Plan& plan, Index head) {
  std::vector<TokenOrder> orders;
  for (const Step& step : plan.steps) {
    const auto* attend = std::get_if<AttendStep>(&step);
    if (attend == nullptr || attend->axis != KeyAxis::Tokens || attend->heads.empty()) continue;
    const HeadAttend& executed =
        attend->heads[static_cast<std::size_t>(std::min<Index>(head, std::ssize(attend->heads) - 1))];
    if (!executed.queryOrder && !executed.keyOrder) continue;
    // Of two orders one may be missing: then its axis follows the other where both have the same tokens.
    const bool same = plan.shape.nQ == plan.shape.nK;
    const Order queries = executed.queryOrder || !same ? executed.queryOrder : executed.keyOrder;
    const Order keys = executed.keyOrder || !same ? executed.keyOrder : executed.queryOrder;
    TokenOrder order{attend->title, completed(queries, plan.shape.nQ), completed(keys, plan.shape.nK)};
    const bool known = std::any_of(orders.begin(), orders.end(), [&](const TokenOrder& other) {
      return other.queries == order.queries && other.keys == order.keys;
    });
    if (!known && !order.isIdentity()) orders.push_back(std::move(order));
  }
  return orders;
}

bool isSortable(const Shape& shape) {
  constexpr Index kMost = 4096;
  return shape.nQ <= kMost && shape.nK <= kMost;
}

std::vector<std::int32_t> placesOf(const std::vector<std::int32_t>& order) {
  std::vector<std::int32_t> places(order.size());
  for (std::size_t place = 0; place < order.size(); ++place)
    places[static_cast<std::size_t>(order[place])] = static_cast<std::int32_t>(place);
  return places;
}

PatternPtr reordered(PatternPtr pattern, const TokenOrder& order) {
  const Index rows = pattern->rows();
  const Index cols = pattern->cols();
  return makePattern(rows, cols,
                     [pattern = std::move(pattern), queries = order.queries, places = placesOf(order.keys)](
                         Index i, RunList& runs) {
                       RunList own;
                       pattern->row(queries[static_cast<std::size_t>(i)], own);
                       std::vector<Run> moved;
                       const auto tokens = static_cast<Index>(places.size());
                       for (const Run& run : own)
                         for (Index j = run.begin; j < run.end; j += run.stride) {
                           const Index at = j < tokens ? places[static_cast<std::size_t>(j)] : j;
                           moved.push_back({at, at + 1, 1, run.label, run.multiplicity});
                         }
                       runs.clear();
                       appendRuns(moved, runs);
                     });
}

}  // namespace attnscope
