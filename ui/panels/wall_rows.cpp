// SPDX-License-Identifier: GPL-3.0-or-later
// How high the rows of the wall are.
#include <QGridLayout>
#include <algorithm>

#include "ui/jobs/compute_service.h"
#include "ui/panels/column_header.h"
#include "ui/panels/panel_cell.h"
#include "ui/panels/wall.h"
#include "ui/plots/color_bar_view.h"

namespace attnscope {

namespace {

constexpr int kLeastMap = 128;       // height of a row of maps below which the wall rather scrolls
constexpr int kMoreForInsides = 36;  // their axes and captions need more
constexpr int kNarrowColumn = 240;   // below this the colour bar gives width to the squares

bool needsPass(PanelKind kind) {
  return showsWeights(kind) || kind == PanelKind::Insides;
}

}  // namespace

// The map offers the pass; where no map is shown, every row that needs one does.
void Wall::showWithoutPass(Panel& panel, const QString& note, const ColumnResult& column) const {
  if (m_document->state().rows.map)
    panel.setNote(note);
  else
    panel.setRefused(passSentence(column));
}

// No pass has run, and none will unless somebody asks: the rows that need one fold to their sentences.
bool Wall::noMaps() const {
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ColumnResult& column = m_service->column(i);
    if (!column.exploration || column.exploration->hasPass() || column.passBusy) return false;
    if (column.exploration->estimate.runsUnasked() && column.passError.isEmpty()) return false;
  }
  return true;
}

void Wall::fitRows() {
  const bool narrow = width() < kNarrowColumn * m_document->columnCount();
  for (ColorBar* bar : {m_bar, m_differenceBar}) bar->setNarrow(narrow);
  // Squares of all rows have one size: rows differ by what stands around their squares, and none is higher
  // than its squares can use. What is left stays free below the last row.
  const Column& first = m_columns[0];
  const int width = first.header->width();
  std::array<int, kRows> full{};
  int shown = 0;
  int sum = 0;
  for (int row = 0; row < kRows; ++row) {
    if (!rowVisible(row)) continue;
    // The difference is as high as the map, also where a sentence stands in its place.
    const auto measured = kRowOrder[static_cast<std::size_t>(row)].kind == PanelKind::Difference
                              ? rowOf(PanelKind::Map)
                              : static_cast<std::size_t>(row);
    full[static_cast<std::size_t>(row)] = first.panels[measured]->heightForWidth(width);
    if (m_noMaps && needsPass(kRowOrder[static_cast<std::size_t>(row)].kind))
      full[static_cast<std::size_t>(row)] = first.panels[static_cast<std::size_t>(row)]->messageHeight(width);
    sum += full[static_cast<std::size_t>(row)];
    ++shown;
  }
  if (shown == 0) return;
  int spare = height() - first.header->height() - 12 - m_grid->verticalSpacing() * (shown + 1) - sum;
  if (const auto insides = rowOf(PanelKind::Insides);
      spare > 0 && rowVisible(static_cast<int>(insides)) && !m_noMaps) {
    const int more = std::min(spare, first.panels[insides]->usefulHeight(width) - full[insides]);
    full[insides] += more;
    spare -= more;
  }
  const int most = kLeastMap - first.panels[rowOf(PanelKind::Map)]->heightForWidth(width);
  const int change = std::clamp(spare / shown, std::min(0, most), 0);
  for (int row = 0; row < kRows; ++row) {
    const auto at = static_cast<std::size_t>(row);
    if (!rowVisible(row)) {
      m_grid->setRowStretch(row + 1, 0);
      continue;
    }
    const int more = at == rowOf(PanelKind::Insides) ? kMoreForInsides : 0;
    m_grid->setRowStretch(row + 1, std::max(1, full[at] + change));
    for (Column& column : m_columns) {
      column.cells[at]->setMinimumHeight(
          std::clamp(full[at] + most + more, std::min(60, full[at]), full[at]));
      column.cells[at]->setMaximumHeight(full[at]);
    }
    // A bar would take what there is and push its row apart.
    if (at == rowOf(PanelKind::Map)) m_bar->setMaximumHeight(full[at]);
    if (at == rowOf(PanelKind::Difference)) m_differenceBar->setMaximumHeight(full[at]);
  }
}

}  // namespace attnscope
