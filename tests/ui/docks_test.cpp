// SPDX-License-Identifier: GPL-3.0-or-later
// The parts beside the wall leave the window, come back, and stand where they stood at the next start.
#include <QMenu>
#include <QMenuBar>
#include <QTest>

#include "tests/support/shown_window.h"
#include "ui/panels/dock.h"
#include "ui/panels/inspector.h"
#include "ui/panels/wall.h"

using namespace attnscope;

class DocksTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  void floatsAndComesBack() {
    Dock* inspector = dock("rightDock");
    QVERIFY(!inspector->isFloating() && inspector->titleBarWidget());
    const int wall = m_window->wall()->width();
    choose("rightDockFloats");
    QVERIFY(inspector->isFloating() && inspector->isWindow() && inspector->isVisible());
    QTRY_VERIFY(!inspector->titleBarWidget());  // a title to drag it by
    QVERIFY(m_window->inspector()->isVisible());
    QTRY_VERIFY(m_window->wall()->width() > wall);
    choose("rightDockFloats");
    QVERIFY(!inspector->isFloating());
    QTRY_VERIFY(inspector->titleBarWidget());
    QCOMPARE(m_window->dockWidgetArea(inspector), Qt::RightDockWidgetArea);
  }

  // Asked to float, a part that was closed is seen.
  void aClosedPartFloats() {
    Dock* bottom = dock("bottomDock");
    bottom->close();
    QVERIFY(!bottom->isVisible());
    choose("bottomDockFloats");
    QVERIFY(bottom->isVisible() && bottom->isFloating());
    m_window->command(QStringLiteral("resetLayout"))->trigger();
    QVERIFY(bottom->isVisible() && !bottom->isFloating());
    QTRY_VERIFY(!m_window->command(QStringLiteral("bottomDockFloats"))->isChecked());
  }

  void theNextStartKnowsTheLayout() {
    m_window->addDockWidget(Qt::RightDockWidgetArea, dock("parameterDock"));
    dock("bottomDock")->close();
    choose("rightDockFloats");
    const QSize size(420, 510);
    dock("rightDock")->resize(size);
    m_window->close();
    m_window = attnscope::testing::shownWindow();
    QCOMPARE(m_window->dockWidgetArea(dock("parameterDock")), Qt::RightDockWidgetArea);
    QVERIFY(!dock("bottomDock")->isVisible());
    QVERIFY(dock("rightDock")->isFloating() && dock("rightDock")->isVisible());
    QCOMPARE(dock("rightDock")->size(), size);
    QTRY_VERIFY(m_window->command(QStringLiteral("rightDockFloats"))->isChecked());
    m_window->command(QStringLiteral("resetLayout"))->trigger();
    QCOMPARE(m_window->dockWidgetArea(dock("parameterDock")), Qt::LeftDockWidgetArea);
    for (const char* name : {"leftDock", "parameterDock", "rightDock", "bottomDock"})
      QVERIFY2(dock(name)->isVisible() && !dock(name)->isFloating(), name);
  }

 private:
  [[nodiscard]] Dock* dock(const char* name) const {
    return m_window->findChild<Dock*>(QString::fromLatin1(name));
  }
  // As the menus do.
  void choose(const char* name) { m_window->command(QString::fromLatin1(name))->trigger(); }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(DocksTest)
#include "docks_test.moc"
