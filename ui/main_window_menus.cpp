// SPDX-License-Identifier: GPL-3.0-or-later
// The commands: what stands in the menus, and what each of them does.
#include <QAction>
#include <QActionGroup>
#include <QClipboard>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QMenu>
#include <QMenuBar>
#include <QToolButton>

#include "core/mechanisms/registry.h"
#include "ui/icons.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/main_window.h"
#include "ui/models/cost_model.h"
#include "ui/panels/about.h"
#include "ui/panels/bottom_panel.h"
#include "ui/panels/command_palette.h"
#include "ui/panels/device_menu.h"
#include "ui/panels/dock.h"
#include "ui/panels/gallery.h"
#include "ui/panels/input_panel.h"
#include "ui/panels/inspector.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/scaling_panel.h"
#include "ui/panels/step_view.h"
#include "ui/panels/tool_strip.h"
#include "ui/panels/wall.h"
#include "ui/state/command_text.h"
#include "ui/state/document.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

QAction* MainWindow::addCommand(QMenu* menu, const QString& name, const QString& text,
                                const QKeySequence& keys, std::function<void()> run) {
  QAction* action = menu->addAction(text, this, std::move(run));
  action->setObjectName(name);
  action->setShortcut(keys);
  return action;
}

QAction* MainWindow::command(const QString& name) const {
  return findChild<QAction*>(name);
}

void MainWindow::buildMenus() {
  buildFileMenu();
  QMenu* edit = menuBar()->addMenu(tr("&Edit"));
  QAction* undo = m_document->undoStack()->createUndoAction(this, tr("Undo"));
  undo->setShortcut(QKeySequence::Undo);
  undo->setObjectName(QStringLiteral("undo"));
  QAction* redo = m_document->undoStack()->createRedoAction(this, tr("Redo"));
  redo->setShortcuts({QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_Z), QKeySequence(Qt::CTRL | Qt::Key_Y)});
  redo->setObjectName(QStringLiteral("redo"));
  edit->addAction(undo);
  edit->addAction(redo);
  edit->addSeparator();
  addCommand(edit, QStringLiteral("copyReading"), tr("Copy what the inspector says"),
             Qt::CTRL | Qt::SHIFT | Qt::Key_C,
             [this] { QGuiApplication::clipboard()->setText(m_inspector->text()); });
  addCommand(edit, QStringLiteral("copyCosts"), tr("Copy the cost table"), {},
             [this] { QGuiApplication::clipboard()->setText(m_costs->text()); });

  buildViewMenu();
  buildMechanismMenu();

  QMenu* measure = menuBar()->addMenu(tr("M&easure"));
  addCommand(measure, QStringLiteral("recompute"), tr("Compute again"), Qt::Key_F5,
             [this] { m_service->recompute(); });
  addCommand(measure, QStringLiteral("measureScaling"), tr("Time against length"), Qt::Key_F6, [this] {
    m_bottomDock->show();
    m_scaling->measure();
  });
  auto* devices = new DeviceMenu(m_service, this);
  measure->addMenu(devices);
  addCommand(measure, QStringLiteral("cancel"), tr("Cancel what is running"), Qt::CTRL | Qt::Key_Period,
             [this] {
               m_runner->cancel();
               m_service->cancelAll();
             });

  QMenu* help = menuBar()->addMenu(tr("&Help"));
  addCommand(help, QStringLiteral("palette"), tr("Find a command…"), Qt::CTRL | Qt::SHIFT | Qt::Key_P,
             [this] {
               CommandPalette palette(menuBar(), this);
               palette.exec();
             });
  addCommand(help, QStringLiteral("shortcuts"), tr("Keyboard shortcuts"), Qt::Key_F1,
             [this] { showShortcuts(menuBar(), this); });
  addCommand(help, QStringLiteral("about"), tr("About Attnscope"), {}, [this] { showAbout(this); });

  auto* exportButton = new QToolButton(this);
  exportButton->setDefaultAction(command(QStringLiteral("exportWall")));
  exportButton->setText(tr(" Export wall…"));
  exportButton->setProperty("framed", true);
  exportButton->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  m_tools->addTrailing(exportButton);
  auto* paletteButton = new QToolButton(this);
  paletteButton->setProperty("framed", true);
  paletteButton->setText(tr("Commands"));
  paletteButton->setToolTip(tr("Find a command (Ctrl+Shift+P)"));
  connect(paletteButton, &QToolButton::clicked, command(QStringLiteral("palette")), &QAction::trigger);
  m_tools->addTrailing(paletteButton);
}

void MainWindow::buildFileMenu() {
  QMenu* file = menuBar()->addMenu(tr("&File"));
  addCommand(file, QStringLiteral("open"), tr("Open…"), QKeySequence::Open, [this] { openDialog(); });
  addCommand(file, QStringLiteral("openSample"), tr("Open the sample"), {},
             [this] { openSource(QStringLiteral("sample")); });
  m_recentMenu = file->addMenu(tr("Recent"));
  rebuildRecent();
  buildSessionCommands(file);
  file->addSeparator();
  QAction* wallAction = addCommand(file, QStringLiteral("exportWall"), tr("Export wall…"),
                                   Qt::CTRL | Qt::Key_E, [this] { exportWall(); });
  wallAction->setIcon(glyphIcon(Glyph::Export));
  addCommand(file, QStringLiteral("exportColumn"), tr("Export the selected column…"), {},
             [this] { exportColumn(m_document->selectedColumn()); });
  addCommand(file, QStringLiteral("exportScaling"), tr("Export the scaling curves…"), {},
             [this] { exportScaling(); });
  file->addSeparator();
  addCommand(file, QStringLiteral("copyCommand"), tr("Copy as command line"),
             Qt::CTRL | Qt::SHIFT | Qt::Key_L, [this] { copyCommandLine(); });
  file->addSeparator();
  addCommand(file, QStringLiteral("quit"), tr("Quit"), QKeySequence::Quit, [this] { close(); });

  // The button of the input opens the same commands.
  auto* menu = new QMenu(this);
  menu->addAction(command(QStringLiteral("open")));
  menu->addAction(command(QStringLiteral("openSample")));
  menu->addMenu(m_recentMenu);
  menu->addSeparator();
  menu->addAction(tr("Recipes and text…"), this, [this] {
    m_leftDock->show();
    m_leftTabs->setCurrentWidget(m_inputPanel);
  });
  m_tools->sourceButton()->setMenu(menu);
}

void MainWindow::buildViewMenu() {
  QMenu* view = menuBar()->addMenu(tr("&View"));
  const std::array<std::pair<PanelKind, QString>, 5> rows{{{PanelKind::Pattern, tr("Pattern")},
                                                           {PanelKind::Map, tr("Map")},
                                                           {PanelKind::Insides, tr("Insides")},
                                                           {PanelKind::Reach, tr("Reach over layers")},
                                                           {PanelKind::Difference, tr("Difference")}}};
  int number = 1;
  for (const auto& [kind, text] : rows) {
    QAction* action = view->addAction(text);
    action->setObjectName(QStringLiteral("row%1").arg(number));
    action->setCheckable(true);
    action->setShortcut(QKeySequence(Qt::CTRL | static_cast<Qt::Key>(Qt::Key_0 + number++)));
    connect(action, &QAction::triggered, this,
            [this, kind = kind](bool on) { m_document->setRowVisible(kind, on); });
    const auto show = [this, action, kind = kind] {
      action->setChecked(m_document->state().rows.shows(kind));
    };
    connect(m_document, &Document::rowsChanged, action, show);
    show();
  }
  buildReachMenu(view);
  view->addSeparator();
  buildZoomCommands(view);
  addCommand(view, QStringLiteral("findMechanism"), tr("Find a mechanism"), QKeySequence::Find, [this] {
    m_leftDock->show();
    m_leftTabs->setCurrentWidget(m_gallery);
    m_gallery->focusSearch();
  });
  QMenu* sort = view->addMenu(tr("Sort tokens"));
  connect(sort, &QMenu::aboutToShow, this, [this, sort] { fillSortMenu(sort); });
  buildScaleMenu(view);
  QAction* marginals = view->addAction(tr("Sums beside the maps"));
  marginals->setObjectName(QStringLiteral("marginals"));
  marginals->setCheckable(true);
  marginals->setShortcut(Qt::CTRL | Qt::Key_M);
  marginals->setToolTip(
      tr("Above, what each key receives; to the right, over how many keys each query spreads"));
  connect(marginals, &QAction::triggered, this, [this](bool on) {
    ViewStyle style = m_document->state().style;
    style.marginals = on;
    m_document->setStyle(style);
  });
  connect(m_document, &Document::styleChanged, marginals,
          [this, marginals] { marginals->setChecked(m_document->state().style.marginals); });
  QMenu* theme = view->addMenu(tr("Theme"));
  auto* group = new QActionGroup(this);
  const std::array<QString, 3> names{tr("System"), tr("Light"), tr("Dark")};
  for (int i = 0; i < 3; ++i) {
    QAction* action = theme->addAction(names[static_cast<std::size_t>(i)]);
    action->setObjectName(QStringLiteral("theme%1").arg(i));
    action->setCheckable(true);
    action->setChecked(i == static_cast<int>(m_theme));
    group->addAction(action);
    connect(action, &QAction::triggered, this, [this, i] { setTheme(static_cast<ThemeChoice>(i)); });
  }
  view->addSeparator();
  for (Dock* dock : docks()) view->addAction(dock->toggleViewAction());
  m_floatMenu = view->addMenu(tr("Window of its own"));
  for (Dock* dock : docks()) m_floatMenu->addAction(dock->floatAction());
  addCommand(view, QStringLiteral("foldBottom"), tr("Fold or unfold the measurements"), Qt::CTRL | Qt::Key_J,
             [this] {
               m_bottomDock->show();
               m_bottom->setFolded(!m_bottom->isFolded());
             });
  addCommand(view, QStringLiteral("resetLayout"), tr("Reset the layout"), {}, [this] { resetLayout(); });
}

void MainWindow::buildZoomCommands(QMenu* view) {
  addCommand(view, QStringLiteral("zoomReset"), tr("Show everything"), Qt::CTRL | Qt::Key_0,
             [this] { m_link->resetViewport(); });
  QAction* back = addCommand(view, QStringLiteral("zoomBack"), tr("Back to the view before"),
                             Qt::ALT | Qt::Key_Left, [this] { m_link->goBack(); });
  QAction* forward = addCommand(view, QStringLiteral("zoomForward"), tr("Forward again"),
                                Qt::ALT | Qt::Key_Right, [this] { m_link->goForward(); });
  const auto show = [this, back, forward] {
    back->setEnabled(m_link->canGoBack());
    forward->setEnabled(m_link->canGoForward());
  };
  connect(m_link, &ViewLink::historyChanged, this, show);
  show();
  QAction* blink = view->addAction(tr("Blink to the baseline"));
  blink->setObjectName(QStringLiteral("blink"));
  blink->setCheckable(true);
  blink->setShortcut(Qt::CTRL | Qt::Key_B);
  blink->setToolTip(tr("Every column shows what it is compared with"));
  connect(blink, &QAction::toggled, m_wall, &Wall::setBlinking);
}

void MainWindow::buildScaleMenu(QMenu* view) {
  m_scaleMenu = view->addMenu(tr("Colour scale"));
  const auto addChoice = [this](QActionGroup* group, const QString& name, const QString& text, auto isOn,
                                auto set) {
    QAction* action = m_scaleMenu->addAction(text);
    action->setObjectName(name);
    action->setCheckable(true);
    group->addAction(action);
    connect(action, &QAction::triggered, this, [this, set] {
      ViewStyle style = m_document->state().style;
      set(style);
      m_document->setStyle(style);
    });
    const auto show = [this, action, isOn] { action->setChecked(isOn(m_document->state().style)); };
    connect(m_document, &Document::styleChanged, action, show);
    show();
  };
  auto* kinds = new QActionGroup(this);
  using Kind = ValueScale::Kind;
  const std::array<std::tuple<Kind, const char*, QString>, 3> kindNames{
      {{Kind::Linear, "scaleLinear", tr("Linear")},
       {Kind::Log, "scaleLog", tr("Logarithmic")},
       {Kind::RowMax, "scaleRowMax", tr("Each query by its largest weight")}}};
  for (const auto& [kind, name, text] : kindNames)
    addChoice(
        kinds, QString::fromLatin1(name), text,
        [kind = kind](const ViewStyle& style) { return style.scale.kind == kind; },
        [kind = kind](ViewStyle& style) { style.scale.kind = kind; });
  m_scaleMenu->addSeparator();
  auto* ranges = new QActionGroup(this);
  ranges->setExclusionPolicy(QActionGroup::ExclusionPolicy::ExclusiveOptional);
  addChoice(
      ranges, QStringLiteral("rangeWhole"), tr("From 10⁻⁴ to 1"),
      [](const ViewStyle& style) {
        return style.range == ScaleRange::Fixed && style.scale.low == ValueScale().low &&
               style.scale.high == ValueScale().high;
      },
      [](ViewStyle& style) {
        style.range = ScaleRange::Fixed;
        style.scale.low = ValueScale().low;
        style.scale.high = ValueScale().high;
      });
  addChoice(
      ranges, QStringLiteral("rangePercentiles"), tr("1st to 99th percentile of what is drawn"),
      [](const ViewStyle& style) { return style.range == ScaleRange::Percentiles; },
      [](ViewStyle& style) { style.range = ScaleRange::Percentiles; });
  addChoice(
      ranges, QStringLiteral("rangeWithoutSinks"), tr("The same beside attention sinks"),
      [](const ViewStyle& style) { return style.range == ScaleRange::WithoutSinks; },
      [](ViewStyle& style) { style.range = ScaleRange::WithoutSinks; });
}

void MainWindow::fillSortMenu(QMenu* menu) {
  menu->clear();
  const int sorting = sortingColumn(m_document->state());
  const auto add = [this, menu](const QString& text, int column, int order, bool on) {
    QAction* action =
        menu->addAction(text, this, [this, column, order] { m_document->sortBy(column, order); });
    action->setCheckable(true);
    action->setChecked(on);
  };
  add(tr("As in the text"), -1, 0, sorting < 0);
  menu->addSeparator();
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ExplorationPtr& exploration = m_service->column(i).exploration;
    if (!exploration) continue;
    if (!isSortable(exploration->input.shape())) {
      menu->addAction(tr("For up to 4,096 tokens"))->setEnabled(false);
      return;
    }
    int order = 0;
    for (const TokenOrder& known : tokenOrders(exploration->call.plan->plan(), m_service->head())) {
      const bool on = sorting == i && m_document->state().views[static_cast<std::size_t>(i)].sortBy == order;
      add(QStringLiteral("%1 %2: %3")
              .arg(columnLetter(i))
              .arg(toQ(exploration->call.mechanism->card().name), toQ(known.name)),
          i, order++, on);
    }
  }
  if (menu->actions().size() == 2)
    menu->addAction(tr("No column has an order of its own"))->setEnabled(false);
}

void MainWindow::fillLabelMenu(QMenu* menu, int column) {
  const ExplorationPtr& exploration = m_service->column(column).exploration;
  if (!exploration) return;
  menu->addSeparator();
  for (const Label& label : exploration->call.plan->plan().labels) {
    const QString name = toQ(label.name);
    QAction* action =
        menu->addAction(tr("Show “%1”").arg(name), this, [this, name] { m_document->toggleLabel(name); });
    action->setCheckable(true);
    action->setChecked(!m_document->state().style.hidden.contains(name));
  }
}

void MainWindow::buildReachMenu(QMenu* view) {
  QMenu* layers = view->addMenu(tr("Layers of the reach"));
  auto* group = new QActionGroup(this);
  for (const int count : {1, 2, 3, 4, 6, 8, 12}) {
    QAction* action = layers->addAction(QString::number(count));
    action->setObjectName(QStringLiteral("layers%1").arg(count));
    action->setCheckable(true);
    group->addAction(action);
    connect(action, &QAction::triggered, this, [this, count] {
      m_document->setReachLayers(count);
      m_document->setRowVisible(PanelKind::Reach, true);
    });
    const auto show = [this, action, count] { action->setChecked(m_document->state().reachLayers == count); };
    connect(m_document, &Document::reachChanged, action, show);
    show();
  }
}

void MainWindow::buildMechanismMenu() {
  m_mechanismMenu = menuBar()->addMenu(tr("&Mechanism"));
  QMenu* add = m_mechanismMenu->addMenu(tr("Add"));
  QMenu* replace = m_mechanismMenu->addMenu(tr("Replace the selected column by"));
  for (const Mechanism* mechanism : allMechanisms()) {
    MechanismSpec spec;
    spec.id = mechanism->card().id;
    const QString name = toQ(mechanism->card().name);
    add->addAction(name, this, [this, spec] { m_document->addColumn(spec); });
    replace->addAction(name, this,
                       [this, spec] { m_document->replaceColumn(m_document->selectedColumn(), spec); });
  }
  m_mechanismMenu->addSeparator();
  addCommand(m_mechanismMenu, QStringLiteral("stepThrough"), tr("Step through the selected mechanism"),
             Qt::CTRL | Qt::Key_T, [this] {
               m_steps->show();
               m_steps->raise();
               m_steps->activateWindow();
             });
  m_mechanismMenu->addSeparator();
  addCommand(m_mechanismMenu, QStringLiteral("removeColumn"), tr("Remove the selected column"),
             Qt::CTRL | Qt::Key_W, [this] { m_document->removeColumn(m_document->selectedColumn()); });
  addCommand(m_mechanismMenu, QStringLiteral("moveLeft"), tr("Move the column left"),
             Qt::CTRL | Qt::SHIFT | Qt::Key_Left, [this] {
               m_document->moveColumn(m_document->selectedColumn(), m_document->selectedColumn() - 1);
             });
  addCommand(m_mechanismMenu, QStringLiteral("moveRight"), tr("Move the column right"),
             Qt::CTRL | Qt::SHIFT | Qt::Key_Right, [this] {
               m_document->moveColumn(m_document->selectedColumn(), m_document->selectedColumn() + 1);
             });
  addCommand(
      m_mechanismMenu, QStringLiteral("nextColumn"), tr("Select the next column"), Qt::CTRL | Qt::Key_Right,
      [this] { m_document->selectColumn((m_document->selectedColumn() + 1) % m_document->columnCount()); });
  buildColumnViewCommands();
  addCommand(m_mechanismMenu, QStringLiteral("resetParams"), tr("Reset its parameters"), {},
             [this] { m_document->resetParams(m_document->selectedColumn()); });
}

void MainWindow::buildColumnViewCommands() {
  const auto addChecked = [this](const QString& name, const QString& text, const QKeySequence& keys,
                                 auto isOn, auto set) {
    QAction* action = m_mechanismMenu->addAction(text);
    action->setObjectName(name);
    action->setCheckable(true);
    action->setShortcut(keys);
    connect(action, &QAction::triggered, this,
            [this, set](bool on) { set(m_document->selectedColumn(), on); });
    const auto show = [this, action, isOn] {
      action->setChecked(
          isOn(m_document->state().views[static_cast<std::size_t>(m_document->selectedColumn())]));
    };
    connect(m_document, &Document::viewsChanged, action, show);
    connect(m_document, &Document::selectionChanged, action, show);
    show();
  };
  addChecked(
      QStringLiteral("pinBaseline"), tr("Pin as the baseline"), Qt::CTRL | Qt::SHIFT | Qt::Key_B,
      [](const ColumnView& view) { return view.baseline; },
      [this](int column, bool on) { m_document->pinBaseline(on ? column : -1); });
  addChecked(
      QStringLiteral("ownZoom"), tr("Zoom this column alone"), {},
      [](const ColumnView& view) { return view.ownZoom; },
      [this](int column, bool on) { m_document->setOwnZoom(column, on); });
  addChecked(
      QStringLiteral("ownScale"), tr("Colour this column by its own weights"), {},
      [](const ColumnView& view) { return view.ownScale; },
      [this](int column, bool on) { m_document->setOwnScale(column, on); });
}

void MainWindow::rememberRecent(const QString& file) {
  m_recent.removeAll(file);
  m_recent.prepend(file);
  while (m_recent.size() > 8) m_recent.removeLast();
  rebuildRecent();
}

void MainWindow::rebuildRecent() {
  m_recentMenu->clear();
  m_recentMenu->setEnabled(!m_recent.isEmpty());
  for (const QString& file : m_recent)
    m_recentMenu->addAction(QFileInfo(file).fileName(), this, [this, file] { openSource(file); })
        ->setToolTip(file);
  m_inputPanel->setRecent(m_recent);
}

void MainWindow::openDialog() {
  const QString folder = m_recent.isEmpty() ? QString() : QFileInfo(m_recent.first()).absolutePath();
  const QString file = QFileDialog::getOpenFileName(
      this, tr("Open an input or a session"), folder,
      tr("Inputs and sessions (*.safetensors *.npz *.npy *.png *.jpg *.jpeg *.txt *.md *.attnscope *.svg "
         "*.pdf);;All files (*)"));
  if (!file.isEmpty()) openSource(file);
}

void MainWindow::copyCommandLine() {
  const QString line = commandLineOf(m_document->state(), m_service->head(), m_service->deviceChoice());
  QGuiApplication::clipboard()->setText(line);
  m_messages->showNote(tr("Copied: %1").arg(line));
}

void MainWindow::showPanelMenu(int column, PanelKind kind, QPoint position) {
  m_document->selectColumn(column);
  QMenu menu(this);
  menu.addAction(tr("Export this picture as PNG, SVG or PDF…"), this,
                 [this, column, kind] { exportPanel(column, kind); });
  menu.addAction(command(QStringLiteral("exportWall")));
  if (kind == PanelKind::Pattern) fillLabelMenu(&menu, column);
  menu.addSeparator();
  menu.addAction(command(QStringLiteral("zoomReset")));
  menu.addAction(command(QStringLiteral("copyReading")));
  menu.addAction(command(QStringLiteral("copyCommand")));
  menu.exec(position);
}

void MainWindow::showHeaderMenu(int column, QPoint position) {
  m_document->selectColumn(column);
  QMenu menu(this);
  for (const char* name :
       {"pinBaseline", "ownZoom", "ownScale", "moveLeft", "moveRight", "resetParams", "removeColumn"})
    menu.addAction(command(QString::fromLatin1(name)));
  menu.addSeparator();
  menu.addAction(command(QStringLiteral("exportColumn")));
  menu.exec(position);
}

}  // namespace attnscope
