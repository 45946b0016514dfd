// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QThreadPool>
#include <QTimer>
#include <QVariantAnimation>
#include <QWidget>
#include <memory>
#include <optional>

#include "kernels/explore.h"
#include "ui/jobs/latest_job.h"
#include "ui/plots/order_motion.h"
#include "ui/plots/panel.h"
#include "ui/plots/square_plot.h"
#include "ui/plots/tile_numbers.h"
#include "ui/plots/view_numbers.h"
#include "ui/plots/view_style.h"

class QRubberBand;

namespace attnscope {

class ViewLink;

// The pattern, the map, the difference from a baseline or the reach of one mechanism on screen: numbers from
// workers, colours, cross-hair and zoom through the link. Wheel zooms at the cursor, dragging pans, Shift and
// dragging zooms into a rectangle, a double click shows everything, a click selects; arrows move the
// selection, + and - zoom, Home shows everything, L lists the legend, Escape deselects, the group of tokens
// included.
class SquareView final : public QWidget {
  Q_OBJECT

 public:
  // Pattern, Map, Difference or Reach.
  SquareView(PanelKind kind, ViewLink* link, QWidget* parent);
  ~SquareView() override;

  void setExploration(std::shared_ptr<const Exploration> exploration, Index head);
  void setReach(std::shared_ptr<const Exploration> exploration, const std::shared_ptr<const Reach>& reach);
  void setDifference(std::shared_ptr<const Exploration> exploration,
                     const std::shared_ptr<const Exploration>& baseline, Index head);
  // What stands above and to the right of a map; null: nothing.
  void setMarginals(std::shared_ptr<const Marginals> marginals);
  // Queries and keys in another order; null, or one of other lengths: as in the text. A picture that is there
  // and shows everything slides into it, where the desktop wants animations.
  void setOrder(std::shared_ptr<const TokenOrder> order);
  // Whose square it is: slots of a selected group are marked where the group is its own.
  void setOwner(const QString& owner);
  void setBusy(bool busy);
  void setStyleChoices(const ViewStyle& style);
  void setScaleNote(const QString& note);
  void setTheme(const PlotTheme& theme);
  void clear();
  [[nodiscard]] bool isSettled() const;
  // Of the weights that are drawn now; empty for patterns and reach.
  [[nodiscard]] const WeightSummary& drawnWeights() const { return m_drawn; }
  [[nodiscard]] int requestCount() const { return m_maker.requestCount(); }
  // The names below a pattern, with the share of the square that each reason reads where there is room and it
  // is counted.
  [[nodiscard]] const std::vector<LegendEntry>& legend() const { return m_square->content.legend; }
  [[nodiscard]] QRectF legendEntryRect(std::size_t entry) const;
  // Where the names without room are counted; a click there, or L, lists all. Empty: there is room.
  [[nodiscard]] QRectF legendMoreRect() const;
  [[nodiscard]] const QString& corner() const { return m_square->content.corner; }
  [[nodiscard]] const PlotMetrics& metrics() const { return m_square->metrics(); }
  // Where the cells are, in this widget's coordinates.
  [[nodiscard]] QRect cellArea() const { return m_square->layout().all(); }

 signals:
  void settled();
  void failed(const QString& sentence);
  void labelClicked(const QString& name);  // a reason in the legend

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void takeExploration(std::shared_ptr<const Exploration> exploration);
  void show(NumberSource source);
  void applySource();
  void applyOrder();
  void updateLegend();
  void countLabels();
  [[nodiscard]] QString labelText(std::size_t label) const;
  [[nodiscard]] QString labelShare(std::size_t label) const;  // empty until it is counted
  [[nodiscard]] QString moreText() const;
  void openLegend();
  void updateLook();
  void updateView();
  void requestNumbers();
  void take(const ViewNumbersPtr& numbers);
  void recolor();
  void paintSoon();
  void updatePatches();
  void updateCorner();
  [[nodiscard]] QImage paintedTile(const NumberTile& tile, const TileKey& key, bool overSlots) const;
  [[nodiscard]] ViewStyle weightStyle() const;
  [[nodiscard]] bool isPictureCurrent() const;
  // What stands in the order that is left.
  struct Departure {
    QImage tokens;
    QImage slotPart;
    std::vector<std::int32_t> queryPlaces;
    std::vector<std::int32_t> keyPlaces;
    QPointF selected;  // places of key and query
  };
  // Slides the pictures from there to the order that was just set.
  void startMotion(Departure from);
  void drawMotion(double t);
  void endMotion();
  [[nodiscard]] bool canMove() const;
  void updateOverlay();
  void showFocus(bool keyboard);
  void updateGroup();
  [[nodiscard]] qint64 queryAt(qint64 place) const;
  [[nodiscard]] qint64 keyAt(qint64 place) const;
  void hover(QPointF position);
  void pan(QPointF position);
  void moveSelection(qint64 queries, qint64 keys);
  [[nodiscard]] QRectF effectiveViewport() const;

  enum class Drag { None, Maybe, Pan, Band };

  PanelKind m_kind;
  ViewLink* m_link;
  class QCustomPlot* m_plot;
  std::unique_ptr<SquarePlot> m_square;
  NumberMaker m_maker;
  NumberSource m_base;    // as the plan has it
  NumberSource m_source;  // in the order and without the reasons that the user chose
  std::shared_ptr<const TokenOrder> m_order;
  std::vector<std::int32_t> m_queryPlaces;  // token -> place, where there is an order
  std::vector<std::int32_t> m_keyPlaces;
  std::shared_ptr<const Marginals> m_marginals;  // as in the text
  std::vector<std::uint64_t> m_labelPairs;       // of m_base; empty until they are counted
  QThreadPool m_countPool;
  LatestJob m_countJob{&m_countPool, this};
  NumberRequest m_request;
  ViewNumbersPtr m_numbers;
  WeightSummary m_drawn;
  std::unique_ptr<TiledWindow> m_tokenTiles;  // of m_request
  std::unique_ptr<TiledWindow> m_slotTiles;
  quint64 m_stamp = 0;  // of the colours
  bool m_paintPending = false;
  bool m_fresh = false;  // an answer that is not painted yet
  std::shared_ptr<const Exploration> m_exploration;
  QString m_owner;
  Index m_layers = 0;  // of the reach
  // While rows and columns are on their way.
  struct Motion {
    std::optional<OrderMotion> tokens;
    std::optional<OrderMotion> slotPart;
    QPointF selectedAway;  // at the start
  };
  std::optional<Motion> m_motion;
  QVariantAnimation m_motionClock;
  ViewStyle m_style;
  PlotTheme m_theme;
  QTimer m_busyTimer;
  bool m_keyboard = false;  // who has the focus came by the keyboard, or used it here
  Drag m_drag = Drag::None;
  QPointF m_dragStart;
  QRectF m_dragViewport;
  QRubberBand* m_band;
};

}  // namespace attnscope
