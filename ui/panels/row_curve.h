// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/jobs/row_reader.h"

namespace attnscope {

// One query's weights over all keys, one line a column, with the key under the cursor marked. Where keys are
// narrower than pixels, a pixel shows the largest weight of its keys.
class RowCurve final : public QWidget {
  Q_OBJECT

 public:
  explicit RowCurve(QWidget* parent = nullptr);
  void setReading(const RowReading& reading);
  [[nodiscard]] QSize sizeHint() const override { return {260, 120}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {160, 90}; }

 Q_SIGNALS:
  void keyHovered(qint64 key);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

 private:
  [[nodiscard]] QRectF plotRect() const;
  [[nodiscard]] Index keyCount() const;
  RowReading m_reading;
};

}  // namespace attnscope
