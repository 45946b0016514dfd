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

// What a curve is compared with: counted from the plan and scaled to the curve's last measured point.
enum class Theory { None, Pairs, Flops, Bytes };
[[nodiscard]] Theory theoryOf(const std::string& name);  // "pairs", "flops", "bytes"; else None

struct ScalingContent {
  QStringList names;  // by SweepPoint::spec
  QList<QColor> colors;
  std::vector<SweepPoint> points;
  std::vector<SweepPoint> overlay;  // another run of the same curves: hollow, dashed
  Theory theory = Theory::None;     // dotted
};

// Makes a QCustomPlot of the given size into time against length on log-log axes: medians with quartiles, the
// fitted exponent of each curve with its 95 % interval at its end, a cross where a length was left out, and a
// ring where two curves meet.
void buildScaling(QCustomPlot& plot, const ScalingContent& content, const PlotMetrics& metrics,
                  const PlotTheme& theme, QSize size);

// "Reformer  n^1.10 ± 0.04" as written at the end of a curve; the name alone where there is no fit.
[[nodiscard]] QString scalingLabel(const QString& name, const std::vector<SweepPoint>& points,
                                   std::size_t spec);

}  // namespace attnscope
