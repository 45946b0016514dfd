// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/state/view_link.h"

#include <algorithm>

namespace attnscope {

namespace {

constexpr int kRestMs = 400;
constexpr std::size_t kMostPlaces = 100;

// One axis of a viewport: at least a cell, at most everything, moved rather than cut where it sticks out.
void clip(double& begin, double& size, double low, double extent) {
  size = std::clamp(size, std::min(1.0, extent), extent);
  begin = std::clamp(begin, low, low + extent - size);
}

}  // namespace

ViewLink::ViewLink(QObject* parent) : QObject(parent) {
  m_rest.setSingleShot(true);
  m_rest.setInterval(kRestMs);
  connect(&m_rest, &QTimer::timeout, this, &ViewLink::keepPlace);
}

void ViewLink::follow(ViewLink* shared) {
  m_shared = shared;
  connect(shared, &ViewLink::boundsChanged, this, &ViewLink::setBounds);
  connect(shared, &ViewLink::hoveredChanged, this, &ViewLink::setHovered);
  connect(shared, &ViewLink::selectedChanged, this, &ViewLink::setSelected);
  connect(shared, &ViewLink::viewportChanged, this, [this](const QRectF& viewport) {
    if (m_sharesZoom) show(viewport);
  });
  connect(this, &ViewLink::hoveredChanged, shared, &ViewLink::setHovered);
  connect(this, &ViewLink::selectedChanged, shared, &ViewLink::setSelected);
  connect(shared, &ViewLink::groupChanged, this, &ViewLink::setGroup);
  connect(this, &ViewLink::groupChanged, shared, &ViewLink::setGroup);
}

void ViewLink::setSharesZoom(bool shares) {
  if (shares == m_sharesZoom) return;
  m_sharesZoom = shares;
  if (shares && m_shared) show(m_shared->viewport());
}

void ViewLink::setBounds(qint64 keys, qint64 queries) {
  const QRectF bounds(0.0, 0.0, static_cast<double>(keys), static_cast<double>(queries));
  if (bounds == m_bounds) return;
  const bool sawEverything = m_viewport == m_bounds;
  m_bounds = bounds;
  clearHovered();
  clearGroup();
  if (m_selectedQuery >= queries || m_selectedKey >= keys) setSelected(-1, -1);
  if (sawEverything || m_viewport.isEmpty() || !bounds.contains(m_viewport)) {
    m_viewport = bounds;
    emit viewportChanged(m_viewport);
  }
  m_rest.stop();
  m_places = {m_viewport};
  m_place = 0;
  emit historyChanged();
  emit boundsChanged(keys, queries);
}

void ViewLink::show(const QRectF& viewport) {
  if (viewport == m_viewport) return;
  m_viewport = viewport;
  emit viewportChanged(m_viewport);
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
  if (m_shared && m_sharesZoom) return m_shared->setViewport(clipped);
  show(clipped);
  m_rest.start();
  emit historyChanged();
}

void ViewLink::keepPlace() {
  m_rest.stop();
  if (m_places.empty() || m_places[m_place] == m_viewport) return;
  m_places.resize(m_place + 1);
  m_places.push_back(m_viewport);
  if (m_places.size() > kMostPlaces) m_places.erase(m_places.begin());
  m_place = m_places.size() - 1;
  emit historyChanged();
}

bool ViewLink::canGoBack() const {
  return m_place > 0 || (!m_places.empty() && m_places[m_place] != m_viewport);
}

bool ViewLink::canGoForward() const {
  return m_place + 1 < m_places.size() && m_places[m_place] == m_viewport;
}

void ViewLink::goTo(std::size_t place) {
  m_place = place;
  show(m_places[place]);
  emit historyChanged();
}

void ViewLink::goBack() {
  keepPlace();
  if (m_place > 0) goTo(m_place - 1);
}

void ViewLink::goForward() {
  keepPlace();
  if (m_place + 1 < m_places.size()) goTo(m_place + 1);
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

void ViewLink::setGroup(const SelectedGroupPtr& group) {
  if (group == m_group || (group && m_group && *group == *m_group)) return;
  m_group = group;
  emit groupChanged(m_group);
}

}  // namespace attnscope
