// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QRectF>

namespace attnscope {

// What all panels of the wall share: one cross-hair, one visible rectangle, one selected query. Positions are
// in cells: x is the key, y the query, both from the top left, so that cell (i, j) covers [j, j+1) x [i,
// i+1).
class ViewLink final : public QObject {
  Q_OBJECT

 public:
  explicit ViewLink(QObject* parent = nullptr);

  [[nodiscard]] QRectF viewport() const { return m_viewport; }
  [[nodiscard]] QRectF bounds() const { return m_bounds; }
  [[nodiscard]] qint64 hoveredQuery() const { return m_hoveredQuery; }  // -1: none
  [[nodiscard]] qint64 hoveredKey() const { return m_hoveredKey; }
  [[nodiscard]] qint64 selectedQuery() const { return m_selectedQuery; }
  [[nodiscard]] qint64 selectedKey() const { return m_selectedKey; }

 public slots:
  // The size of the token square changed: keeps the viewport if it still fits, else shows everything.
  void setBounds(qint64 keys, qint64 queries);
  // Clipped to the bounds, never smaller than one cell.
  void setViewport(const QRectF& viewport);
  void zoomAt(QPointF center, double factor);
  void resetViewport();
  void setHovered(qint64 query, qint64 key);
  void clearHovered();
  void setSelected(qint64 query, qint64 key);

 signals:
  void viewportChanged(QRectF viewport);
  void hoveredChanged(qint64 query, qint64 key);
  void selectedChanged(qint64 query, qint64 key);

 private:
  QRectF m_viewport;
  QRectF m_bounds;
  qint64 m_hoveredQuery = -1;
  qint64 m_hoveredKey = -1;
  qint64 m_selectedQuery = -1;
  qint64 m_selectedKey = -1;
};

}  // namespace attnscope
