// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/badge.h"

#include <QPainter>

#include "ui/icons.h"
#include "ui/plots/view_style.h"

namespace attnscope {

Badge::Badge(int column, QWidget* parent) : QWidget(parent), m_column(column) {
  setFixedSize(sizeHint());
  setColumn(column);
}

void Badge::setColumn(int column) {
  m_column = column;
  setAccessibleName(tr("column %1").arg(columnLetter(column)));
  update();
}

void Badge::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  drawBadge(painter, QRectF(0.5, 0.5, width() - 1, height() - 1), m_column);
}

}  // namespace attnscope
