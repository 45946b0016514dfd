// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "core/plan/pattern.h"

namespace attnscope {

// Cells [begin, begin + cells) shared out over at most as many pixels as there are cells.
struct PixelAxis {
  Index begin = 0;
  Index cells = 0;
  Index pixels = 0;

  // First cell of pixel p, relative to `begin`.
  [[nodiscard]] Index edge(Index p) const { return p * cells / pixels; }
  [[nodiscard]] Index pixelOf(Index cell) const { return ((cell + 1) * pixels - 1) / cells; }
  // Members of a progression with this stride in every whole pixel; 0 where that depends on the pixel.
  [[nodiscard]] Index membersOfEach(Index /*stride*/) const { return 0; }
};

// The same with pixels of 2^level cells each; the last one may have fewer.
struct LevelAxis {
  Index begin = 0;
  Index cells = 0;
  Index pixels = 0;
  int level = 0;

  LevelAxis(Index from, Index count, int pixelLevel)
      : begin(from),
        cells(count),
        pixels((count + (Index{1} << pixelLevel) - 1) >> pixelLevel),
        level(pixelLevel) {}
  [[nodiscard]] Index edge(Index p) const { return std::min(p << level, cells); }
  [[nodiscard]] Index pixelOf(Index cell) const { return cell >> level; }
  [[nodiscard]] Index membersOfEach(Index stride) const {
    const Index width = Index{1} << level;
    return std::has_single_bit(static_cast<std::uint64_t>(stride)) && stride <= width ? width / stride : 0;
  }
};

// Pairs in one row of pixels, by label. A run of neighbouring keys costs its two ends only: the full pixels
// between them go into difference arrays.
template <class Axis>
class PixelRow {
 public:
  explicit PixelRow(const Axis& axis) : m_axis(axis) {}

  void clear() {
    for (const std::uint8_t label : m_used) {
      Counts& counts = m_counts[label];
      std::fill(counts.single.begin(), counts.single.end(), 0);
      std::fill(counts.full.begin(), counts.full.end(), 0);
      std::fill(counts.even.begin(), counts.even.end(), 0);
      counts.touched = false;
    }
    m_used.clear();
  }

  void add(const SignedRun& run) {
    const Run visible = clipRun(run.run, m_axis.begin, m_axis.begin + m_axis.cells);
    if (visible.begin >= visible.end) return;
    Counts& counts = countsOf(visible.label);
    const Index begin = visible.begin - m_axis.begin;
    const Index end = visible.end - m_axis.begin;
    const Index sign = run.minus ? -1 : 1;
    if (visible.stride == 1)
      addDense(counts, begin, end, sign);
    else
      addStrided(counts, begin, end, visible.stride, sign);
  }

  // Adds up; afterwards count() may be asked until clear().
  void finish() {
    std::sort(m_used.begin(), m_used.end());  // ties go to the first label, whatever order the runs came in
    for (const std::uint8_t label : m_used) {
      Counts& counts = m_counts[label];
      Index full = 0;
      Index even = 0;
      for (std::size_t p = 0; p < counts.single.size(); ++p) {
        full += counts.full[p];
        even += counts.even[p];
        const auto pixel = static_cast<Index>(p);
        counts.single[p] += full * (m_axis.edge(pixel + 1) - m_axis.edge(pixel)) + even;
      }
    }
  }
  [[nodiscard]] const std::vector<std::uint8_t>& labels() const { return m_used; }
  [[nodiscard]] const std::vector<Index>& counts(std::uint8_t label) const { return m_counts[label].single; }

 private:
  struct Counts {
    std::vector<Index> single;
    std::vector<Index> full;  // differences of the number of rows in which a pixel is covered whole
    std::vector<Index> even;  // differences of what strided runs add to every whole pixel
    bool touched = false;
  };

  Counts& countsOf(std::uint8_t label) {
    Counts& counts = m_counts[label];
    if (counts.single.empty()) {
      counts.single.assign(static_cast<std::size_t>(m_axis.pixels), 0);
      counts.full.assign(static_cast<std::size_t>(m_axis.pixels) + 1, 0);
      counts.even.assign(static_cast<std::size_t>(m_axis.pixels) + 1, 0);
    }
    if (!counts.touched) {
      counts.touched = true;
      m_used.push_back(label);
    }
    return counts;
  }

  void addDense(Counts& counts, Index begin, Index end, Index sign) {
    const Index first = m_axis.pixelOf(begin);
    const Index last = m_axis.pixelOf(end - 1);
    if (first == last) {
      counts.single[static_cast<std::size_t>(first)] += sign * (end - begin);
      return;
    }
    counts.single[static_cast<std::size_t>(first)] += sign * (m_axis.edge(first + 1) - begin);
    counts.single[static_cast<std::size_t>(last)] += sign * (end - m_axis.edge(last));
    counts.full[static_cast<std::size_t>(first) + 1] += sign;
    counts.full[static_cast<std::size_t>(last)] -= sign;
  }

  void addStrided(Counts& counts, Index begin, Index end, Index stride, Index sign) {
    const Index count = (end - begin + stride - 1) / stride;
    const Index first = m_axis.pixelOf(begin);
    const Index last = m_axis.pixelOf(begin + (count - 1) * stride);
    const auto below = [&](Index cell) {  // members of the run before `cell`
      return cell <= begin ? 0 : std::min((cell - begin + stride - 1) / stride, count);
    };
    if (first == last) {
      counts.single[static_cast<std::size_t>(first)] += sign * count;
      return;
    }
    if (const Index each = m_axis.membersOfEach(stride)) {
      counts.single[static_cast<std::size_t>(first)] += sign * below(m_axis.edge(first + 1));
      counts.single[static_cast<std::size_t>(last)] += sign * (count - below(m_axis.edge(last)));
      counts.even[static_cast<std::size_t>(first) + 1] += sign * each;
      counts.even[static_cast<std::size_t>(last)] -= sign * each;
      return;
    }
    if (count <= last - first + 1) {
      for (Index cell = begin; cell < end; cell += stride)
        counts.single[static_cast<std::size_t>(m_axis.pixelOf(cell))] += sign;
      return;
    }
    Index before = 0;
    for (Index p = first; p <= last; ++p) {
      const Index upTo = below(m_axis.edge(p + 1));
      counts.single[static_cast<std::size_t>(p)] += sign * (upTo - before);
      before = upTo;
    }
  }

  Axis m_axis;
  std::array<Counts, 256> m_counts;
  std::vector<std::uint8_t> m_used;
};

}  // namespace attnscope
