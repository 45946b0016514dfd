// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTableView>
#include <QWidget>

namespace attnscope {

class CostModel;

// What the columns lose and cost, side by side; Ctrl+C copies the table.
class CostTable final : public QWidget {
  Q_OBJECT

 public:
  explicit CostTable(CostModel* model, QWidget* parent = nullptr);
  [[nodiscard]] QTableView* view() const { return m_view; }

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fitColumns();

  QTableView* m_view;
};

}  // namespace attnscope
