// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/view_link.h"

#include <algorithm>

namespace attnscope {

namespace {

// One axis of a viewport: at least a cell, at most everything, moved rather than cut where it sticks out.
void clip(double& begin, double& size, double low, double extent) {
  size = std::clamp(size, std::min(1.0, extent), extent);
  begin = std::clamp(begin, low, low + extent - size);
}

}  // namespace

ViewLink::ViewLink(QObject* parent) : QObject(parent) {}

void ViewLink::setBounds(qint64 keys, qint64 queries) {
  const QRectF bounds(0.0, 0.0, static_cast<double>(keys), static_cast<double>(queries));
  if (bounds == m_bounds) return;
  const bool sawEverything = m_viewport == m_bounds;
  m_bounds = bounds;
  clearHovered();
  if (m_selectedQuery >= queries || m_selectedKey >= keys) setSelected(-1, -1);
  if (sawEverything || m_viewport.isEmpty() || !bounds.contains(m_viewport)) {
    m_viewport = bounds;
    emit viewportChanged(m_viewport);
  }
}

void ViewLink::setViewport(const QRectF& viewport) {
  if (m_bounds.isEmpty()) return;
  double x = viewport.x();
  double y = viewport.y();
  double width = viewport.width();
  double height = viewport.height();
  clip(x, width, m_bounds.x(), m_bounds.width());
  clip(y, height, m_bounds.y(), m_bounds.height());
  const QRectF clipped(x, y, width, height);
  if (clipped == m_viewport) return;
  m_viewport = clipped;
  emit viewportChanged(m_viewport);
}

void ViewLink::zoomAt(QPointF center, double factor) {
  if (!(factor > 0.0)) return;
  const double width = std::clamp(m_viewport.width() / factor, 1.0, std::max(1.0, m_bounds.width()));
  const double height = std::clamp(m_viewport.height() / factor, 1.0, std::max(1.0, m_bounds.height()));
  // The cell under the cursor stays under the cursor.
  const double x = center.x() - (center.x() - m_viewport.x()) * width / std::max(m_viewport.width(), 1e-12);
  const double y = center.y() - (center.y() - m_viewport.y()) * height / std::max(m_viewport.height(), 1e-12);
  setViewport(QRectF(x, y, width, height));
}

void ViewLink::resetViewport() {
  setViewport(m_bounds);
}

void ViewLink::setHovered(qint64 query, qint64 key) {
  if (query == m_hoveredQuery && key == m_hoveredKey) return;
  m_hoveredQuery = query;
  m_hoveredKey = key;
  emit hoveredChanged(query, key);
}

void ViewLink::clearHovered() {
  setHovered(-1, -1);
}

void ViewLink::setSelected(qint64 query, qint64 key) {
  if (query == m_selectedQuery && key == m_selectedKey) return;
  m_selectedQuery = query;
  m_selectedKey = key;
  emit selectedChanged(query, key);
}

}  // namespace attnscope
