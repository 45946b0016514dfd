// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/mechanisms/rule_panels.h"

#include <algorithm>

namespace attnscope {

InsidePanel keysByRule(const FrozenPlan& plan, Index head) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Curves;
  panel.title = "Keys by rule";
  panel.caption = "How many keys each query reads, and which rule lets them in.";
  panel.xTitle = "query";
  panel.yTitle = "keys";
  for (const Label& label : plan.plan().labels) panel.curves.push_back({label.name, {}, {}});
  const Pattern& support = *plan.support(head);
  const Index stride = std::max<Index>(1, support.rows() / 512);
  RunList runs;
  for (Index i = 0; i < support.rows(); i += stride) {
    support.row(i, runs);
    std::vector<double> counts(panel.curves.size(), 0.0);
    for (const Run& run : runs) counts[run.label] += static_cast<double>(run.count());
    for (std::size_t label = 0; label < counts.size(); ++label) {
      panel.curves[label].x.push_back(static_cast<double>(i));
      panel.curves[label].y.push_back(counts[label]);
    }
  }
  return panel;
}

InsidePanel pairsByRule(const FrozenPlan& plan, Index head, const std::string& caption) {
  InsidePanel panel;
  panel.kind = InsidePanel::Kind::Bars;
  panel.title = "Pairs by rule";
  panel.caption = caption;
  panel.yTitle = "pairs";
  const Pattern& support = *plan.support(head);
  panel.bars.assign(plan.plan().labels.size(), 0.0);
  RunList runs;
  for (Index i = 0; i < support.rows(); ++i) {
    support.row(i, runs);
    for (const Run& run : runs) panel.bars[run.label] += static_cast<double>(run.count());
  }
  for (const Label& label : plan.plan().labels) panel.barNames.push_back(label.name);
  return panel;
}

}  // namespace attnscope
