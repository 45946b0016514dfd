// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <array>

#include "ui/plots/panel.h"
#include "ui/state/document.h"

class QGridLayout;

namespace attnscope {

class BaselineService;
class ColorBar;
class ColumnHeader;
class MarginalService;
class ComputeService;
struct ColumnResult;
class PanelCell;
class ReachService;
class RowTitle;
class ViewLink;

// The middle of the window: a column a mechanism, a row a view, all linked. Shows what the service has and
// nothing else; after a failure in a column its last pictures stay, and its header says why.
class Wall final : public QWidget {
  Q_OBJECT

 public:
  // What the wall shows comes from these.
  struct Services {
    ComputeService* compute;
    ReachService* reach;
    BaselineService* baselines;
    MarginalService* marginals;
  };
  Wall(Document* document, const Services& services, ViewLink* link, QWidget* parent = nullptr);

  [[nodiscard]] bool isSettled() const;  // every visible panel is drawn
  [[nodiscard]] Panel* panel(int column, PanelKind kind) const;
  // The cross-hair and viewport of one column, which follow those of the wall unless the column zooms alone.
  [[nodiscard]] ViewLink* columnLink(int column) const {
    return m_columns[static_cast<std::size_t>(column)].link;
  }
  [[nodiscard]] ColumnHeader* header(int column) const {
    return m_columns[static_cast<std::size_t>(column)].header;
  }
  void setTheme(const PlotTheme& theme);
  // Every column shows its baseline in place of its own pattern and map, to be blinked between.
  void setBlinking(bool blinking);
  // The order that the squares stand in; null: as in the text.
  [[nodiscard]] std::shared_ptr<const TokenOrder> order() const { return m_order; }
  [[nodiscard]] bool isBlinking() const { return m_blinking; }

 Q_SIGNALS:
  void settled();
  void panelMenuAsked(int column, PanelKind kind, QPoint globalPosition);
  void headerMenuAsked(int column, QPoint globalPosition);
  void scaleMenuAsked(QPoint globalPosition);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  static constexpr int kRows = static_cast<int>(kRowOrder.size());
  struct Column {
    ColumnHeader* header = nullptr;
    ViewLink* link = nullptr;
    std::array<Panel*, kRows> panels{};
    std::array<PanelCell*, kRows> cells{};
    Index shownHead = -1;
    std::shared_ptr<const Exploration> shown;
    std::shared_ptr<const std::vector<InsidePanel>> insides;
    std::shared_ptr<const Reach> reach;
    std::shared_ptr<const Exploration> differs;  // what the difference shows, and from what
    std::shared_ptr<const Exploration> baseline;
    Index differsHead = -1;
  };

  void makeColumn(int column);
  void updateStructure();
  void updateColumn(int column);
  void updateInsides(int column);
  void updateReach(int column);
  void updateDifference(int column);
  void updateMarginals(int column);
  void updateOrder();
  void updateViews();
  [[nodiscard]] std::shared_ptr<const Exploration> pictured(int column) const;
  void updateHeader(int column);
  void updateStyle();
  void fitScale(PanelKind kind);
  void fitRows();
  void placeColorBars();
  [[nodiscard]] bool rowVisible(int row) const;
  [[nodiscard]] bool noMaps() const;
  void showWithoutPass(Panel& panel, const QString& note, const ColumnResult& column) const;

  Document* m_document;
  ComputeService* m_service;
  ReachService* m_reach;
  BaselineService* m_baselines;
  MarginalService* m_marginals;
  ViewLink* m_link;
  QGridLayout* m_grid;
  std::array<Column, kMaxColumns> m_columns;
  std::array<RowTitle*, kRows> m_titles{};
  bool m_blinking = false;
  bool m_noMaps = false;
  ColorBar* m_bar;
  ColorBar* m_differenceBar;
  int m_scaleGesture = 0;
  std::shared_ptr<const TokenOrder> m_order;
  std::shared_ptr<const Exploration> m_orderFrom;  // whose order that is, with which choices
  std::pair<int, Index> m_orderChoice{-1, -1};
};

}  // namespace attnscope
