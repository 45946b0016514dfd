// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/jobs/row_reader.h"

namespace attnscope {

// One pair in every column: weight, rank of the key in its row, and why the pair is read or not.
class PairTable final : public QWidget {
  Q_OBJECT

 public:
  explicit PairTable(QWidget* parent = nullptr);
  void setReading(const RowReading& reading);
  // The same as sentences, for the clipboard and for screen readers.
  [[nodiscard]] QString text() const;
  [[nodiscard]] bool hasHeightForWidth() const override { return true; }
  [[nodiscard]] int heightForWidth(int width) const override;
  [[nodiscard]] QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  [[nodiscard]] int rowHeight(int row, int width) const;
  RowReading m_reading;
};

}  // namespace attnscope
