// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/square_support.h"

#include "ui/plots/cell_image.h"

namespace attnscope {

bool readsTokens(const Pattern& support, Index tokens) {
  RunList runs;
  for (Index i = 0; i < support.rows(); ++i) {
    support.row(i, runs);
    for (const Run& run : runs)
      if (run.begin < tokens) return true;
  }
  return false;
}

std::vector<LegendEntry> patternLegend(const Plan& plan) {
  std::vector<LegendEntry> entries;
  for (std::size_t i = 0; i < plan.labels.size(); ++i)
    entries.push_back({QString::fromStdString(plan.labels[i].name), categoryQColor(i)});
  return entries;
}

}  // namespace attnscope
