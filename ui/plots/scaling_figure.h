// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QSize>
#include <QStringList>
#include <vector>

#include "kernels/bench/sweep.h"
#include "ui/plots/plot_metrics.h"

class QCustomPlot;

namespace attnscope {

struct ScalingContent {
  QStringList names;  // by SweepPoint::spec
  QList<QColor> colors;
  std::vector<SweepPoint> points;
};

// Makes a QCustomPlot of the given size into time against length on log-log axes: medians with quartiles, the
// fitted exponent of each curve with its 95 % interval at its end, and a cross where a length was left out.
void buildScaling(QCustomPlot& plot, const ScalingContent& content, const PlotMetrics& metrics,
                  const PlotTheme& theme, QSize size);

// "Reformer  n^1.10 ± 0.04" as written at the end of a curve; the name alone where there is no fit.
[[nodiscard]] QString scalingLabel(const QString& name, const std::vector<SweepPoint>& points,
                                   std::size_t spec);

}  // namespace attnscope
