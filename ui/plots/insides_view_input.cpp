// SPDX-License-Identifier: GPL-3.0-or-later

// Mouse and keyboard of InsidesView.
#include <qcustomplot.h>

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QToolTip>
#include <algorithm>

#include "ui/plots/inside_cell.h"
#include "ui/plots/insides_view.h"
#include "ui/state/view_link.h"

namespace attnscope {

const InsidesView::Cell* InsidesView::cellAt(QPointF position) const {
  for (const auto& cell : m_cells)
    if (QRectF(cell->plot->geometry()).contains(position)) return cell.get();
  return nullptr;
}

InsideHit InsidesView::hitAt(QPointF position) const {
  const Cell* cell = cellAt(position);
  return cell ? cell->inside->hitAt(position - QPointF(cell->plot->pos())) : InsideHit{};
}

SelectedGroupPtr InsidesView::groupAt(QPointF position) const {
  const Cell* cell = cellAt(position);
  return cell ? selectionOf(cell->inside->panel(), hitAt(position), m_owner) : nullptr;
}

void InsidesView::mouseMoveEvent(QMouseEvent* event) {
  if (!m_link) return;
  const InsideHit hit = hitAt(event->position());
  m_link->setHovered(hit.query, hit.key);
  if (hit.group >= 0 || hit.keyGroup >= 0)
    setCursor(Qt::PointingHandCursor);
  else
    unsetCursor();
}

void InsidesView::mouseReleaseEvent(QMouseEvent* event) {
  if (!m_link || event->button() != Qt::LeftButton) return;
  const InsideHit hit = hitAt(event->position());
  const SelectedGroupPtr group = groupAt(event->position());
  if (const Cell* cell = cellAt(event->position())) m_focused = cell->place;
  if (hit.query >= 0) m_link->setSelected(hit.query, hit.key);
  const bool again = group && m_link->group() && *group == *m_link->group();
  if (group) m_link->setGroup(again ? nullptr : group);
  mark();
}

void InsidesView::leaveEvent(QEvent* event) {
  QWidget::leaveEvent(event);
  if (m_link) m_link->clearHovered();
}

bool InsidesView::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  if (const SelectedGroupPtr group = groupAt(help->pos()))
    QToolTip::showText(help->globalPos(), groupSentence(*group), this);
  else
    QToolTip::hideText();
  return true;
}

void InsidesView::stepGroup(int by) {
  if (!m_link || m_places.empty()) return;
  const InsidePanel& panel = m_panels[shownOf(m_places[static_cast<std::size_t>(m_focused)])];
  if (!panel.groups || panel.groups->empty()) return;
  // From the selected one on; a group without tokens would select nothing that can be seen.
  const int count = static_cast<int>(panel.groups->size());
  int at = by > 0 ? -1 : 0;
  if (ownsGroup())
    for (int g = 0; g < count; ++g)
      if ((*panel.groups)[static_cast<std::size_t>(g)].name == m_link->group()->chosen.front()) at = g;
  for (int tried = 0; tried < count; ++tried) {
    at = (at + by + count) % count;
    const TokenGroup& group = (*panel.groups)[static_cast<std::size_t>(at)];
    if (group.queries.empty() && group.keys.empty() && group.slotColumns.empty()) continue;
    m_link->setGroup(selectionOf(panel, {-1, -1, at, -1}, m_owner));
    return;
  }
}

void InsidesView::stepPicture(int by) {
  const int count = static_cast<int>(m_places.size());
  if (count == 0) return;
  m_focused = std::clamp(m_focused + by, 0, count - 1);
  if (m_focused / m_perPage != m_page)
    setPage(m_focused / m_perPage);
  else
    mark();
}

void InsidesView::keyPressEvent(QKeyEvent* event) {
  const int key = event->key();
  // Without a link nothing can be selected, and these keys are of use to the window that this is part of.
  if (!m_link && (key == Qt::Key_Left || key == Qt::Key_Right || key == Qt::Key_Escape))
    return QWidget::keyPressEvent(event);
  switch (key) {
    case Qt::Key_Left:
      return stepGroup(-1);
    case Qt::Key_Right:
      return stepGroup(1);
    case Qt::Key_Up:
      return stepPicture(-1);
    case Qt::Key_Down:
      return stepPicture(1);
    case Qt::Key_PageUp:
      return setPage(m_page - 1);
    case Qt::Key_PageDown:
      return setPage(m_page + 1);
    case Qt::Key_Escape:
      return m_link->clearGroup();
    default:
      QWidget::keyPressEvent(event);
  }
}

void InsidesView::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  mark();
}

void InsidesView::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  mark();
}

}  // namespace attnscope
