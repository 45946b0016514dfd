// SPDX-License-Identifier: GPL-3.0-or-later

// How SquareView moves from one order of its tokens to another.
#include <qcustomplot.h>

#include "ui/plots/square_view.h"

namespace attnscope {

// Only a finished picture of all tokens has every row that is to move.
bool SquareView::canMove() const {
  const SquareContent& content = m_square->content;
  const QRectF all(0.0, 0.0, static_cast<double>(content.keys), static_cast<double>(content.queries));
  return isVisible() && isPictureCurrent() && content.viewport == all && content.tokenCells == all &&
         !content.tokenImage.isNull() && content.queries > 1 && content.keys > 1 && orderMotionMs(*this) > 0;
}

void SquareView::startMotion(QImage picture, std::vector<std::int32_t> queryPlaces,
                             std::vector<std::int32_t> keyPlaces) {
  const SquareContent& content = m_square->content;
  // As large as it is drawn, so that rows move by pixels and not by cells.
  picture = picture.scaled(m_square->layout().tokens.size().expandedTo(picture.size()), Qt::IgnoreAspectRatio,
                           Qt::FastTransformation);
  m_motion = std::make_unique<OrderMotion>(
      std::move(picture),
      OrderMotion::Places{std::move(queryPlaces), m_queryPlaces, static_cast<int>(content.queries)},
      OrderMotion::Places{std::move(keyPlaces), m_keyPlaces, static_cast<int>(content.keys)});
  m_motionClock.setStartValue(0.0);
  m_motionClock.setEndValue(1.0);
  m_motionClock.setDuration(orderMotionMs(*this));
  m_motionClock.start();
}

void SquareView::drawMotion(double t) {
  if (!m_motion) return;
  m_square->content.tokenImage = m_motion->at(t, m_theme.plotBackground.rgb());
  m_plot->replot(QCustomPlot::rpQueuedRefresh);
}

// The exact picture, if it is there already, stands where the last frame was.
void SquareView::endMotion() {
  if (!m_motion) return;
  m_motion.reset();
  m_motionClock.stop();
  updatePatches();
  recolor();
  if (isSettled()) emit settled();
}

}  // namespace attnscope
