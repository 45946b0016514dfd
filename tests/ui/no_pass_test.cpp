// SPDX-License-Identifier: GPL-3.0-or-later
// Long inputs in the window: patterns come before passes, and rows that need a pass nobody asked for fold to
// the sentence that offers it.
#include <QPushButton>
#include <QTest>

#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/wall.h"
#include "ui/plots/color_bar_view.h"
#include "ui/state/document.h"

using namespace attnscope;

class NoPassTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() {
    QSettings().clear();
    m_window = attnscope::testing::shownWindow();
  }
  void cleanup() { m_window.reset(); }

  void rowsFoldToTheOffer() {
    show({"full", "blockwise"}, QStringLiteral("clustered:n=1048576,d=64,heads=1"));
    QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled(), 20000);
    for (int i = 0; i < 2; ++i) QVERIFY(!column(i).exploration->hasPass());
    Panel* pattern = wall()->panel(0, PanelKind::Pattern);
    Panel* map = wall()->panel(0, PanelKind::Map);
    Panel* insides = wall()->panel(0, PanelKind::Insides);
    QTRY_VERIFY2(map->height() < 130, qPrintable(QString::number(map->height())));
    QVERIFY(insides->height() < map->height());
    QVERIFY2(pattern->cellArea().height() > 200, qPrintable(QString::number(pattern->cellArea().height())));
    const int folded = map->height();
    auto* compute = map->findChild<QPushButton*>();
    QVERIFY(compute && compute->isVisible());
    QVERIFY(map->rect().contains(compute->geometry()));
    QVERIFY(!wall()->findChild<ColorBar*>()->isVisible());
    // Without a row of maps the insides make the offer.
    QVERIFY(!insides->findChild<QPushButton*>());
    m_window->document()->setRowVisible(PanelKind::Map, false);
    auto* other = insides->findChild<QPushButton*>();
    QVERIFY(other && other->isVisible());
    QTRY_VERIFY(insides->rect().contains(other->geometry()));
    m_window->document()->setRowVisible(PanelKind::Map, true);
    QVERIFY(!other->isVisible());
    // An input with maps has its rows and its bar again.
    m_window->openSource(QStringLiteral("sample"));
    QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled() && column(0).exploration->hasPass(), 20000);
    QTRY_VERIFY(map->height() > folded);
    QVERIFY(wall()->findChild<ColorBar*>()->isVisible());
  }

  void patternsDoNotWait() {
    for (const PanelKind kind :
         {PanelKind::Map, PanelKind::Insides})  // their pictures take longer than this test
      m_window->document()->setRowVisible(kind, false);
    bool before = false;
    connect(m_window->service(), &ComputeService::columnUpdated, this, [&] {
      const ExplorationPtr& shown = column(0).exploration;
      if (shown && shown->input.shape().nQ > 1000) before = before || !shown->hasPass();
    });
    show({"longformer:window=2048"}, QStringLiteral("clustered:n=65536,d=64,heads=1"));
    QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled() && column(0).isCurrent(), 60000);
    const Exploration& found = *column(0).exploration;
    QVERIFY2(found.estimate.seconds > 0.25 && found.estimate.runsUnasked(),
             qPrintable(QString::number(found.estimate.seconds)));
    QVERIFY(before);
    QVERIFY(found.hasPass());
  }

 private:
  void show(const QStringList& mechanisms, const QString& source) {
    std::vector<MechanismSpec> specs;
    for (const QString& text : mechanisms) specs.push_back(*parseMechanismSpec(text.toStdString()));
    m_window->document()->setColumns(specs, QStringLiteral("test"));
    m_window->openSource(source);
    QTRY_VERIFY_WITH_TIMEOUT(
        m_window->service()->input() && m_window->service()->input()->source.startsWith(source.left(19)),
        20000);
  }
  [[nodiscard]] const ColumnResult& column(int index) const { return m_window->service()->column(index); }
  [[nodiscard]] Wall* wall() const { return m_window->wall(); }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(NoPassTest)
#include "no_pass_test.moc"
