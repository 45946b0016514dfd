// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "core/analysis/reach.h"
#include "core/plan/plan.h"
#include "ui/plots/legend.h"

namespace attnscope {

// Names and colours of a plan's labels.
[[nodiscard]] std::vector<LegendEntry> patternLegend(const Plan& plan, const QStringList& hidden = {});
// By label, whether the pairs of the plan's reasons are left out.
[[nodiscard]] std::vector<bool> hiddenLabels(const Plan& plan, const QStringList& hidden);

// A strip beside an axis that shows [begin, begin + extent) of `values` on `length` units: one bar a cell, or
// one a unit with the largest of its cells; `share` is of the largest that is visible.
struct StripBar {
  double begin = 0.0;
  double length = 0.0;
  double share = 0.0;
};
[[nodiscard]] std::vector<StripBar> stripBars(const std::vector<float>& values, double begin, double extent,
                                              double length);

// Layers, early ones dark, with the share of pairs that is reached after each.
[[nodiscard]] std::vector<QColor> layerColors(Index layers);
[[nodiscard]] std::vector<LegendEntry> reachLegend(const Reach& reach);

}  // namespace attnscope
