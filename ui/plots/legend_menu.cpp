// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/legend_menu.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

namespace attnscope {

namespace {

// Filled, hollow where the entry is hidden, and with a tick where it can be hidden: style sheets draw no box
// beside a picture.
QIcon swatch(const LegendEntry& entry, bool ticked, const QWidget& widget) {
  const double ratio = widget.devicePixelRatioF();
  const int side = widget.fontMetrics().height();
  QPixmap picture(QSize(side, side) * ratio);
  picture.setDevicePixelRatio(ratio);
  picture.fill(Qt::transparent);
  QPainter painter(&picture);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF box(0.1 * side, 0.1 * side, 0.8 * side, 0.8 * side);
  if (entry.hidden) {
    painter.setPen(QPen(entry.color, 1.5));
    painter.drawRect(box.adjusted(0.75, 0.75, -0.75, -0.75));
    return picture;
  }
  painter.fillRect(box, entry.color);
  if (!ticked) return picture;
  painter.setPen(QPen(qGray(entry.color.rgb()) > 140 ? Qt::black : Qt::white, 0.12 * side, Qt::SolidLine,
                      Qt::RoundCap, Qt::RoundJoin));
  painter.drawPolyline(
      QPolygonF{{0.28 * side, 0.52 * side}, {0.44 * side, 0.68 * side}, {0.72 * side, 0.34 * side}});
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
    QAction* action = addAction(swatch(entries[i], choosable, *this),
                                QString(entries[i].name).replace(QLatin1Char('&'), QStringLiteral("&&")) +
                                    QLatin1Char('\t') + notes.value(entry));
    if (!choosable) continue;
    action->setCheckable(true);
    action->setChecked(!entries[i].hidden);
    connect(action, &QAction::toggled, this, [this, action, entry, shown = entries[i]](bool on) mutable {
      shown.hidden = !on;
      action->setIcon(swatch(shown, true, *this));
      Q_EMIT entryToggled(entry);
    });
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
