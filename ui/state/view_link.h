// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QRectF>
#include <QTimer>
#include <vector>

#include "ui/state/selected_group.h"

namespace attnscope {

// What the panels of a wall, or of one column, share: a cross-hair, a visible rectangle, a selected query,
// a selected group of tokens.
// Positions are in cells: x is the key, y the query, both from the top left, so that cell (i, j) covers [j,
// j+1) x [i, i+1).
class ViewLink final : public QObject {
  Q_OBJECT

 public:
  explicit ViewLink(QObject* parent = nullptr);
  // Shares everything with another link from now on, in both directions.
  void follow(ViewLink* shared);
  // Whether the viewport is shared as well; coming back, it takes the shared one.
  void setSharesZoom(bool shares);
  [[nodiscard]] bool sharesZoom() const { return m_sharesZoom; }

  [[nodiscard]] QRectF viewport() const { return m_viewport; }
  [[nodiscard]] QRectF bounds() const { return m_bounds; }
  [[nodiscard]] qint64 hoveredQuery() const { return m_hoveredQuery; }  // -1: none
  [[nodiscard]] qint64 hoveredKey() const { return m_hoveredKey; }
  [[nodiscard]] qint64 selectedQuery() const { return m_selectedQuery; }
  [[nodiscard]] qint64 selectedKey() const { return m_selectedKey; }
  [[nodiscard]] const SelectedGroupPtr& group() const { return m_group; }  // null: none
  [[nodiscard]] bool canGoBack() const;
  [[nodiscard]] bool canGoForward() const;

 public slots:
  // The size of the token square changed: keeps the viewport if it still fits, else shows everything.
  void setBounds(qint64 keys, qint64 queries);
  // Clipped to the bounds, never smaller than one cell.
  void setViewport(const QRectF& viewport);
  void zoomAt(QPointF center, double factor);
  void resetViewport();
  // Where the view stood before, and forward again. Viewports that follow each other within a moment (a
  // wheel, a drag) are one place.
  void goBack();
  void goForward();
  void setHovered(qint64 query, qint64 key);
  void clearHovered();
  void setSelected(qint64 query, qint64 key);
  // What stands in the insides of a column for several tokens; goes when the bounds change.
  void setGroup(const SelectedGroupPtr& group);
  void clearGroup() { setGroup(nullptr); }

 signals:
  void viewportChanged(QRectF viewport);
  void boundsChanged(qint64 keys, qint64 queries);
  void historyChanged();
  void hoveredChanged(qint64 query, qint64 key);
  void selectedChanged(qint64 query, qint64 key);
  void groupChanged(const attnscope::SelectedGroupPtr& group);

 private:
  void show(const QRectF& viewport);
  void goTo(std::size_t place);
  void keepPlace();

  QRectF m_viewport;
  QRectF m_bounds;
  qint64 m_hoveredQuery = -1;
  qint64 m_hoveredKey = -1;
  qint64 m_selectedQuery = -1;
  qint64 m_selectedKey = -1;
  SelectedGroupPtr m_group;
  ViewLink* m_shared = nullptr;
  bool m_sharesZoom = true;
  std::vector<QRectF> m_places;  // where the view rested, oldest first
  std::size_t m_place = 0;       // the last of them that was gone to
  QTimer m_rest;
};

}  // namespace attnscope
