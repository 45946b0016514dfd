// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/legend_menu.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

namespace attnscope {

namespace {

QIcon swatch(const QColor& color, const QWidget& widget) {
  const double ratio = widget.devicePixelRatioF();
  const int side = widget.fontMetrics().height();
  QPixmap picture(QSize(side, side) * ratio);
  picture.setDevicePixelRatio(ratio);
  picture.fill(Qt::transparent);
  QPainter painter(&picture);
  painter.fillRect(QRectF(0.1 * side, 0.1 * side, 0.8 * side, 0.8 * side), color);
  return picture;
}

}  // namespace

LegendMenu::LegendMenu(const std::vector<LegendEntry>& entries, const QStringList& notes, bool choosable,
                       QWidget* parent)
    : QMenu(parent) {
  setObjectName(QStringLiteral("legendMenu"));
  setAttribute(Qt::WA_DeleteOnClose);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto entry = static_cast<int>(i);
    // What stands behind a tab is set apart, as shortcuts are.
    QAction* action = addAction(swatch(entries[i].color, *this),
                                QString(entries[i].name).replace(QLatin1Char('&'), QStringLiteral("&&")) +
                                    QLatin1Char('\t') + notes.value(entry));
    if (!choosable) continue;
    action->setCheckable(true);
    action->setChecked(!entries[i].hidden);
    connect(action, &QAction::toggled, this, [this, entry] { Q_EMIT entryToggled(entry); });
  }
}

void LegendMenu::mouseReleaseEvent(QMouseEvent* event) {
  QAction* action = activeAction();
  if (action && action->isCheckable() && actionGeometry(action).contains(event->pos()))
    action->toggle();
  else
    QMenu::mouseReleaseEvent(event);
}

void LegendMenu::keyPressEvent(QKeyEvent* event) {
  const bool chooses =
      event->key() == Qt::Key_Space || event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
  if (QAction* action = activeAction(); chooses && action && action->isCheckable())
    action->toggle();
  else
    QMenu::keyPressEvent(event);
}

}  // namespace attnscope
