// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QStyledItemDelegate>

namespace attnscope {

// A family as a small heading; a mechanism as its pattern, its name, complexity and year, and the letters of
// the columns where it stands. Under the mouse or the keyboard a plus says that it can be added.
class GalleryDelegate final : public QStyledItemDelegate {
  Q_OBJECT

 public:
  using QStyledItemDelegate::QStyledItemDelegate;

  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  // Where the plus is in a row.
  [[nodiscard]] static QRect addRect(const QRect& row);
};

}  // namespace attnscope
