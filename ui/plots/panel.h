// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <memory>
#include <vector>

#include "core/analysis/reach.h"
#include "core/analysis/scaling_fit.h"
#include "core/mechanisms/insides.h"
#include "core/plan/token_order.h"
#include "kernels/bench/sweep.h"
#include "kernels/explore.h"
#include "kernels/marginals.h"
#include "ui/plots/view_style.h"

namespace attnscope {

class ViewLink;

enum class PanelKind { Pattern, Map, Insides, Reach, Difference };

// Squares of weights share a colour bar; the others have legends.
[[nodiscard]] constexpr bool showsWeights(PanelKind kind) {
  return kind == PanelKind::Map || kind == PanelKind::Difference;
}

// One cell of the wall: the pattern, the map, the difference from a baseline or the reach over layers of one
// mechanism (a square linked by cross-hair and zoom), or its insides. Draws from a finished Exploration only;
// numbers of the visible rectangle are made on worker threads, coarse first, and painting only blits. States:
// empty, busy (keeps the last picture, dimmed), error (the sentence), note (a sentence where a picture would
// say nothing), refused (a sentence and a button that overrules it), ready.
class Panel : public QWidget {
  Q_OBJECT

 public:
  Panel(PanelKind kind, ViewLink* link, QWidget* parent = nullptr);
  ~Panel() override;

  [[nodiscard]] PanelKind kind() const;
  void setExploration(std::shared_ptr<const Exploration> exploration, Index head);
  void setInsides(std::vector<InsidePanel> panels);
  // Whose panel it is, "B Reformer": groups that are selected in its insides are called after it.
  void setOwner(const QString& owner);
  void setReach(std::shared_ptr<const Exploration> exploration, std::shared_ptr<const Reach> reach);
  void setDifference(std::shared_ptr<const Exploration> exploration,
                     const std::shared_ptr<const Exploration>& baseline, Index head);
  void setMarginals(std::shared_ptr<const Marginals> marginals);
  // Of squares: queries and keys in another order; null: as in the text.
  void setOrder(std::shared_ptr<const TokenOrder> order);
  void setNote(const QString& sentence);
  void setBusy(bool busy);
  void setError(const QString& sentence);
  // Nothing to show yet, for a reason that the user can overrule: the sentence, and a button that emits
  // computeAnyway().
  void setRefused(const QString& sentence);
  void clear();
  void setStyleChoices(const ViewStyle& style);
  // Said in the corner of a square that has a scale of its own; empty: it shares one.
  void setScaleNote(const QString& note);
  void setTheme(const PlotTheme& theme);
  // True when the picture of the current viewport is complete (tests and screenshots wait for it).
  [[nodiscard]] bool isSettled() const;
  // What the corner of the picture says: "coarse: 1 of 64 rows" until it is exact.
  [[nodiscard]] QString corner() const;
  // How often numbers were asked for: changing colours must not change it.
  [[nodiscard]] int requestCount() const;
  // Of the weights of a map or of differences that are drawn now.
  [[nodiscard]] const WeightSummary& drawnWeights() const;
  // Where the cells are, in the panel's coordinates: for a colour bar beside it. Empty for insides
  // and where a sentence stands.
  [[nodiscard]] QRect cellArea() const;

  [[nodiscard]] bool hasHeightForWidth() const override;
  // Of the sentence that may stand in place of a picture, with its button.
  [[nodiscard]] int messageHeight(int width) const;
  // The height that makes the square as wide as the panel allows.
  [[nodiscard]] int heightForWidth(int width) const override;
  // More than that where more is of use: narrow insides write some of their text above the plot.
  [[nodiscard]] int usefulHeight(int width) const;
  [[nodiscard]] QSize sizeHint() const override;
  [[nodiscard]] QSize minimumSizeHint() const override;

 signals:
  void settled();
  void computeAnyway();
  void contextMenuAt(QPoint globalPosition);
  void labelClicked(const QString& name);  // a reason in the legend of a pattern

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  class Impl;
  std::unique_ptr<Impl> m_impl;
};

// Measured time against n on log-log axes, one curve a mechanism, fitted exponents at the ends of the curves.
class ScalingPlot : public QWidget {
  Q_OBJECT

 public:
  explicit ScalingPlot(QWidget* parent = nullptr);
  ~ScalingPlot() override;
  void setTheme(const PlotTheme& theme);
  void clear();
  // Names and colours of the curves to come, by index of SweepPoint::spec.
  void setCurves(const QStringList& names, const QList<QColor>& colors);
  void setPoints(const std::vector<SweepPoint>& points);
  // Another run of the same curves, drawn hollow; empty: none.
  void setOverlay(const std::vector<SweepPoint>& points);
  // "none", "pairs", "flops" or "bytes", counted and drawn beside each curve.
  void setTheory(const std::string& name);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  class Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace attnscope
