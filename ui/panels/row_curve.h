// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

#include "ui/jobs/row_reader.h"

namespace attnscope {

// One query's weights over all keys, or one key's over all queries, one line a column, with the place under
// the cursor marked. Where places are narrower than pixels, a pixel shows the largest weight of its places.
class RowCurve final : public QWidget {
  Q_OBJECT

 public:
  explicit RowCurve(QWidget* parent = nullptr);
  void setReading(const RowReading& reading);
  [[nodiscard]] QSize sizeHint() const override { return {260, 120}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {160, 90}; }

 Q_SIGNALS:
  void placeHovered(qint64 place);  // a key, or a query

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;

 private:
  [[nodiscard]] QRectF plotRect() const;
  using Curve = std::shared_ptr<const std::vector<float>>;
  [[nodiscard]] const Curve& curveOf(const ColumnReading& column) const {
    return m_reading.alongQueries ? column.queries : column.row;
  }
  [[nodiscard]] Index placeCount() const;
  RowReading m_reading;
};

}  // namespace attnscope
