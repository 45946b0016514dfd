// SPDX-License-Identifier: GPL-3.0-or-later
// The panel below the wall folds to one line: by the height of the window at the first start, then as chosen.
#include <QLabel>
#include <QPushButton>
#include <QTest>
#include <QToolButton>

#include "tests/support/shown_window.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/panels/bottom_panel.h"
#include "ui/panels/cost_table.h"
#include "ui/panels/wall.h"

using namespace attnscope;

class BottomPanelTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { QSettings().clear(); }

  void aLowWindowStartsFolded() {
    const auto window = opened({1280, 800});
    BottomPanel* panel = panelOf(*window);
    QVERIFY(panel->isFolded());
    QVERIFY2(panel->height() < 60, qPrintable(QString::number(panel->height())));
    QVERIFY(!tableOf(*window)->view()->isVisible());
    auto* summary = window->findChild<QLabel*>(QStringLiteral("costSummary"));
    QVERIFY(summary->isVisible());
    QTRY_VERIFY2(summary->text().contains(QStringLiteral("A 100 %")), qPrintable(summary->text()));
    // All three rows of views are whole above it.
    Panel* insides = window->wall()->panel(1, PanelKind::Insides);
    const int below = insides->mapTo(window.get(), QPoint(0, insides->height())).y();
    QVERIFY(below <= panel->mapTo(window.get(), QPoint()).y());
  }

  void aHighWindowDoesNot() {
    const auto window = opened({1440, 900});
    QVERIFY(!panelOf(*window)->isFolded());
    QVERIFY(tableOf(*window)->view()->isVisible());
    QVERIFY(!window->findChild<QLabel*>(QStringLiteral("costSummary"))->isVisible());
  }

  void foldsByButtonAndKey() {
    const auto window = opened({1440, 900});
    BottomPanel* panel = panelOf(*window);
    const int before = panel->height();
    QTest::mouseClick(window->findChild<QToolButton*>(QStringLiteral("fold")), Qt::LeftButton);
    QVERIFY(panel->isFolded());
    QTRY_VERIFY(panel->height() < 60);
    QTest::keyClick(window.get(), Qt::Key_J, Qt::ControlModifier);
    QVERIFY(!panel->isFolded());
    QTRY_VERIFY(panel->height() > before - 20);
  }

  void measuringUnfolds() {
    const auto window = opened({1280, 800});
    QVERIFY(panelOf(*window)->isFolded());
    QTest::mouseClick(window->findChild<QPushButton*>(QStringLiteral("measure")), Qt::LeftButton);
    QVERIFY(!panelOf(*window)->isFolded());
    window->runner()->cancel();
  }

  void whatWasChosenStays() {
    {
      const auto window = opened({1440, 900});
      panelOf(*window)->setFolded(true);
      QVERIFY(window->close());
    }
    const auto window = opened({1440, 900});
    QVERIFY(panelOf(*window)->isFolded());
    panelOf(*window)->setFolded(false);
    QTRY_VERIFY(panelOf(*window)->height() > 150);
  }

 private:
  static std::unique_ptr<MainWindow> opened(QSize size) {
    auto window = std::make_unique<MainWindow>();
    window->resize(size);
    window->show();
    if (!QTest::qWaitFor([&] { return window->isSettled(); }, 20000)) qFatal("the window does not settle");
    return window;
  }
  static BottomPanel* panelOf(const MainWindow& window) { return window.findChild<BottomPanel*>(); }
  static CostTable* tableOf(const MainWindow& window) { return window.findChild<CostTable*>(); }

  QTemporaryDir m_folder;
};

QTEST_MAIN(BottomPanelTest)
#include "bottom_panel_test.moc"
