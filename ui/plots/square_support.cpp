// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/square_support.h"

#include "core/base/units.h"
#include "core/raster/color_map.h"
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

std::vector<QColor> layerColors(Index layers) {
  // An ordered quantity gets an ordered palette. The lightest tenth would vanish on paper.
  const auto map = colorMap("viridis");
  std::vector<QColor> colors;
  for (Index layer = 0; layer < layers; ++layer) {
    const double position = layers == 1 ? 0.0 : static_cast<double>(layer) / static_cast<double>(layers - 1);
    const Rgb c = map[static_cast<std::size_t>(20.0 + 205.0 * position)];
    colors.emplace_back(c.r, c.g, c.b);
  }
  return colors;
}

std::vector<LegendEntry> reachLegend(const Reach& reach) {
  const std::vector<QColor> colors = layerColors(reach.layers);
  std::vector<LegendEntry> entries;
  for (std::size_t layer = 0; layer < reach.share.size(); ++layer) {
    if (layer > 0 && reach.share[layer] == reach.share[layer - 1]) break;  // nothing new: no such cells
    const QString share = QString::fromStdString(percentText(reach.share[layer]));
    entries.push_back({QStringLiteral("%1: %2").arg(layer + 1).arg(share), colors[layer]});
  }
  if (!entries.empty()) entries.front().name.prepend(QObject::tr("layers ", "before the number of layers"));
  return entries;
}

}  // namespace attnscope
