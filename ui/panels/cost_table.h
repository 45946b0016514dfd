// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTableView>
#include <QWidget>

class QHBoxLayout;
class QLabel;
class QStackedWidget;
class QToolButton;

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
  // Leaves the line of the heading, with the captured mass of each column in it.
  void setFolded(bool folded);
  // At the end of that line.
  void addTrailing(QWidget* widget);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fitColumns();
  void updateChart();
  void updateSummary();

  CostModel* m_model;
  QTableView* m_view;
  ParetoPlot* m_chart;
  QHBoxLayout* m_bar;
  QToolButton* m_asChart;
  QStackedWidget* m_pages;
  QLabel* m_summary;
};

}  // namespace attnscope
