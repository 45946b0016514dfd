// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QImage>
#include <QWidget>
#include <memory>
#include <vector>

#include "core/plan/token_group.h"
#include "ui/jobs/loaded_input.h"

namespace attnscope {

// The weights of one row on the input itself: tokens of a text shaded in their order, or cells over the
// picture. The query has a frame. Long texts show the part around the query.
class InputShade final : public QWidget {
  Q_OBJECT

 public:
  explicit InputShade(QWidget* parent = nullptr);
  void setInput(LoadedInputPtr input);
  void setRow(std::shared_ptr<const std::vector<float>> row, Index query, Index key, const QColor& color);
  // Tokens of the selected group: underlined in the text, framed in the picture. A long text that shows none
  // of them moves to the first.
  void setGroup(const TokenRanges& tokens);
  // Where a token stands in the text or the picture; empty where it is not shown.
  [[nodiscard]] QRectF placeOf(Index token) const;
  [[nodiscard]] bool hasHeightForWidth() const override { return true; }
  [[nodiscard]] int heightForWidth(int width) const override;
  [[nodiscard]] QSize sizeHint() const override { return {260, heightForWidth(std::max(200, width()))}; }

 Q_SIGNALS:
  void keyHovered(qint64 key);
  void queryClicked(qint64 query);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void layOut(int width);
  void goTo(Index token);
  [[nodiscard]] Index tokenAt(QPointF position) const;
  [[nodiscard]] double share(Index key) const;  // weight over the largest one
  void paintText(QPainter& painter) const;
  void paintPicture(QPainter& painter) const;
  void paintGroupOutline(QPainter& painter) const;
  [[nodiscard]] QRectF pictureRect(int width) const;

  LoadedInputPtr m_input;
  QImage m_picture;
  std::shared_ptr<const std::vector<float>> m_row;
  double m_largest = 0.0;
  Index m_query = -1;
  Index m_key = -1;
  QColor m_color;
  TokenRanges m_group;
  Index m_first = 0;             // first token that is laid out
  std::vector<QRectF> m_places;  // of tokens from m_first on
  int m_height = 24;
};

}  // namespace attnscope
