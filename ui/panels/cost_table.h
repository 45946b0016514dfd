// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTableView>
#include <QWidget>

namespace attnscope {

class CostModel;
class ParetoPlot;
struct PlotTheme;

// What the columns lose and cost, side by side, as a table (Ctrl+C copies it) or as error against cost.
class CostTable final : public QWidget {
  Q_OBJECT

 public:
  explicit CostTable(CostModel* model, QWidget* parent = nullptr);
  [[nodiscard]] QTableView* view() const { return m_view; }
  [[nodiscard]] ParetoPlot* chart() const { return m_chart; }
  void setTheme(const PlotTheme& theme);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fitColumns();
  void updateChart();

  CostModel* m_model;
  QTableView* m_view;
  ParetoPlot* m_chart;
};

}  // namespace attnscope
