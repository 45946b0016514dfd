// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

namespace attnscope {

// The letter of a column in its colour.
class Badge final : public QWidget {
  Q_OBJECT

 public:
  explicit Badge(int column = 0, QWidget* parent = nullptr);
  void setColumn(int column);
  [[nodiscard]] QSize sizeHint() const override { return {18, 18}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  int m_column;
};

}  // namespace attnscope
