// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>

#include "ui/plots/panel.h"
#include "ui/state/document.h"

class QGridLayout;

namespace attnscope {

class ColorBar;
class ColumnHeader;
class ComputeService;
class PanelCell;
class ReachService;
class RowTitle;
class ViewLink;

// The middle of the window: a column a mechanism, a row a view, all linked. Shows what the service has and
// nothing else; after a failure in a column its last pictures stay, and its header says why.
class Wall final : public QWidget {
  Q_OBJECT

 public:
  Wall(Document* document, ComputeService* service, ReachService* reach, ViewLink* link,
       QWidget* parent = nullptr);

  [[nodiscard]] bool isSettled() const;  // every visible panel is drawn
  [[nodiscard]] Panel* panel(int column, PanelKind kind) const;
  [[nodiscard]] ColumnHeader* header(int column) const {
    return m_columns[static_cast<std::size_t>(column)].header;
  }
  void setTheme(const PlotTheme& theme);

 Q_SIGNALS:
  void settled();
  void panelMenuAsked(int column, PanelKind kind, QPoint globalPosition);
  void headerMenuAsked(int column, QPoint globalPosition);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  static constexpr int kRows = static_cast<int>(kRowOrder.size());
  struct Column {
    ColumnHeader* header = nullptr;
    std::array<Panel*, kRows> panels{};
    std::array<PanelCell*, kRows> cells{};
    Index shownHead = -1;
    std::shared_ptr<const Exploration> shown;
    std::shared_ptr<const std::vector<InsidePanel>> insides;
    std::shared_ptr<const Reach> reach;
  };

  void makeColumn(int column);
  void updateStructure();
  void updateColumn(int column);
  void updateInsides(int column);
  void updateReach(int column);
  void updateHeader(int column);
  void updateStyle();
  void fitRows();
  void placeColorBar();
  [[nodiscard]] bool rowVisible(int row) const;

  Document* m_document;
  ComputeService* m_service;
  ReachService* m_reach;
  ViewLink* m_link;
  QGridLayout* m_grid;
  std::array<Column, kMaxColumns> m_columns;
  std::array<RowTitle*, kRows> m_titles{};
  ColorBar* m_bar;
};

}  // namespace attnscope
