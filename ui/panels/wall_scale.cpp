// SPDX-License-Identifier: GPL-3.0-or-later

// Colour scales of the wall: one for what stands side by side, so that equal colours are equal weights, and
// its bar; columns that are unlinked have one of their own and say so.
#include "ui/panels/wall.h"
#include "ui/plots/color_bar_view.h"

namespace attnscope {

void Wall::fitScale(PanelKind kind) {
  const std::vector<ColumnView>& views = m_document->state().views;
  const auto alone = [&](int column) {
    return column < std::ssize(views) && views[static_cast<std::size_t>(column)].ownScale;
  };
  WeightSummary drawn;
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (!alone(i)) drawn.add(panel(i, kind)->drawnWeights());
  ViewStyle style = m_document->state().style;
  style.scale = fittedScale(style.scale, style.range, drawn);
  for (int i = 0; i < kMaxColumns; ++i) {
    if (!alone(i)) {
      panel(i, kind)->setStyleChoices(style);
      panel(i, kind)->setScaleNote({});
      continue;
    }
    const ViewStyle own = ownScaleStyle(m_document->state().style, panel(i, kind)->drawnWeights());
    panel(i, kind)->setStyleChoices(own);
    panel(i, kind)->setScaleNote(scaleNote(own));
  }
  ColorBar* bar = kind == PanelKind::Map ? m_bar : m_differenceBar;
  bar->setStyleChoices(style);
  bar->setDrawn(drawn);
}

void Wall::placeColorBars() {
  // Beside the first column whose square is there: the baseline has none in the row of differences.
  for (const auto& [bar, kind] :
       {std::pair{m_bar, PanelKind::Map}, std::pair{m_differenceBar, PanelKind::Difference}}) {
    for (int i = 0; i < m_document->columnCount(); ++i) {
      const Panel* beside = panel(i, kind);
      const QRect cells = beside->cellArea();
      if (!beside->isVisible() || cells.isEmpty()) continue;
      bar->setSpan(beside->mapTo(this, cells.topLeft()).y() - bar->y(), cells.height());
      break;
    }
  }
}

}  // namespace attnscope
