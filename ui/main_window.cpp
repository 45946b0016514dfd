// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include <QCloseEvent>
#include <QDragEnterEvent>
#include <QFileInfo>
#include <QMenu>
#include <QMimeData>
#include <QScrollArea>
#include <QSettings>
#include <QTabWidget>
#include <QTimer>
#include <QToolButton>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/export/figure_writer.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/jobs/marginal_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/models/cost_model.h"
#include "ui/panels/activity_bar.h"
#include "ui/panels/bottom_panel.h"
#include "ui/panels/cost_table.h"
#include "ui/panels/dock.h"
#include "ui/panels/gallery.h"
#include "ui/panels/input_panel.h"
#include "ui/panels/inspector.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/parameter_form.h"
#include "ui/panels/scaling_panel.h"
#include "ui/panels/shortcut_priority.h"
#include "ui/panels/step_view.h"
#include "ui/panels/tool_strip.h"
#include "ui/panels/wall.h"
#include "ui/state/document.h"
#include "ui/state/session.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr int kBottomHeight = 188;  // of the panel below the wall
constexpr int kRoomyHeight = 860;   // of a window that has room for that panel and three rows of views

std::vector<MechanismSpec> defaultColumns() {
  std::vector<MechanismSpec> columns;
  for (const char* id : {"full", "longformer", "reformer", "linformer"}) {
    MechanismSpec spec;
    spec.id = id;
    columns.push_back(spec);
  }
  return columns;
}

}  // namespace

MainWindow::MainWindow(const QStringList& files, const DeviceRegistry& devices)
    : m_document(new Document(this)),
      m_service(new ComputeService(m_document, devices, this)),
      m_fulls(std::make_shared<FullAttention>(m_document, m_service)),
      m_fidelity(new FidelityService(m_document, m_service, m_fulls, this)),
      m_reach(new ReachService(m_document, m_service, this)),
      m_baselines(new BaselineService(m_document, m_service, m_fulls, this)),
      m_marginals(new MarginalService(m_document, m_service, this)),
      m_runner(new ScalingRunner(this)),
      m_link(new ViewLink(this)),
      m_figures(new FigureWriter(this)) {
  setWindowTitle(tr("Attnscope"));
  setAcceptDrops(true);
  setDockOptions(QMainWindow::AnimatedDocks);
  m_document->setColumns(defaultColumns(), tr("start"));
  QString startError;
  if (files.isEmpty()) {
    // A head of the sample that shows what a first look is for: a band of neighbours cut into blocks by
    // sentences.
    m_document->setSource(QStringLiteral("sample"), 3);
    m_document->setHead(10);
  } else {
    startError = startWith(files.first());
  }
  m_document->undoStack()->clear();
  restoreSettings();
  beginSessions();
  buildCentre();
  buildDocks();
  buildMenus();
  new ShortcutPriority(this);
  connectParts();
  resetLayout();
  const QSettings settings;
  if (settings.value(QStringLiteral("window/version")).toInt() == 1) {
    restoreGeometry(settings.value(QStringLiteral("window/geometry")).toByteArray());
    restoreState(settings.value(QStringLiteral("window/state")).toByteArray(), 1);
    m_foldChosen = settings.contains(QStringLiteral("window/bottomFolded"));
    m_bottom->setFolded(settings.value(QStringLiteral("window/bottomFolded")).toBool());
  }
  applyPlotTheme();
  m_service->begin();
  m_gallery->begin();
  if (!startError.isEmpty()) m_messages->showError(startError);
}

MainWindow::~MainWindow() {
  stopWorkers();
}

void MainWindow::stopWorkers() {
  m_runner->cancel();  // first: where it ends, comparisons begin
  m_fidelity->shutDown();
  m_reach->shutDown();
  m_baselines->shutDown();
  m_marginals->shutDown();
  m_service->shutDown();
}

void MainWindow::buildCentre() {
  m_tools = new ToolStrip(m_document, m_service, this);
  addToolBar(Qt::TopToolBarArea, m_tools);
  m_messages = new MessageBar(this);
  m_wall = new Wall(m_document, {m_service, m_reach, m_baselines, m_marginals}, m_link, this);
  auto* scroll = new QScrollArea(this);
  scroll->setWidget(m_wall);
  scroll->setWidgetResizable(true);
  scroll->setFocusPolicy(Qt::NoFocus);
  auto* centre = new QWidget(this);
  auto* layout = new QVBoxLayout(centre);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(m_messages);
  layout->addWidget(scroll, 1);
  setCentralWidget(centre);
  m_activity = new ActivityBar(m_service, m_runner, this);
  setStatusBar(m_activity);
}

void MainWindow::buildDocks() {
  setCorner(Qt::BottomLeftCorner, Qt::LeftDockWidgetArea);
  setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
  m_gallery = new Gallery(m_document, this);
  m_inputPanel = new InputPanel(m_service, this);
  m_inputPanel->setRecent(m_recent);
  m_leftTabs = new QTabWidget(this);
  m_leftTabs->setDocumentMode(true);
  m_leftTabs->addTab(m_gallery, tr("Mechanisms"));
  m_leftTabs->addTab(m_inputPanel, tr("Input"));
  m_leftDock = new Dock(QStringLiteral("leftDock"), tr("Mechanisms and input"), m_leftTabs, this);

  m_parameters = new ParameterForm(m_document, m_service, this);
  connect(m_parameters, &ParameterForm::copied, this,
          [this](const QString& what) { m_messages->showNote(tr("Copied: %1").arg(what)); });
  m_parameterDock = new Dock(QStringLiteral("parameterDock"), tr("Parameters"), m_parameters, this);

  m_inspector = new Inspector(m_document, m_service, m_reach, m_marginals, m_link, this);
  m_rightDock = new Dock(QStringLiteral("rightDock"), tr("Inspector"), m_inspector, this);

  m_steps = new StepView(m_document, m_service, this);
  m_scaling = new ScalingPanel(m_document, m_service, m_runner, this);
  m_costs = new CostModel(m_document, m_service, m_fidelity, this);
  m_costTable = new CostTable(m_costs, this);
  m_bottom = new BottomPanel(m_scaling, m_costTable, this);
  connect(m_bottom, &BottomPanel::foldedChanged, this, [this](bool folded) {
    if (!folded) resizeDocks({m_bottomDock}, {kBottomHeight}, Qt::Vertical);
  });
  m_bottomDock = new Dock(QStringLiteral("bottomDock"), tr("Scaling and cost"), m_bottom, this);
}

void MainWindow::connectParts() {
  connect(m_service, &ComputeService::inputReady, this, &MainWindow::inputOpened);
  connect(m_service, &ComputeService::inputFailed, this, [this](const QString& sentence) {
    m_messages->showError(m_service->input() ? tr("%1 What was open before is still open.").arg(sentence)
                                             : sentence);
    // The document may name a source that could not be read (an undone step, the command line): with nothing
    // on screen the sample is better than an empty wall.
    if (!m_service->input() && m_document->state().source != QLatin1String("sample"))
      m_service->open(QStringLiteral("sample"));
  });
  connect(m_service, &ComputeService::cancelledByUser, this, [this] {
    m_messages->showNote(tr("Cancelled. The pictures show what was computed before."), tr("Compute again"),
                         [this] { m_service->recompute(); });
  });
  connect(m_service, &ComputeService::devicesFailed, this, [this](const QString& sentence) {
    m_messages->showError(tr("The devices of this machine could not be listed. %1").arg(sentence));
  });
  connect(m_service, &ComputeService::activityChanged, this, &MainWindow::checkSettled);
  connect(m_service, &ComputeService::insidesUpdated, this, &MainWindow::checkSettled);
  connect(m_wall, &Wall::settled, this, &MainWindow::checkSettled);
  connect(m_reach, &ReachService::updated, this, &MainWindow::checkSettled);
  connect(m_baselines, &BaselineService::updated, this, &MainWindow::checkSettled);
  connect(m_marginals, &MarginalService::updated, this, &MainWindow::checkSettled);
  connect(m_document, &Document::styleChanged, this,
          [this] { m_steps->setStyleChoices(m_document->state().style); });
  connect(m_inspector, &Inspector::updated, this, &MainWindow::checkSettled);
  connect(m_wall, &Wall::panelMenuAsked, this, &MainWindow::showPanelMenu);
  connect(m_wall, &Wall::headerMenuAsked, this, &MainWindow::showHeaderMenu);
  connect(m_wall, &Wall::scaleMenuAsked, this, [this](QPoint position) { m_scaleMenu->popup(position); });
  // Two kinds of work at a time would spoil what is measured.
  connect(m_runner, &ScalingRunner::started, m_fidelity, &FidelityService::cancel);
  connect(m_runner, &ScalingRunner::finished, this, &MainWindow::checkSettled);
  connect(m_inputPanel, &InputPanel::sourceChosen, this, &MainWindow::openSource);
  connect(m_inputPanel, &InputPanel::fileDialogAsked, this, &MainWindow::openDialog);
  connect(m_figures, &FigureWriter::finished, this, &MainWindow::figureWritten);
  connect(m_scaling, &ScalingPanel::failed, m_messages, &MessageBar::showError);
  connect(m_scaling, &ScalingPanel::exportAsked, this, &MainWindow::exportScaling);
}

void MainWindow::openSource(const QString& source) {
  m_messages->dismiss();
  if (openSessionFile(source)) return;
  m_service->open(source);
}

void MainWindow::inputOpened() {
  const LoadedInput& loaded = *m_service->input();
  if (!std::exchange(m_opened, true)) m_document->undoStack()->clear();  // the start is no step
  updateTitle();
  const Shape shape = loaded.shape();
  if (m_link->selectedQuery() < 0 || m_link->selectedQuery() >= shape.nQ || m_link->selectedKey() >= shape.nK)
    m_link->setSelected(shape.nQ / 2, std::max<Index>(0, shape.nK / 2 - 3));
  lookWhereSessionLooked();
  QStringList remarks;
  for (const std::string& remark : loaded.document->remarks(loaded.layer)) remarks << toQ(remark);
  if (!remarks.isEmpty()) m_messages->showNote(remarks.join(QLatin1Char(' ')));
  const QFileInfo file(loaded.source);
  if (file.isFile()) rememberRecent(file.absoluteFilePath());
}

bool MainWindow::isSettled() const {
  return m_service->isIdle() && m_reach->isIdle() && m_baselines->isIdle() && m_marginals->isIdle() &&
         m_inspector->isIdle() && m_wall->isSettled();
}

void MainWindow::checkSettled() {
  const bool now = isSettled();
  if (now != std::exchange(m_wasSettled, now) && now) Q_EMIT settled();
  if (now && !m_runner->isRunning()) m_fidelity->begin();
}

void MainWindow::applyPlotTheme() {
  PlotTheme theme = PlotTheme::forPalette(palette());
  m_scaling->setTheme(theme);
  m_costTable->setTheme(theme);
  m_steps->setTheme(theme);
  theme.background = Chrome::of(palette()).wall;
  m_wall->setTheme(theme);
}

void MainWindow::setTheme(ThemeChoice choice) {
  m_theme = choice;
  applyTheme(choice);
  QTimer::singleShot(0, this, &MainWindow::applyPlotTheme);
}

void MainWindow::changeEvent(QEvent* event) {
  QMainWindow::changeEvent(event);
  // Later: plots may replace widgets of theirs, and a style sheet that is being applied holds on to the old
  // ones.
  if (event->type() == QEvent::PaletteChange && m_wall)
    QTimer::singleShot(0, this, &MainWindow::applyPlotTheme);
}

// At the first start it is the height that decides; from then on, the user.
void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  if (!std::exchange(m_foldChosen, true)) m_bottom->setFolded(height() < kRoomyHeight);
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!maySessionGo()) return event->ignore();
  keepForNextTime();
  saveSettings();
  stopWorkers();
  QMainWindow::closeEvent(event);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const QMimeData* mime = event->mimeData();
  if ((mime->hasUrls() && mime->urls().first().isLocalFile()) || mime->hasText())
    event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  const QMimeData* mime = event->mimeData();
  if (mime->hasUrls() && mime->urls().first().isLocalFile()) {
    openSource(mime->urls().first().toLocalFile());
  } else if (mime->hasText()) {
    openSource(QStringLiteral("text:unit=word:%1").arg(mime->text().trimmed()));
  }
  event->acceptProposedAction();
}

void MainWindow::resetLayout() {
  for (Dock* dock : docks()) dock->setFloating(false);
  addDockWidget(Qt::LeftDockWidgetArea, m_leftDock);
  addDockWidget(Qt::LeftDockWidgetArea, m_parameterDock);
  splitDockWidget(m_leftDock, m_parameterDock, Qt::Vertical);
  addDockWidget(Qt::RightDockWidgetArea, m_rightDock);
  addDockWidget(Qt::BottomDockWidgetArea, m_bottomDock);
  for (Dock* dock : docks()) dock->show();
  resizeDocks({m_leftDock, m_rightDock}, {252, 284}, Qt::Horizontal);
  resizeDocks({m_leftDock, m_parameterDock}, {520, 280}, Qt::Vertical);
  m_bottom->setFolded(height() < kRoomyHeight);
  if (!m_bottom->isFolded()) resizeDocks({m_bottomDock}, {kBottomHeight}, Qt::Vertical);
}

QMenu* MainWindow::createPopupMenu() {
  QMenu* menu = QMainWindow::createPopupMenu();
  menu->addSeparator();
  menu->addMenu(m_floatMenu);
  return menu;
}

void MainWindow::saveSettings() const {
  QSettings settings;
  settings.setValue(QStringLiteral("window/version"), 1);
  settings.setValue(QStringLiteral("window/geometry"), saveGeometry());
  settings.setValue(QStringLiteral("window/state"), saveState(1));
  settings.setValue(QStringLiteral("window/bottomFolded"), m_bottom->isFolded());
  settings.setValue(QStringLiteral("window/theme"), static_cast<int>(m_theme));
  settings.setValue(QStringLiteral("input/recent"), m_recent);
  settings.setValue(QStringLiteral("device/name"), toQ(m_service->deviceChoice().device));
  settings.setValue(QStringLiteral("device/precision"),
                    toQ(precisionName(m_service->deviceChoice().precision)));
}

void MainWindow::restoreSettings() {
  const QSettings settings;
  m_recent = settings.value(QStringLiteral("input/recent")).toStringList();
  m_theme =
      static_cast<ThemeChoice>(std::clamp(settings.value(QStringLiteral("window/theme")).toInt(), 0, 2));
  applyTheme(m_theme);
  DeviceChoice device;
  device.device =
      settings.value(QStringLiteral("device/name"), QStringLiteral("auto")).toString().toStdString();
  const std::string precision = settings.value(QStringLiteral("device/precision")).toString().toStdString();
  if (const auto known = parsePrecision(precision)) device.precision = *known;
  m_service->setDeviceChoice(device);
  resize(QSize(1440, 900).boundedTo(screen()->availableSize()));
}

}  // namespace attnscope
