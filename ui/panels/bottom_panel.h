// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QList>
#include <QWidget>

class QSplitter;
class QToolButton;

namespace attnscope {

class CostTable;
class ScalingPanel;

// What stands below the wall: time against length, and what the columns lose and cost. Folds to the line of
// its headings, which keeps the most telling numbers, so that the wall has the height of a small screen.
class BottomPanel final : public QWidget {
  Q_OBJECT

 public:
  BottomPanel(ScalingPanel* scaling, CostTable* costs, QWidget* parent = nullptr);

  void setFolded(bool folded);
  [[nodiscard]] bool isFolded() const { return m_folded; }

 Q_SIGNALS:
  void foldedChanged(bool folded);

 private:
  void showFold();

  ScalingPanel* m_scaling;
  CostTable* m_costs;
  QSplitter* m_splitter;
  QToolButton* m_fold;
  QList<int> m_sizes;  // unfolded
  bool m_folded = false;
};

}  // namespace attnscope
