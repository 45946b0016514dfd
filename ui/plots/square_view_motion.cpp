// SPDX-License-Identifier: GPL-3.0-or-later

// How SquareView moves from one order of its tokens to another.
#include <qcustomplot.h>

#include <algorithm>

#include "ui/plots/square_view.h"

namespace attnscope {

// Only a finished picture of all tokens has every row that is to move.
bool SquareView::canMove() const {
  const SquareContent& content = m_square->content;
  const SquareLayout& layout = m_square->layout();
  const auto queries = static_cast<double>(content.queries);
  const QRectF all(0.0, 0.0, static_cast<double>(content.keys), queries);
  const QRectF allSlots(0.0, 0.0, static_cast<double>(content.slotCount), queries);
  const bool tokensThere =
      layout.tokens.isEmpty() || (content.tokenCells == all && !content.tokenImage.isNull());
  const bool slotsThere =
      layout.slotArea.isEmpty() || (content.slotCells == allSlots && !content.slotImage.isNull());
  return isVisible() && isPictureCurrent() && content.viewport == all && tokensThere && slotsThere &&
         content.queries > 1 && content.keys > 1 && orderMotionMs(*this) > 0;
}

void SquareView::startMotion(Departure from) {
  const SquareContent& content = m_square->content;
  const SquareLayout& layout = m_square->layout();
  // As large as they are drawn, so that rows move by pixels and not by cells.
  const auto drawn = [](const QImage& picture, const QRect& area) {
    return picture.scaled(area.size().expandedTo(picture.size()), Qt::IgnoreAspectRatio,
                          Qt::FastTransformation);
  };
  const OrderMotion::Places rows{std::move(from.queryPlaces), m_queryPlaces,
                                 static_cast<int>(content.queries)};
  Motion motion;
  if (!layout.tokens.isEmpty())
    motion.tokens.emplace(
        drawn(from.tokens, layout.tokens), rows,
        OrderMotion::Places{std::move(from.keyPlaces), m_keyPlaces, static_cast<int>(content.keys)});
  // Slots have no order of their own.
  if (!layout.slotArea.isEmpty())
    motion.slotPart.emplace(drawn(from.slotPart, layout.slotArea), rows,
                            OrderMotion::Places{{}, {}, static_cast<int>(content.slotCount)});
  const SquareOverlay& overlay = m_square->overlay;
  motion.selectedAway = from.selected - QPointF(static_cast<double>(overlay.selectedKey),
                                                static_cast<double>(overlay.selectedQuery));
  m_motion = std::move(motion);
  updateGroup();
  drawMotion(0.0);
  m_motionClock.setStartValue(0.0);
  m_motionClock.setEndValue(1.0);
  m_motionClock.setDuration(orderMotionMs(*this));
  m_motionClock.start();
}

// Names and sums of tokens leave at once and appear while their tokens arrive: sliding, they would lie over
// each other.
void SquareView::drawMotion(double t) {
  if (!m_motion) return;
  SquareContent& content = m_square->content;
  const QRgb background = m_theme.plotBackground.rgb();
  if (m_motion->tokens) content.tokenImage = m_motion->tokens->at(t, background);
  if (m_motion->slotPart) content.slotImage = m_motion->slotPart->at(t, background);
  content.tokenNames = std::max(0.0, 2.0 * t - 1.0);
  m_square->overlay.selectedAway = (1.0 - OrderMotion::wayAt(t)) * m_motion->selectedAway;
  m_square->update();
  m_plot->replot(QCustomPlot::rpQueuedRefresh);
}

// The exact picture, if it is there already, stands where the last frame was.
void SquareView::endMotion() {
  if (!m_motion) return;
  m_motion.reset();
  m_motionClock.stop();
  m_square->content.tokenNames = 1.0;
  m_square->overlay.selectedAway = {};
  m_square->update();
  updateGroup();
  updatePatches();
  recolor();
  if (isSettled()) emit settled();
}

}  // namespace attnscope
