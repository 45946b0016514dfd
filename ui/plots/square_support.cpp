// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/square_support.h"

#include <algorithm>
#include <cmath>

#include "core/base/units.h"
#include "core/raster/color_map.h"
#include "ui/plots/cell_image.h"

namespace attnscope {

std::vector<bool> hiddenLabels(const Plan& plan, const QStringList& hidden) {
  std::vector<bool> labels;
  for (const Label& label : plan.labels)
    labels.push_back(hidden.contains(QString::fromStdString(label.name)));
  return labels;
}

std::vector<LegendEntry> patternLegend(const Plan& plan, const QStringList& hidden) {
  std::vector<LegendEntry> entries;
  for (std::size_t i = 0; i < plan.labels.size(); ++i)
    entries.push_back({QString::fromStdString(plan.labels[i].name), categoryQColor(i),
                       hidden.contains(QString::fromStdString(plan.labels[i].name))});
  return entries;
}

std::vector<StripBar> stripBars(const std::vector<float>& values, double begin, double extent,
                                double length) {
  std::vector<StripBar> bars;
  const auto first = std::max<Index>(0, static_cast<Index>(std::floor(begin)));
  const auto last = std::min(std::ssize(values), static_cast<Index>(std::ceil(begin + extent)));
  if (first >= last || !(extent > 0.0)) return bars;
  const double cell = length / extent;
  const Index step = std::max<Index>(1, static_cast<Index>(std::floor(1.0 / cell)));
  double largest = 0.0;
  for (Index i = first; i < last; i += step) {
    const auto from = values.begin() + i;
    const double value = *std::max_element(from, values.begin() + std::min(i + step, last));
    const double at = std::max(0.0, (static_cast<double>(i) - begin) * cell);
    const double end = std::min(length, (static_cast<double>(std::min(i + step, last)) - begin) * cell);
    if (!std::isfinite(value) || value <= 0.0 || end <= at) continue;
    bars.push_back({at, end - at, value});
    largest = std::max(largest, value);
  }
  for (StripBar& bar : bars) bar.share /= largest;
  return bars;
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
