// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QWidget>
#include <memory>
#include <vector>

#include "ui/plots/view_style.h"

namespace attnscope {

// One mechanism as a trade: what it costs and how far its output is from full attention's.
struct Trade {
  int column = 0;  // of the wall: letter and colour
  QString name;
  double cost = 0.0;   // floating point operations, above 0
  double error = 0.0;  // relative output error, 0 or more
};

// Indices of the trades that no other one beats in both (cheaper or as cheap, and better or as good), by
// rising cost.
[[nodiscard]] std::vector<std::size_t> paretoFront(const std::vector<Trade>& trades);

// Error against cost, a badge a column, and the line of those that no other column beats.
class ParetoPlot final : public QWidget {
  Q_OBJECT

 public:
  explicit ParetoPlot(QWidget* parent = nullptr);
  ~ParetoPlot() override;
  void setTheme(const PlotTheme& theme);
  void setTrades(std::vector<Trade> trades);
  [[nodiscard]] const std::vector<Trade>& trades() const;

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  class Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace attnscope
