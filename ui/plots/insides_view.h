// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <map>
#include <memory>
#include <vector>

#include "core/mechanisms/insides.h"
#include "ui/plots/inside_plot.h"

class QLabel;
class QToolButton;

namespace attnscope {

class ViewLink;

// The pictures of a mechanism's insides: as many side by side as fit, the others a page further. Panels of
// one series share a place and have a slider. The token under the mouse becomes the hovered one of the wall,
// and what is hovered elsewhere is marked here. A click on something that stands for several tokens (a
// bucket, a block, a slot) selects that group for the whole window, a second click or Escape clears it. From
// the keyboard: left and right go through the groups of a picture, up and down through the pictures, page up
// and page down through the pages.
class InsidesView final : public QWidget {
  Q_OBJECT

 public:
  InsidesView(ViewLink* link, QWidget* parent);
  ~InsidesView() override;

  // Whose insides these are: "B Reformer". A group that was selected under another name is let go.
  void setOwner(const QString& owner);
  // A group of theirs that was selected stays so where the new panels have one of its name; else it goes.
  void setPanels(std::vector<InsidePanel> panels);
  void setTheme(const PlotTheme& theme);
  void setStyleChoices(const ViewStyle& style);
  [[nodiscard]] bool isEmpty() const { return m_panels.empty(); }
  [[nodiscard]] int page() const { return m_page; }
  void setPage(int page);
  // Where the picture with this title is drawn, in this widget's coordinates; empty if another page has it.
  [[nodiscard]] QRect pictureRect(const std::string& title) const;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Cell;
  // Panels [first, past) take one place.
  struct Place {
    std::size_t first = 0;
    std::size_t past = 0;
  };
  void rebuild();
  [[nodiscard]] std::unique_ptr<Cell> makeCell(int place, QRect area, const PlotMetrics& look);
  void placePager(int pages);
  void choose(const std::string& series, int member);
  [[nodiscard]] std::size_t shownOf(const Place& place) const;
  void mark();
  void announce();
  void keepGroup();
  [[nodiscard]] bool ownsGroup() const;
  [[nodiscard]] const Cell* cellAt(QPointF position) const;
  [[nodiscard]] InsideHit hitAt(QPointF position) const;
  [[nodiscard]] SelectedGroupPtr groupAt(QPointF position) const;
  void stepGroup(int by);
  void stepPicture(int by);
  [[nodiscard]] PlotMetrics metrics() const;

  ViewLink* m_link;
  QString m_owner;
  std::vector<InsidePanel> m_panels;
  std::vector<Place> m_places;
  std::map<std::string, int> m_chosen;  // of a series, which of its panels
  std::vector<std::unique_ptr<Cell>> m_cells;
  PlotTheme m_theme;
  ViewStyle m_style;
  QToolButton* m_back;
  QToolButton* m_next;
  QLabel* m_where;
  int m_page = 0;
  int m_perPage = 1;
  int m_focused = 0;  // place that the keys go to
};

}  // namespace attnscope
