// SPDX-License-Identifier: GPL-3.0-or-later
// Figures from the window: what is on the wall, as a description for writeFigure().
#include <QApplication>
#include <QFileInfo>

#include "core/mechanisms/registry.h"
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
#include "ui/state/command_text.h"
#include "ui/state/document.h"
#include "ui/state/session.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

QString columnTitle(const MechanismSpec& spec) {
  const auto found = findMechanism(spec.id);
  QString title = found ? toQ((*found)->card().name) : toQ(spec.id);
  QStringList parts;
  for (const auto& [id, text] : spec.params) parts << QStringLiteral("%1 = %2").arg(toQ(id), toQ(text));
  return parts.isEmpty() ? title : QStringLiteral("%1 (%2)").arg(title, parts.join(QStringLiteral(", ")));
}

}  // namespace

FigureSpec MainWindow::figureOf(const std::vector<int>& columns) const {
  const DocumentState& state = m_document->state();
  FigureSpec spec;
  spec.rows.clear();
  for (const auto& [kind, id] : kRowOrder)
    if (state.rows.shows(kind)) spec.rows.push_back(kind);
  for (const int i : columns) {
    const ColumnResult& result = m_service->column(i);
    if (!result.exploration) continue;
    FigureColumn column;
    column.title = columnTitle(state.columns[static_cast<std::size_t>(i)]);
    column.exploration = result.exploration;
    column.reach = m_reach->of(i).value;
    column.baseline = m_baselines->of(i).exploration;
    column.ownScale = state.views[static_cast<std::size_t>(i)].ownScale;
    // The wall shows one of the pictures at a time; so does the figure of a wall. A column alone shows all.
    if (result.insides && !result.insides->empty())
      column.insides.assign(result.insides->begin(),
                            columns.size() > 1 ? result.insides->begin() + 1 : result.insides->end());
    spec.columns.push_back(std::move(column));
  }
  spec.head = m_service->head();
  spec.order = m_wall->order();
  if (m_link->viewport() != m_link->bounds()) spec.viewport = m_link->viewport();
  spec.style = state.style;
  spec.session = sessionText(currentSession());
  QString device;
  if (!spec.columns.empty()) device = toQ(spec.columns.front().exploration->device);
  spec.provenance = QStringLiteral("Attnscope %1; %2; %3")
                        .arg(QApplication::applicationVersion(), device,
                             commandLineOf(state, m_service->head(), m_service->deviceChoice()));
  return spec;
}

void MainWindow::exportWall() {
  std::vector<int> all;
  for (int i = 0; i < m_document->columnCount(); ++i) all.push_back(i);
  runExport(figureOf(all), tr("The whole wall"));
}

void MainWindow::exportPanel(int column, PanelKind kind) {
  FigureSpec spec = figureOf({column});
  spec.rows = {kind};
  runExport(spec, tr("One picture of column %1").arg(columnLetter(column)));
}

void MainWindow::exportScaling() {
  if (m_runner->points().empty()) {
    m_messages->showNote(tr("There are no curves yet."), tr("Measure now"),
                         [this] { command(QStringLiteral("measureScaling"))->trigger(); });
    return;
  }
  FigureSpec spec = figureOf({});
  spec.rows.clear();
  spec.session.clear();  // it would open as a wall, not as these curves
  spec.sweep = m_runner->points();
  spec.overlay = m_scaling->overlay();
  spec.theory = m_scaling->theory();
  for (const MechanismSpec& measured : m_runner->request().specs) {
    FigureColumn column;
    column.title = columnTitle(measured);
    spec.columns.push_back(column);
  }
  runExport(spec, tr("Scaling curves"));
}

void MainWindow::runExport(FigureSpec spec, const QString& what) {
  if (spec.columns.empty()) {
    m_messages->showNote(tr("Nothing is computed yet that could be exported."));
    return;
  }
  ExportDialog dialog(std::move(spec), what, this);
  if (dialog.exec() != QDialog::Accepted) return;
  m_messages->showNote(tr("Writing %1…").arg(QFileInfo(dialog.path()).fileName()));
  m_figures->start(dialog.spec(), dialog.path());
}

void MainWindow::figureWritten(const QString& path, const QString& error) {
  if (error.isEmpty())
    m_messages->showNote(tr("Saved %1.").arg(QFileInfo(path).absoluteFilePath()));
  else
    m_messages->showError(error);
}

}  // namespace attnscope
