// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSlider>
#include <optional>

namespace attnscope {

// A slider over a range of doubles that shows the paper's value as a mark. Ranges over two decades move in
// equal ratios. Positions are steps of the slider; value() is rounded by whoever owns it.
class MarkedSlider final : public QSlider {
  Q_OBJECT

 public:
  explicit MarkedSlider(QWidget* parent = nullptr);

  void setValueRange(double low, double high, bool whole);
  void setPaperValue(std::optional<double> value, const QString& text);
  void showValue(double value);  // moves without a signal
  [[nodiscard]] double valueAtHandle() const;

 Q_SIGNALS:
  void valueMoved(double value);  // by the user

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  [[nodiscard]] QSize sizeHint() const override { return {96, 22}; }
  [[nodiscard]] QSize minimumSizeHint() const override { return {44, 22}; }

 private:
  [[nodiscard]] double valueAt(double position) const;  // 0..1 -> value
  [[nodiscard]] double positionOf(double value) const;  // value -> 0..1
  [[nodiscard]] QRectF groove() const;
  void paintPaperMark(QPainter& painter, const QRectF& line) const;

  double m_low = 0.0;
  double m_high = 1.0;
  bool m_whole = true;
  std::optional<double> m_paper;
};

}  // namespace attnscope
