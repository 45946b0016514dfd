// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/row_title.h"

#include <QPainter>

#include "ui/theme.h"

namespace attnscope {

RowTitle::RowTitle(QString text, QWidget* parent) : QWidget(parent), m_text(std::move(text)) {
  setAccessibleName(m_text);
}

QSize RowTitle::sizeHint() const {
  const QFontMetrics metrics(captionFont());
  return {metrics.height() + 8, metrics.horizontalAdvance(m_text) + 8};
}

void RowTitle::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setFont(captionFont());
  painter.setPen(Chrome::of(palette()).secondary);
  painter.translate(0, height());
  painter.rotate(-90);
  painter.drawText(QRect(0, 0, height(), width()), Qt::AlignCenter, m_text);
}

}  // namespace attnscope
