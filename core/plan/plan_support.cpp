// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/plan_support.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace attnscope {

namespace {

// One attend step as seen from the tokens.
struct Part {
  PatternPtr pattern;
  // Positions of query i: positions[first[i]] .. positions[first[i + 1] - 1]. Both empty: position i.
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> positions;
  Order keyOrder;
  // By position of the key order: the last position of the arithmetic progression of keys that begins there.
  std::shared_ptr<const std::vector<std::int32_t>> progressionEnd;
  Index keyOffset = 0;  // 0 for tokens, n_k for slots
};

struct Cell {
  Index key;
  std::uint8_t label;
  std::uint8_t multiplicity;
};

// Progressions that rise; a position followed by a smaller key ends at itself.
std::shared_ptr<const std::vector<std::int32_t>> progressionsOf(const std::vector<std::int32_t>& order) {
  auto ends = std::make_shared<std::vector<std::int32_t>>(order.size());
  for (std::size_t at = order.size(); at-- > 0;) {
    (*ends)[at] = static_cast<std::int32_t>(at);
    if (at + 1 == order.size() || order[at + 1] <= order[at]) continue;
    const bool goesOn = at + 2 < order.size() && order[at + 2] - order[at + 1] == order[at + 1] - order[at];
    (*ends)[at] = goesOn ? (*ends)[at + 1] : static_cast<std::int32_t>(at + 1);
  }
  return ends;
}

// A run of neighbouring positions as runs over keys, one for each progression.
void appendProgressions(const Run& run, const Part& part, RunList& runs) {
  const auto& order = *part.keyOrder;
  const auto& ends = *part.progressionEnd;
  for (Index at = run.begin; at < run.end;) {
    const Index first = order[static_cast<std::size_t>(at)];
    const Index last = std::min<Index>(run.end - 1, ends[static_cast<std::size_t>(at)]);
    Run mapped{first, order[static_cast<std::size_t>(last)] + 1, 1, run.label, run.multiplicity};
    if (last > at) mapped.stride = order[static_cast<std::size_t>(at) + 1] - first;
    runs.push_back(mapped);
    at = last + 1;
  }
}

// Positions of a run, given as keys, as runs over keys: arithmetic progressions stay one run.
void appendMapped(const Run& run, const Part& part, RunList& runs) {
  if (run.stride == 1) return appendProgressions(run, part, runs);
  const auto& order = *part.keyOrder;
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

// False only if no key is in both: their residues modulo the common part of the strides differ.
bool mayShareKeys(const Run& a, const Run& b) {
  return a.begin < b.end && b.begin < a.end && (a.begin - b.begin) % std::gcd(a.stride, b.stride) == 0;
}

bool mayMeetTwice(const RunList& sorted) {
  Index end = 0;  // of all runs so far
  for (std::size_t r = 0; r < sorted.size(); ++r) {
    if (sorted[r].begin < end) {
      if (r > 8) return true;  // many interleaved runs: not worth comparing them all
      for (std::size_t before = 0; before < r; ++before)
        if (mayShareKeys(sorted[before], sorted[r])) return true;
    }
    end = std::max(end, sorted[r].end);
  }
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
    forPositions(i, [&](const Part& part, Index position) {
      part.pattern->row(position, local);
      appendKeys(part, local, runs);
    });
    if (runs.size() < 2) return;
    RunList sorted = runs;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Run& a, const Run& b) { return a.begin < b.begin; });
    if (mayMeetTwice(sorted))
      rebuild(runs);
    else
      runs = std::move(sorted);
  }

  // Scattered keys are neither sorted nor joined: which pairs are met twice is seen from marks.
  void countedRow(Index i, SignedRunList& counted, RunList& scratch) const override {
    scratch.clear();
    RunList local;
    SignedRunList ofPart;
    bool plain = true;
    forPositions(i, [&](const Part& part, Index position) {
      part.pattern->countedRow(position, ofPart, local);
      local.clear();
      for (const SignedRun& run : ofPart) {
        plain = plain && !run.minus;
        local.push_back(run.run);
      }
      appendKeys(part, local, scratch);
    });
    Index cells = 0;
    for (const Run& run : scratch) cells += run.count();
    if (plain && scratch.size() > kFewRuns && cells < kManyCells) return mark(scratch, counted);
    Pattern::countedRow(i, counted, scratch);
  }

 private:
  static constexpr std::size_t kFewRuns = 16;
  static constexpr Index kManyCells = Index{1} << 16;

  // What `call` gets: every position of query i, part by part.
  template <class Call>
  void forPositions(Index i, Call call) const {
    for (const Part& part : m_parts) {
      if (part.first.empty()) {
        if (i < part.pattern->rows()) call(part, i);
        continue;
      }
      const auto end = part.first[static_cast<std::size_t>(i) + 1];
      for (auto at = part.first[static_cast<std::size_t>(i)]; at < end; ++at)
        call(part, part.positions[static_cast<std::size_t>(at)]);
    }
  }

  // Of several reasons for the same pair, the one of the earliest step.
  void mark(const RunList& runs, SignedRunList& counted) const {
    thread_local std::vector<std::uint32_t> marks;  // by key: the row that it was met in last
    thread_local std::uint32_t now = 0;
    if (marks.size() < static_cast<std::size_t>(cols())) marks.resize(static_cast<std::size_t>(cols()), 0);
    if (++now == 0) {
      std::fill(marks.begin(), marks.end(), 0);
      now = 1;
    }
    counted.clear();
    for (const Run& run : runs)
      for (Index j = run.begin; j < run.end; j += run.stride) {
        if (std::exchange(marks[static_cast<std::size_t>(j)], now) == now) continue;
        if (!counted.empty() && counted.back().run.end == j && counted.back().run.label == run.label)
          ++counted.back().run.end;
        else
          counted.push_back({{j, j + 1, 1, run.label, run.multiplicity}, false});
      }
  }

  static void appendKeys(const Part& part, const RunList& local, RunList& runs) {
    for (const Run& run : local) {
      if (run.count() == 0) continue;
      if (part.keyOrder) {
        appendMapped(run, part, runs);
      } else {
        runs.push_back(run);
        runs.back().begin += part.keyOffset;
        runs.back().end += part.keyOffset;
      }
    }
  }

  std::vector<Part> m_parts;
};

Part partOf(const AttendStep& step, Index head, const Shape& shape) {
  const HeadAttend& attend = step.heads[static_cast<std::size_t>(head)];
  Part part{attend.pattern, {}, {}, attend.keyOrder, nullptr, step.axis == KeyAxis::Slots ? shape.nK : 0};
  if (part.keyOrder) part.progressionEnd = progressionsOf(*part.keyOrder);
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
      parts.push_back({throughState(*linear, plan.shape), {}, {}, nullptr, nullptr, 0});
  }
  return std::make_shared<SupportPattern>(plan.shape.nQ, plan.shape.nK + plan.slotCount, std::move(parts));
}

}  // namespace attnscope
