// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMainWindow>
#include <array>
#include <functional>
#include <memory>

#include "ui/export/figure.h"
#include "ui/jobs/device_registry.h"
#include "ui/plots/panel.h"
#include "ui/theme.h"

class QAction;
class QMenu;
class QTabWidget;
class QTimer;

namespace attnscope {

struct Session;
class ActivityBar;
class BaselineService;
class BottomPanel;
class ComputeService;
class CostModel;
class CostTable;
class StepView;
class Dock;
class Document;
class FidelityService;
class FullAttention;
class ReachService;
class FigureWriter;
class Gallery;
class InputPanel;
class MarginalService;
class Inspector;
class MessageBar;
class ParameterForm;
class ScalingPanel;
class ScalingRunner;
class ToolStrip;
class ViewLink;
class Wall;

// The window: puts the parts together and owns the commands of the menus. Everything that is shown comes from
// the document and the compute service; the window itself decides nothing.
class MainWindow final : public QMainWindow {
  Q_OBJECT

 public:
  // Opens the first of `files` (an input, a session, or a figure that carries one), or the sample.
  explicit MainWindow(const QStringList& files = {}, const DeviceRegistry& devices = {});
  ~MainWindow() override;

  // Nothing runs and every visible panel is drawn.
  [[nodiscard]] bool isSettled() const;

  [[nodiscard]] Document* document() const { return m_document; }
  [[nodiscard]] ComputeService* service() const { return m_service; }
  [[nodiscard]] FidelityService* fidelity() const { return m_fidelity; }
  [[nodiscard]] ReachService* reach() const { return m_reach; }
  [[nodiscard]] StepView* steps() const { return m_steps; }
  [[nodiscard]] ViewLink* link() const { return m_link; }
  [[nodiscard]] Wall* wall() const { return m_wall; }
  [[nodiscard]] Gallery* gallery() const { return m_gallery; }
  [[nodiscard]] Inspector* inspector() const { return m_inspector; }
  [[nodiscard]] ParameterForm* parameters() const { return m_parameters; }
  [[nodiscard]] MessageBar* messages() const { return m_messages; }
  [[nodiscard]] ScalingPanel* scaling() const { return m_scaling; }
  [[nodiscard]] ScalingRunner* runner() const { return m_runner; }

  // An input, a session, or a figure that carries one. What cannot be opened leaves everything as it was.
  void openSource(const QString& source);
  // Writes the wall to a file of sessions (.attnscope), which is the open one from then on.
  bool saveSessionAs(const QString& path);
  [[nodiscard]] Session currentSession() const;
  void setTheme(ThemeChoice choice);
  // The commands, by the name that they have in QAction::objectName(); null if there is none.
  [[nodiscard]] QAction* command(const QString& name) const;
  [[nodiscard]] QMenu* createPopupMenu() override;

 Q_SIGNALS:
  void settled();

 protected:
  void showEvent(QShowEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void changeEvent(QEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void buildCentre();
  void buildDocks();
  void buildMenus();
  void buildFileMenu();
  void buildViewMenu();
  void buildReachMenu(QMenu* view);
  void buildZoomCommands(QMenu* view);
  void buildMechanismMenu();
  void buildColumnViewCommands();
  void buildScaleMenu(QMenu* view);
  void fillSortMenu(QMenu* menu);
  void fillLabelMenu(QMenu* menu, int column);
  void connectParts();
  QAction* addCommand(QMenu* menu, const QString& name, const QString& text, const QKeySequence& keys,
                      std::function<void()> run);

  void stopWorkers();  // before the parts go, which ask each other
  void inputOpened();
  void checkSettled();
  void rebuildRecent();
  void rememberRecent(const QString& file);
  void openDialog();
  void buildSessionCommands(QMenu* file);
  // Returns what to tell the user, empty if all is well.
  QString startWith(const QString& file);
  void beginSessions();
  bool openSessionFile(const QString& path);
  void showSession(const Session& session, const QString& file);
  void lookWhereSessionLooked();
  bool saveSessionDialog(bool alwaysAsk);
  bool maySessionGo();
  void keepForNextTime();
  void updateTitle();
  void copyCommandLine();
  void exportFigure(const std::vector<int>& columns, const std::vector<PanelKind>& rows, const QString& what);
  void exportWall();
  void exportColumn(int column);
  void exportPanel(int column, PanelKind kind);
  void exportScaling();
  void runExport(FigureSpec spec, const QString& what);
  void figureWritten(const QString& path, const QString& error);
  void showPanelMenu(int column, PanelKind kind, QPoint position);
  void showHeaderMenu(int column, QPoint position);
  [[nodiscard]] std::array<Dock*, 4> docks() const {
    return {m_leftDock, m_parameterDock, m_rightDock, m_bottomDock};
  }
  void resetLayout();
  void saveSettings() const;
  void restoreSettings();
  void applyPlotTheme();

  Document* m_document;
  ComputeService* m_service;
  std::shared_ptr<FullAttention> m_fulls;  // computed once for all that compare with it
  FidelityService* m_fidelity;
  ReachService* m_reach;
  BaselineService* m_baselines;
  MarginalService* m_marginals;
  ScalingRunner* m_runner;
  ViewLink* m_link;
  FigureWriter* m_figures;
  ToolStrip* m_tools = nullptr;
  MessageBar* m_messages = nullptr;
  Wall* m_wall = nullptr;
  Gallery* m_gallery = nullptr;
  InputPanel* m_inputPanel = nullptr;
  ParameterForm* m_parameters = nullptr;
  Inspector* m_inspector = nullptr;
  ScalingPanel* m_scaling = nullptr;
  CostModel* m_costs = nullptr;
  CostTable* m_costTable = nullptr;
  BottomPanel* m_bottom = nullptr;
  bool m_foldChosen = false;  // whether it is folded was said before
  StepView* m_steps = nullptr;
  ActivityBar* m_activity = nullptr;
  QTabWidget* m_leftTabs = nullptr;
  Dock* m_leftDock = nullptr;
  Dock* m_parameterDock = nullptr;
  Dock* m_rightDock = nullptr;
  Dock* m_bottomDock = nullptr;
  QMenu* m_recentMenu = nullptr;
  QMenu* m_mechanismMenu = nullptr;
  QMenu* m_scaleMenu = nullptr;
  QMenu* m_floatMenu = nullptr;
  QStringList m_recent;
  QString m_sessionFile;                   // empty: the wall has not been saved
  std::unique_ptr<Session> m_sessionView;  // where a session looked, until its input is there
  QTimer* m_keepSoon = nullptr;
  ThemeChoice m_theme = ThemeChoice::System;
  bool m_wasSettled = false;
  bool m_opened = false;
};

}  // namespace attnscope
