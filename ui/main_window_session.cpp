// SPDX-License-Identifier: GPL-3.0-or-later
// The wall as a document: saved, opened again from its file or from a figure, and kept for the next time.
#include <QAction>
#include <QDir>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QMenu>
#include <QMessageBox>
#include <QStandardPaths>
#include <QTimer>

#include "ui/export/session_file.h"
#include "ui/jobs/compute_service.h"
#include "ui/main_window.h"
#include "ui/panels/message_bar.h"
#include "ui/state/document.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr int kKeepMs = 1500;

// Where the wall is kept while it changes, and what was on it when the program last ended (or was ended).
QString keptFile(const char* name) {
  return QDir(QStandardPaths::writableLocation(QStandardPaths::AppLocalDataLocation))
      .filePath(QLatin1String(name) + QLatin1String(kSessionEnding));
}
QString presentWall() {
  return keptFile("present");
}
QString lastWall() {
  return keptFile("last");
}

}  // namespace

void MainWindow::buildSessionCommands(QMenu* file) {
  QAction* last = addCommand(file, QStringLiteral("openLast"), tr("Open the last wall"), {},
                             [this] { openSessionFile(lastWall()); });
  last->setToolTip(tr("What was here when Attnscope was closed"));
  last->setEnabled(QFileInfo::exists(lastWall()));
  file->addSeparator();
  addCommand(file, QStringLiteral("save"), tr("Save session"), QKeySequence::Save,
             [this] { saveSessionDialog(false); });
  addCommand(file, QStringLiteral("saveAs"), tr("Save session as…"), Qt::CTRL | Qt::SHIFT | Qt::Key_S,
             [this] { saveSessionDialog(true); });
}

QString MainWindow::startWith(const QString& file) {
  const auto opened = openSession(file);
  if (opened && *opened) {
    m_sessionFile = QFileInfo(file).absoluteFilePath();
    m_sessionView = std::make_unique<Session>(**opened);
    m_document->setState(m_sessionView->state, tr("start"));
    return {};
  }
  m_document->setSource(opened ? file : QStringLiteral("sample"));
  return opened ? QString() : toQ(opened.error().message);
}

void MainWindow::beginSessions() {
  if (QFileInfo::exists(presentWall())) {
    QFile::remove(lastWall());
    QFile::rename(presentWall(), lastWall());
  }
  m_keepSoon = new QTimer(this);
  m_keepSoon->setSingleShot(true);
  m_keepSoon->setInterval(kKeepMs);
  connect(m_keepSoon, &QTimer::timeout, this, &MainWindow::keepForNextTime);
  connect(m_document, &Document::changed, m_keepSoon, qOverload<>(&QTimer::start));
  connect(m_document->undoStack(), &QUndoStack::cleanChanged, this, &MainWindow::updateTitle);
}

// Not a promise to the user, so that a folder that cannot be written is no message; the wall itself is not
// lost by it.
void MainWindow::keepForNextTime() {
  if (!m_document->undoStack()->canUndo() && m_document->undoStack()->isClean()) return;
  QDir().mkpath(QFileInfo(presentWall()).absolutePath());
  (void)saveSession(currentSession(), presentWall());
}

Session MainWindow::currentSession() const {
  Session session;
  session.state = m_document->state();
  session.state.head = m_service->head();
  if (m_link->viewport() != m_link->bounds()) session.viewport = m_link->viewport();
  session.selectedQuery = m_link->selectedQuery();
  session.selectedKey = m_link->selectedKey();
  return session;
}

bool MainWindow::openSessionFile(const QString& path) {
  const auto opened = openSession(path);
  if (!opened) {
    m_messages->showError(tr("%1 Nothing was changed.").arg(toQ(opened.error().message)));
    return true;
  }
  if (!*opened) return false;
  // The kept wall has no file that the user knows, and a figure is not written over by a session.
  const bool ownFile = path.endsWith(QLatin1String(kSessionEnding)) && path != lastWall();
  m_sessionFile = ownFile ? QFileInfo(path).absoluteFilePath() : QString();
  m_sessionView = std::make_unique<Session>(std::move(**opened));
  m_document->setState(m_sessionView->state, tr("open %1").arg(QFileInfo(path).fileName()));
  if (ownFile) {
    m_document->undoStack()->setClean();
    rememberRecent(m_sessionFile);
  }
  updateTitle();
  const LoadedInputPtr& input = m_service->input();
  if (input && input->source == m_sessionView->state.source && input->layer == m_sessionView->state.layer)
    lookWhereSessionLooked();
  return true;
}

void MainWindow::lookWhereSessionLooked() {
  const std::unique_ptr<Session> session = std::move(m_sessionView);
  if (!session || m_document->state().source != session->state.source) return;
  if (session->viewport.isEmpty())
    m_link->resetViewport();
  else
    m_link->setViewport(session->viewport);
  const Shape shape = m_service->input()->shape();
  if (session->selectedQuery >= 0 && session->selectedQuery < shape.nQ && session->selectedKey < shape.nK)
    m_link->setSelected(session->selectedQuery, session->selectedKey);
}

bool MainWindow::saveSessionAs(const QString& path) {
  const Status saved = saveSession(currentSession(), path);
  if (!saved) {
    m_messages->showError(toQ(saved.error().message));
    return false;
  }
  m_sessionFile = QFileInfo(path).absoluteFilePath();
  m_document->undoStack()->setClean();
  rememberRecent(m_sessionFile);
  updateTitle();
  m_messages->showNote(tr("Saved %1.").arg(m_sessionFile));
  return true;
}

bool MainWindow::saveSessionDialog(bool alwaysAsk) {
  if (!alwaysAsk && !m_sessionFile.isEmpty()) return saveSessionAs(m_sessionFile);
  const QString folder = m_sessionFile.isEmpty()
                             ? QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation)
                             : QFileInfo(m_sessionFile).absolutePath();
  QString path = QFileDialog::getSaveFileName(
      this, tr("Save the session"),
      m_sessionFile.isEmpty() ? QDir(folder).filePath(QLatin1String("wall") + QLatin1String(kSessionEnding))
                              : m_sessionFile,
      tr("Sessions (*%1)").arg(QLatin1String(kSessionEnding)));
  if (path.isEmpty()) return false;
  if (!path.endsWith(QLatin1String(kSessionEnding))) path += QLatin1String(kSessionEnding);
  return saveSessionAs(path);
}

// Asks only about a file that the user made; what never was saved is kept for the next time.
bool MainWindow::maySessionGo() {
  if (m_sessionFile.isEmpty() || m_document->undoStack()->isClean()) return true;
  QMessageBox question(QMessageBox::Question, tr("Attnscope"),
                       tr("%1 has changes that are not saved.").arg(QFileInfo(m_sessionFile).fileName()),
                       QMessageBox::Save | QMessageBox::Discard | QMessageBox::Cancel, this);
  question.setDefaultButton(QMessageBox::Save);
  switch (question.exec()) {
    case QMessageBox::Save:
      return saveSessionDialog(false);
    case QMessageBox::Discard:
      return true;
    default:
      return false;
  }
}

void MainWindow::updateTitle() {
  const LoadedInputPtr& input = m_service->input();
  QString title = input ? toQ(input->input.title) : QString();
  if (!m_sessionFile.isEmpty()) title = QStringLiteral("%1[*]").arg(QFileInfo(m_sessionFile).fileName());
  setWindowTitle(title.isEmpty() ? tr("Attnscope") : tr("%1 – Attnscope").arg(isolated(title)));
  setWindowModified(!m_sessionFile.isEmpty() && !m_document->undoStack()->isClean());
}

}  // namespace attnscope
