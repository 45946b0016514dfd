// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "core/mechanisms/insides.h"
#include "ui/plots/inside_plot.h"

class QLabel;
class QToolButton;

namespace attnscope {

class ViewLink;

// The pictures of a mechanism's insides: as many side by side as fit, the others a page further. The token
// under the mouse becomes the hovered query of the wall, and the query hovered elsewhere is marked here.
class InsidesView final : public QWidget {
  Q_OBJECT

 public:
  InsidesView(ViewLink* link, QWidget* parent);
  ~InsidesView() override;

  void setPanels(std::vector<InsidePanel> panels);
  void setTheme(const PlotTheme& theme);
  void setStyleChoices(const ViewStyle& style);
  [[nodiscard]] bool isEmpty() const { return m_panels.empty(); }
  [[nodiscard]] int page() const { return m_page; }
  void setPage(int page);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;

 private:
  struct Cell;
  void rebuild();
  void mark();
  [[nodiscard]] qint64 tokenAt(QPointF position) const;
  [[nodiscard]] PlotMetrics metrics() const;

  ViewLink* m_link;
  std::vector<InsidePanel> m_panels;
  std::vector<std::unique_ptr<Cell>> m_cells;
  PlotTheme m_theme;
  ViewStyle m_style;
  QToolButton* m_back;
  QToolButton* m_next;
  QLabel* m_where;
  int m_page = 0;
};

}  // namespace attnscope
