// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/gallery_delegate.h"

#include <QPainter>

#include "ui/icons.h"
#include "ui/models/mechanism_model.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr int kPicture = 32;
constexpr int kRowHeight = 42;
constexpr int kMargin = 12;
constexpr int kBadge = 17;

void paintPicture(QPainter& painter, const QRect& square, const QImage& picture, const Chrome& chrome) {
  painter.fillRect(square, chrome.dark ? chrome.wall : QColor(Qt::white));
  if (!picture.isNull()) {
    painter.setRenderHint(QPainter::SmoothPixmapTransform, picture.width() != picture.height());
    painter.drawImage(square, picture);
  }
  painter.setPen(chrome.border);
  painter.drawRect(square.adjusted(-1, -1, 0, 0));
}

void paintBadges(QPainter& painter, const QRect& row, const QList<int>& columns) {
  int right = row.right() - kMargin;
  for (auto it = columns.crbegin(); it != columns.crend(); ++it) {
    drawBadge(painter, QRectF(right - kBadge, row.center().y() - kBadge / 2, kBadge, kBadge), *it);
    right -= kBadge + 3;
  }
}

void paintFamily(QPainter& painter, const QRect& rect, const QString& name, const Chrome& chrome) {
  painter.setFont(captionFont());
  painter.setPen(chrome.secondary);
  painter.drawText(rect.adjusted(kMargin, 0, -kMargin, -3), Qt::AlignLeft | Qt::AlignBottom, name);
}

}  // namespace

QRect GalleryDelegate::addRect(const QRect& row) {
  return QRect(row.right() - kMargin - kBadge - 1, row.center().y() - kBadge / 2, kBadge + 2, kBadge + 2);
}

void GalleryDelegate::paint(QPainter* painter, const QStyleOptionViewItem& option,
                            const QModelIndex& index) const {
  const Chrome chrome = Chrome::of(option.palette);
  painter->save();
  const QString id = index.data(MechanismModel::IdRole).toString();
  if (id.isEmpty()) {
    paintFamily(*painter, option.rect, index.data(Qt::DisplayRole).toString(), chrome);
    painter->restore();
    return;
  }
  const auto columns = index.data(MechanismModel::ColumnsRole).value<QList<int>>();
  const bool current = option.state & QStyle::State_Selected;
  const bool hovered = option.state & QStyle::State_MouseOver;
  if (current || !columns.isEmpty()) painter->fillRect(option.rect, chrome.accentSoft);
  if (hovered && columns.isEmpty() && !current) painter->fillRect(option.rect, chrome.hover);
  if (current) painter->fillRect(QRect(option.rect.topLeft(), QSize(3, option.rect.height())), chrome.accent);

  const QRect square(option.rect.left() + kMargin, option.rect.center().y() - kPicture / 2, kPicture,
                     kPicture);
  paintPicture(*painter, square, index.data(MechanismModel::PictureRole).value<QImage>(), chrome);

  const int left = square.right() + 10;
  const int free = option.rect.right() - kMargin - left -
                   (kBadge + 3) * static_cast<int>(std::max<qsizetype>(1, columns.size()));
  QFont nameFont = option.font;
  if (!columns.isEmpty()) nameFont.setWeight(QFont::DemiBold);
  painter->setFont(nameFont);
  painter->setPen(chrome.text);
  const QRect upper(left, option.rect.top() + 3, free, option.rect.height() / 2 - 2);
  painter->drawText(
      upper, Qt::AlignLeft | Qt::AlignVCenter,
      QFontMetrics(nameFont).elidedText(index.data(Qt::DisplayRole).toString(), Qt::ElideRight, free));
  painter->setFont(smallFont());
  painter->setPen(chrome.secondary);
  const QRect lower(left, upper.bottom(), free, option.rect.height() / 2 - 2);
  painter->drawText(
      lower, Qt::AlignLeft | Qt::AlignVCenter,
      QFontMetrics(smallFont())
          .elidedText(index.data(MechanismModel::SubtitleRole).toString(), Qt::ElideRight, free));
  if (!columns.isEmpty()) {
    paintBadges(*painter, option.rect, columns);
  } else if (hovered || current) {
    drawGlyph(*painter, Glyph::Add, addRect(option.rect), chrome.accent);
  }
  painter->restore();
}

QSize GalleryDelegate::sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const {
  const bool family = index.data(MechanismModel::IdRole).toString().isEmpty();
  const int text = QFontMetrics(option.font).height() + QFontMetrics(smallFont()).height() + 8;
  return {120, family ? QFontMetrics(captionFont()).height() + 14 : std::max(kRowHeight, text)};
}

}  // namespace attnscope
