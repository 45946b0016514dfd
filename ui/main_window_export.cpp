// SPDX-License-Identifier: GPL-3.0-or-later
// Figures from the window: what is on the wall, as a description for writeFigure().
#include <QFileInfo>

#include "ui/export/figure_of_wall.h"
#include "ui/export/figure_writer.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/main_window.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/scaling_panel.h"
#include "ui/panels/wall.h"
#include "ui/state/document.h"
#include "ui/state/session.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

std::vector<PanelKind> shownRows(const DocumentState& state) {
  std::vector<PanelKind> rows;
  for (const auto& [kind, id] : kRowOrder)
    if (state.rows.shows(kind)) rows.push_back(kind);
  return rows;
}

}  // namespace

void MainWindow::exportFigure(const std::vector<int>& columns, const std::vector<PanelKind>& rows,
                              const QString& what) {
  Result<FigureSpec> made = figureOfWall({*m_document, *m_service, *m_reach, *m_baselines}, columns, rows);
  if (!made) return m_messages->showError(toQ(made.error().message));
  made->order = m_wall->order();
  if (m_link->viewport() != m_link->bounds()) made->viewport = m_link->viewport();
  made->session = sessionText(currentSession());
  runExport(std::move(*made), what);
}

void MainWindow::exportWall() {
  std::vector<int> all;
  for (int i = 0; i < m_document->columnCount(); ++i) all.push_back(i);
  exportFigure(all, shownRows(m_document->state()), tr("The whole wall"));
}

void MainWindow::exportColumn(int column) {
  exportFigure({column}, shownRows(m_document->state()), tr("Column %1").arg(columnLetter(column)));
}

void MainWindow::exportPanel(int column, PanelKind kind) {
  exportFigure({column}, {kind}, tr("One picture of column %1").arg(columnLetter(column)));
}

void MainWindow::exportScaling() {
  if (m_runner->points().empty()) {
    m_messages->showNote(tr("There are no curves yet."), tr("Measure now"),
                         [this] { command(QStringLiteral("measureScaling"))->trigger(); });
    return;
  }
  FigureSpec spec;  // without the session: it would open as a wall, not as these curves
  spec.rows.clear();
  spec.style = m_document->state().style;
  spec.provenance = sweepProvenance(m_runner->request());
  spec.sweep = m_runner->points();
  spec.overlay = m_scaling->overlay();
  spec.theory = m_scaling->theory();
  for (const MechanismSpec& measured : m_runner->request().specs) {
    FigureColumn column;
    column.title = figureTitle(measured);
    spec.columns.push_back(column);
  }
  runExport(spec, tr("Scaling curves"));
}

void MainWindow::runExport(FigureSpec spec, const QString& what) {
  ExportDialog dialog(std::move(spec), what, this);
  if (dialog.exec() != QDialog::Accepted) return;
  m_messages->showNote(tr("Writing %1…").arg(QFileInfo(dialog.path()).fileName()));
  FigureSpec chosen = dialog.spec();
  namePage(chosen, dialog.path());
  m_figures->start(chosen, dialog.path());
}

void MainWindow::figureWritten(const QString& path, const QString& error) {
  if (error.isEmpty())
    m_messages->showNote(tr("Saved %1.").arg(QFileInfo(path).absoluteFilePath()));
  else
    m_messages->showError(error);
}

}  // namespace attnscope
