// SPDX-License-Identifier: GPL-3.0-or-later

// The painting of a laid-out figure, by the same plots as on screen.
#include <qcustomplot.h>

#include <algorithm>

#include "ui/export/figure_page.h"
#include "ui/plots/color_bar.h"
#include "ui/plots/inside_plot.h"
#include "ui/plots/qcp_support.h"
#include "ui/plots/scaling_figure.h"
#include "ui/plots/square_plot.h"
#include "ui/plots/square_support.h"

namespace attnscope {

// The background with the curves or the colour bars, then the cells.
std::size_t FigurePage::parts() const {
  return 1 + m_cells.size();
}

void FigurePage::paintPart(std::size_t part, QPainter& painter) const {
  if (part == 0) {
    painter.fillRect(QRect(QPoint(), m_size), m_spec.theme.background);
    return m_spec.sweep.empty() ? paintBars(painter) : paintScaling(painter);
  }
  const Cell& cell = m_cells[part - 1];
  if (cell.kind == PanelKind::Insides)
    paintInside(painter, cell);
  else
    paintSquare(painter, cell);
}

void FigurePage::paintSquare(QPainter& painter, const Cell& cell) const {
  const FigureColumn& column = m_spec.columns[cell.column];
  const Exploration& exploration = *column.exploration;
  const Plan& plan = exploration.call.plan->plan();
  const std::unique_ptr<QCustomPlot> plot(makeBarePlot(nullptr));
  SquarePlot square(*plot);
  square.setLook(cell.metrics, m_spec.theme);
  square.setSize(cell.size);
  SquareContent& content = square.content;
  content.queries = plan.shape.nQ;
  content.keys = plan.shape.nK;
  content.viewport = viewportOf(exploration);
  content.queryTexts = sharedTexts(column.exploration, exploration.input.tokensQ);
  content.keyTexts = sharedTexts(column.exploration, exploration.input.tokensK);
  content.queryLabels = cell.firstColumn;
  content.letter = cell.letter;
  content.marginals = cell.marginals;
  attnscope::layOut(content, orderOf(exploration));
  if (cell.firstRow) content.heading = column.title;
  if (cell.firstColumn) content.queryTitle = QStringLiteral("query");
  if (cell.lastSquare) content.keyTitle = QStringLiteral("key");
  if (cell.numbers) {
    content.tokenCells = cell.numbers->tokens.rect();
    content.slotCells = cell.numbers->slotWindow.rect();
    if (cell.kind == PanelKind::Pattern) {
      content.slotCount = exploration.call.plan->slotCount();
      content.slotShare = slotShareOf(exploration);
      content.legend = legendOf(cell.kind, column);
    } else if (cell.kind == PanelKind::Reach) {
      content.legend = legendOf(cell.kind, column);
    }
    content.tokenImage = cell.tokenImage;
    content.slotImage = cell.slotImage;
  }
  if (showsWeights(cell.kind) && cell.numbers && column.ownScale)
    content.scaleNote = scaleNote(styleOf(cell));
  if (cell.kind == PanelKind::Difference && !column.baseline)
    content.note = column.noBaseline.isEmpty() ? QStringLiteral("the baseline") : column.noBaseline;
  square.update();
  paintPlot(painter, *plot, cell.at, cell.size);
}

void FigurePage::paintInside(QPainter& painter, const Cell& cell) const {
  const std::unique_ptr<QCustomPlot> plot(makeBarePlot(nullptr));
  InsidePlot inside(*plot);
  inside.setLook(cell.metrics, m_spec.theme, m_spec.style);
  InsidePanel panel = m_spec.columns[cell.column].insides[cell.inside];
  // Without any square the name of the mechanism would stand nowhere.
  if (std::none_of(m_spec.rows.begin(), m_spec.rows.end(), isSquare))
    panel.title = m_spec.columns[cell.column].title.toStdString() + ": " + panel.title;
  inside.setPanel(panel);
  inside.setHeading(cell.letter);
  inside.update(cell.size);
  paintPlot(painter, *plot, cell.at, cell.size);
}

void FigurePage::paintBars(QPainter& painter) const {
  for (const Bar& bar : m_bars) {
    painter.save();
    paintColorBar(painter, bar.area, styleOf(bar.content), m_metrics, m_spec.theme, bar.content);
    painter.restore();
  }
}

void FigurePage::paintScaling(QPainter& painter) const {
  ScalingContent content;
  content.points = m_spec.sweep;
  content.overlay = m_spec.overlay;
  content.theory = theoryOf(m_spec.theory);
  std::size_t curves = 0;
  for (const SweepPoint& point : m_spec.sweep) curves = std::max(curves, point.spec + 1);
  for (std::size_t i = 0; i < curves; ++i) {
    content.names << (i < m_spec.columns.size() ? m_spec.columns[i].title
                                                : QStringLiteral("curve %1").arg(i + 1));
    content.colors << columnColor(static_cast<int>(i));
  }
  const std::unique_ptr<QCustomPlot> plot(makeBarePlot(nullptr));
  buildScaling(*plot, content, m_metrics, m_spec.theme, m_size);
  paintPlot(painter, *plot, QPoint(), m_size);
}

}  // namespace attnscope
