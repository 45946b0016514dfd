// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "ui/plots/inside_plot.h"
#include "ui/plots/insides_view.h"

class QCustomPlot;
class QLabel;
class QSlider;

namespace attnscope {

// One picture of InsidesView; a series has a line above it with its name, a slider and "3 / 12".
struct InsidesView::Cell {
  explicit Cell(QWidget* parent);
  ~Cell();
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  void show(const InsidePanel& panel, const QRect& area);
  // Returns the height of the line.
  int addSwitch(QWidget* parent, const QString& series, int count, int member, const QRect& area,
                const PlotMetrics& look, const PlotTheme& theme);
  void nameMember(int member) const;

  QCustomPlot* plot;
  std::shared_ptr<InsidePlot> inside;
  int place = 0;
  QSlider* slider = nullptr;
  QLabel* name = nullptr;
  QLabel* where = nullptr;
};

}  // namespace attnscope
