// SPDX-License-Identifier: GPL-3.0-or-later

// Mouse and keyboard of SquareView.
#include <QKeyEvent>
#include <QMouseEvent>
#include <QRubberBand>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/plots/qcp_support.h"
#include "ui/plots/square_view.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr double kDragPixels = 4.0;  // less is a click

qint64 whole(double cell) {
  return static_cast<qint64>(std::floor(cell));
}

qint64 tokenAt(const std::vector<std::int32_t>& order, qint64 place) {
  return order[static_cast<std::size_t>(std::clamp<qint64>(place, 0, std::ssize(order) - 1))];
}

}  // namespace

qint64 SquareView::queryAt(qint64 place) const {
  const auto& order = m_square->content.order;
  return order ? tokenAt(order->queries, place) : place;
}

qint64 SquareView::keyAt(qint64 place) const {
  const auto& order = m_square->content.order;
  return order ? tokenAt(order->keys, place) : place;
}

void SquareView::hover(QPointF position) {
  const auto cell = m_square->cellAt(position);
  if (cell)
    m_link->setHovered(queryAt(whole(cell->y())), cell->x() < 0.0 ? -1 : keyAt(whole(cell->x())));
  else
    m_link->clearHovered();
}

void SquareView::mouseMoveEvent(QMouseEvent* event) {
  if (!m_link || !m_exploration) return;
  const QPointF at = event->position();
  if (m_drag == Drag::Maybe && (at - m_dragStart).manhattanLength() >= kDragPixels) {
    m_drag = Drag::Pan;
    setCursor(Qt::ClosedHandCursor);
  }
  if (m_drag == Drag::Pan) {
    pan(at);
  } else if (m_drag == Drag::Band) {
    m_band->setGeometry(QRect(m_dragStart.toPoint(), at.toPoint()).normalized().intersected(cellArea()));
  } else {
    hover(at);
  }
}

void SquareView::pan(QPointF position) {
  const QRect area = m_square->layout().tokens.isEmpty() ? cellArea() : m_square->layout().tokens;
  const QPointF moved = position - m_dragStart;
  m_link->setViewport(m_dragViewport.translated(-moved.x() / area.width() * m_dragViewport.width(),
                                                -moved.y() / area.height() * m_dragViewport.height()));
}

void SquareView::mousePressEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && legendMoreRect().contains(event->position())) {
    openLegend();
    return;
  }
  if (const auto entry = legendEntryAt(m_square->layout().legend, legend(), metrics(), event->position());
      entry && m_kind == PanelKind::Pattern && event->button() == Qt::LeftButton) {
    Q_EMIT labelClicked(QString::fromStdString(m_exploration->call.plan->plan().labels[*entry].name));
    return;
  }
  if (!m_link || !m_exploration || event->button() != Qt::LeftButton ||
      !m_square->cellAt(event->position())) {
    event->ignore();
    return;
  }
  m_dragStart = event->position();
  m_dragViewport = m_square->content.viewport;
  m_drag = event->modifiers().testFlag(Qt::ShiftModifier) ? Drag::Band : Drag::Maybe;
  if (m_drag == Drag::Band) {
    m_band->setGeometry(QRect(m_dragStart.toPoint(), QSize()));
    m_band->show();
  }
}

void SquareView::mouseReleaseEvent(QMouseEvent* event) {
  const Drag drag = m_drag;
  m_drag = Drag::None;
  m_band->hide();
  unsetCursor();
  if (!m_link || event->button() != Qt::LeftButton) return;
  if (drag == Drag::Maybe) {
    if (const auto cell = m_square->cellAt(event->position()))
      m_link->setSelected(queryAt(whole(cell->y())), cell->x() < 0.0 ? -1 : keyAt(whole(cell->x())));
  } else if (drag == Drag::Band) {
    const QRectF band = QRectF(m_dragStart, event->position()).normalized().intersected(QRectF(cellArea()));
    if (band.width() < kDragPixels || band.height() < kDragPixels) return;
    const auto from = m_square->cellAt(band.topLeft());
    const auto to = m_square->cellAt(band.bottomRight() - QPointF(0.01, 0.01));
    if (!from || !to) return;
    const QRectF& view = m_square->content.viewport;
    // Over the slots a band chooses queries only.
    const bool overTokens = from->x() >= 0.0 && to->x() >= 0.0;
    m_link->setViewport(QRectF(QPointF(overTokens ? from->x() : view.left(), from->y()),
                               QPointF(overTokens ? to->x() : view.right(), to->y())));
  }
}

void SquareView::mouseDoubleClickEvent(QMouseEvent* event) {
  if (m_link && event->button() == Qt::LeftButton) m_link->resetViewport();
}

void SquareView::wheelEvent(QWheelEvent* event) {
  const auto cell = m_square->cellAt(event->position());
  if (!m_link || !cell) {
    event->ignore();  // outside of the cells the wheel scrolls the wall
    return;
  }
  const double steps = event->angleDelta().y() / 120.0;
  const QPointF center(cell->x() < 0.0 ? m_square->content.viewport.center().x() : cell->x(), cell->y());
  if (steps != 0.0) m_link->zoomAt(center, std::pow(1.25, steps));
  event->accept();
}

void SquareView::keyPressEvent(QKeyEvent* event) {
  if (!m_link || !m_exploration) return QWidget::keyPressEvent(event);
  if (hasFocus()) showFocus(true);
  const qint64 step = event->modifiers().testFlag(Qt::ShiftModifier) ? 10 : 1;
  const QPointF center = m_square->content.viewport.center();
  switch (event->key()) {
    case Qt::Key_Left:
      return moveSelection(0, -step);
    case Qt::Key_Right:
      return moveSelection(0, step);
    case Qt::Key_Up:
      return moveSelection(-step, 0);
    case Qt::Key_Down:
      return moveSelection(step, 0);
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return m_link->zoomAt(center, 1.25);
    case Qt::Key_Minus:
      return m_link->zoomAt(center, 0.8);
    case Qt::Key_Home:
      return m_link->resetViewport();
    case Qt::Key_L:
      return openLegend();
    case Qt::Key_Escape:
      m_link->clearGroup();
      return m_link->setSelected(-1, -1);
    default:
      QWidget::keyPressEvent(event);
  }
}

void SquareView::moveSelection(qint64 queries, qint64 keys) {
  const QRectF& view = m_square->content.viewport;
  // By places: the next row of the picture, whichever query stands there.
  qint64 query = m_square->overlay.selectedQuery;
  qint64 key = m_square->overlay.selectedKey;
  if (query < 0) query = whole(view.center().y()) - queries;
  if (key < 0) key = whole(view.center().x()) - keys;
  query = std::clamp<qint64>(query + queries, 0, m_square->content.queries - 1);
  key = std::clamp<qint64>(key + keys, 0, m_square->content.keys - 1);
  m_link->setSelected(queryAt(query), keyAt(key));
  // The view follows a selection that leaves it.
  QRectF moved = view;
  if (static_cast<double>(key) < view.left()) moved.moveLeft(static_cast<double>(key));
  if (static_cast<double>(key + 1) > view.right()) moved.moveRight(static_cast<double>(key + 1));
  if (static_cast<double>(query) < view.top()) moved.moveTop(static_cast<double>(query));
  if (static_cast<double>(query + 1) > view.bottom()) moved.moveBottom(static_cast<double>(query + 1));
  m_link->setViewport(moved);
}

// A click says by itself where the keys go from there on; a ring is for who walks by the keyboard.
void SquareView::showFocus(bool keyboard) {
  m_keyboard = keyboard;
  const bool ring = hasFocus() && keyboard;
  if (m_square->overlay.focused == ring) return;
  m_square->overlay.focused = ring;
  replotOverlay(*m_plot);
}

void SquareView::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  const Qt::FocusReason reason = event->reason();
  const bool returns = reason == Qt::ActiveWindowFocusReason || reason == Qt::PopupFocusReason;
  showFocus(returns ? m_keyboard : reason != Qt::MouseFocusReason);
}

void SquareView::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  showFocus(m_keyboard);
}

void SquareView::leaveEvent(QEvent* event) {
  QWidget::leaveEvent(event);
  if (m_link) m_link->clearHovered();
}

}  // namespace attnscope
