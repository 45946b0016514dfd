// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan_support.h"

#include <algorithm>

namespace attnscope {

namespace {

// One attend step as seen from the tokens.
struct Part {
  PatternPtr pattern;
  // Positions of query i: positions[first[i]] .. positions[first[i + 1] - 1]. Both empty: position i.
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> positions;
  Order keyOrder;
  Index keyOffset = 0;  // 0 for tokens, n_k for slots
};

struct Cell {
  Index key;
  std::uint8_t label;
  std::uint8_t multiplicity;
};

// Positions of a run, given as keys, as runs over keys: arithmetic progressions stay one run.
void appendMapped(const Run& run, const std::vector<std::int32_t>& order, RunList& runs) {
  Index at = run.begin;
  while (at < run.end) {
    const Index first = order[static_cast<std::size_t>(at)];
    Run mapped{first, first + 1, 1, run.label, run.multiplicity};
    Index next = at + run.stride;
    if (next < run.end && order[static_cast<std::size_t>(next)] > first) {
      mapped.stride = order[static_cast<std::size_t>(next)] - first;
      while (next < run.end && order[static_cast<std::size_t>(next)] == mapped.end - 1 + mapped.stride) {
        mapped.end = order[static_cast<std::size_t>(next)] + 1;
        next += run.stride;
      }
    }
    runs.push_back(mapped);
    at = next;
  }
}

bool rangesOverlap(const RunList& sorted) {
  for (std::size_t r = 1; r < sorted.size(); ++r)
    if (sorted[r].begin < sorted[r - 1].end) return true;
  return false;
}

// Cell by cell: the slow but general way, for rows in which runs interleave or meet twice.
void rebuild(RunList& runs) {
  std::vector<Cell> cells;
  for (const Run& run : runs)
    for (Index j = run.begin; j < run.end; j += run.stride) cells.push_back({j, run.label, run.multiplicity});
  // Stable: of several reasons for the same pair, the one of the earliest step is shown.
  std::stable_sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) { return a.key < b.key; });
  runs.clear();
  for (const Cell& cell : cells) {
    if (!runs.empty()) {
      Run& last = runs.back();
      if (last.end > cell.key) continue;
      if (last.end == cell.key && last.label == cell.label && last.multiplicity == cell.multiplicity) {
        ++last.end;
        continue;
      }
    }
    runs.push_back({cell.key, cell.key + 1, 1, cell.label, cell.multiplicity});
  }
}

class SupportPattern final : public Pattern {
 public:
  SupportPattern(Index rows, Index cols, std::vector<Part> parts)
      : Pattern(rows, cols), m_parts(std::move(parts)) {}

  void row(Index i, RunList& runs) const override {
    runs.clear();
    RunList local;
    for (const Part& part : m_parts) {
      if (part.first.empty()) {
        if (i < part.pattern->rows()) appendPosition(part, i, local, runs);
        continue;
      }
      const auto end = part.first[static_cast<std::size_t>(i) + 1];
      for (auto at = part.first[static_cast<std::size_t>(i)]; at < end; ++at)
        appendPosition(part, part.positions[static_cast<std::size_t>(at)], local, runs);
    }
    if (runs.size() < 2) return;
    std::stable_sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
    if (rangesOverlap(runs)) rebuild(runs);
  }

 private:
  static void appendPosition(const Part& part, Index position, RunList& local, RunList& runs) {
    part.pattern->row(position, local);
    for (Run& run : local) {
      if (run.count() == 0) continue;
      if (part.keyOrder) {
        appendMapped(run, *part.keyOrder, runs);
      } else {
        run.begin += part.keyOffset;
        run.end += part.keyOffset;
        runs.push_back(run);
      }
    }
  }

  std::vector<Part> m_parts;
};

Part partOf(const AttendStep& step, Index head, const Shape& shape) {
  const HeadAttend& attend = step.heads[static_cast<std::size_t>(head)];
  Part part{attend.pattern, {}, {}, attend.keyOrder, step.axis == KeyAxis::Slots ? shape.nK : 0};
  if (!attend.queryOrder) return part;
  const auto& order = *attend.queryOrder;
  part.first.assign(static_cast<std::size_t>(shape.nQ) + 1, 0);
  for (const std::int32_t query : order) ++part.first[static_cast<std::size_t>(query) + 1];
  for (std::size_t i = 1; i < part.first.size(); ++i) part.first[i] += part.first[i - 1];
  part.positions.resize(order.size());
  std::vector<std::int32_t> next(part.first.begin(), part.first.end() - 1);
  for (std::size_t position = 0; position < order.size(); ++position)
    part.positions[static_cast<std::size_t>(next[static_cast<std::size_t>(order[position])]++)] =
        static_cast<std::int32_t>(position);
  return part;
}

PatternPtr throughState(const LinearAttendStep& step, const Shape& shape) {
  return makePattern(shape.nQ, shape.nK, [step, shape](Index i, RunList& runs) {
    const Index end = step.causal ? std::min(i + shape.nK - shape.nQ + 1, shape.nK) : shape.nK;
    if (end > 0) runs.push_back({0, end, 1, step.label, 1});
  });
}

}  // namespace

PatternPtr supportOf(const Plan& plan, Index head) {
  std::vector<Part> parts;
  for (const Step& step : plan.steps) {
    if (const auto* attend = std::get_if<AttendStep>(&step))
      parts.push_back(partOf(*attend, head, plan.shape));
    if (const auto* linear = std::get_if<LinearAttendStep>(&step))
      parts.push_back({throughState(*linear, plan.shape), {}, {}, nullptr, 0});
  }
  return std::make_shared<SupportPattern>(plan.shape.nQ, plan.shape.nK + plan.slotCount, std::move(parts));
}

}  // namespace attnscope
