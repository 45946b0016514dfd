// SPDX-License-Identifier: GPL-3.0-or-later
// Comparing on the wall of the real window: baselines, order, scales, sums, zooms.
#include <QMouseEvent>
#include <QTest>
#include <QToolButton>

#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/column_header.h"
#include "ui/panels/inspector.h"
#include "ui/panels/row_curve.h"
#include "ui/panels/wall.h"
#include "ui/plots/color_bar_view.h"
#include "ui/state/document.h"
#include "ui/state/view_link.h"

using namespace attnscope;

class WallTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  void comparesWithABaseline() {
    Wall* wall = m_window->wall();
    QTest::keyClick(m_window.get(), Qt::Key_5, Qt::ControlModifier);
    Panel* longformer = wall->panel(1, PanelKind::Difference);
    QVERIFY(longformer->isVisible());
    QTRY_VERIFY(m_window->isSettled() && !longformer->cellArea().isEmpty());
    QVERIFY(wall->panel(0, PanelKind::Difference)->cellArea().isEmpty());  // full attention itself
    const QImage fromFull = longformer->grab().toImage();
    document()->selectColumn(2);
    QTest::keyClick(m_window.get(), Qt::Key_B, Qt::ControlModifier | Qt::ShiftModifier);
    QCOMPARE(baselineColumn(document()->state()), 2);
    QTRY_VERIFY(m_window->isSettled() && wall->panel(2, PanelKind::Difference)->cellArea().isEmpty());
    QVERIFY(!wall->panel(0, PanelKind::Difference)->cellArea().isEmpty());
    QVERIFY(longformer->grab().toImage() != fromFull);
    document()->undoStack()->undo();
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(longformer->grab().toImage() == fromFull);
  }

  // Four columns on a small screen: the bar gives its width to the squares, insides take the height that is
  // free. On a large one the bar has its title again.
  void aSmallWindowGivesItsRoomToThePictures() {
    Wall* wall = m_window->wall();
    auto* bar = wall->findChild<ColorBar*>();
    m_window->resize(1280, 800);
    QTest::keyClick(m_window.get(), Qt::Key_J, Qt::ControlModifier);  // the panel below folds
    QTRY_VERIFY(m_window->isSettled() && bar->width() < 90);
    const Panel* map = wall->panel(1, PanelKind::Map);
    const Panel* insides = wall->panel(1, PanelKind::Insides);
    QTRY_VERIFY2(map->width() >= 150, qPrintable(QString::number(map->width())));
    QTRY_VERIFY2(map->cellArea().width() >= 103, qPrintable(QString::number(map->cellArea().width())));
    QTRY_VERIFY2(insides->height() >= 250, qPrintable(QString::number(insides->height())));
    QVERIFY(insides->mapTo(wall, insides->rect().bottomLeft()).y() < wall->height());
    QVERIFY(bar->accessibleDescription().contains(QStringLiteral("log scale")));
    m_window->resize(1920, 1080);
    QTRY_VERIFY2(bar->width() > 100, qPrintable(QString::number(bar->width())));
    QTRY_VERIFY(map->cellArea().width() >= 170);
  }

  void fullAttentionIsComputedWhereItStandsNowhere() {
    document()->removeColumn(0);
    document()->setRowVisible(PanelKind::Difference, true);
    Panel* first = m_window->wall()->panel(0, PanelKind::Difference);
    QTRY_VERIFY(m_window->isSettled() && !first->cellArea().isEmpty());
  }

  // A pattern explains its pairs before any pass, and says what it does not know.
  void aPairIsExplainedBeforeAPass() {
    document()->setColumns({*parseMechanismSpec("longformer"), *parseMechanismSpec("linformer")},
                           QStringLiteral("two"));
    m_window->openSource(QStringLiteral("clustered:n=1048576,d=64"));
    QTRY_VERIFY_WITH_TIMEOUT(
        m_window->service()->input()->shape().nK == 1048576 && m_window->service()->column(1).isCurrent(),
        20000);
    QVERIFY(!m_window->service()->column(0).exploration->hasPass());
    m_window->link()->setSelected(600000, 600000 - 3);
    QTRY_VERIFY(m_window->inspector()->text().contains(QStringLiteral("query 600000")));
    const QStringList lines = m_window->inspector()->text().split(QLatin1Char('\n'));
    const auto lineOf = [&](const QString& start) {
      for (const QString& line : lines)
        if (line.startsWith(start)) return line;
      return QString();
    };
    QVERIFY2(lineOf(QStringLiteral("A: ?")).contains(QStringLiteral("local")), qPrintable(lines.join(u'|')));
    QVERIFY(lineOf(QStringLiteral("A: ?")).contains(QStringLiteral("weight unknown")));
    QVERIFY2(lineOf(QStringLiteral("B: ?")).contains(QStringLiteral("slots")), qPrintable(lines.join(u'|')));
    m_window->link()->setSelected(600000, 900000);
    QTRY_VERIFY(m_window->inspector()->text().contains(QStringLiteral("A: –")));
    QVERIFY(m_window->inspector()->text().contains(QStringLiteral("not read")));
  }

  void theHeaderSaysWhoSorts() {
    Wall* wall = m_window->wall();
    const QString order = QStringLiteral("its order");
    const QImage before = wall->header(2)->grab().toImage();
    QVERIFY(!wall->header(2)->accessibleDescription().contains(order));
    document()->sortBy(2, 0);
    QVERIFY(wall->header(2)->accessibleDescription().contains(order));
    QVERIFY(!wall->header(1)->accessibleDescription().contains(order));
    QVERIFY(wall->header(2)->grab().toImage() != before);
    document()->undoStack()->undo();
    QVERIFY(!wall->header(2)->accessibleDescription().contains(order));
  }

  // A long name in a narrow column takes the room of the cross until somebody turns to the column.
  void aLongNameTakesTheRoomOfTheCross() {
    ColumnHeader header(2);
    auto* cross = header.findChild<QToolButton*>();
    header.resize(136, header.sizeHint().height());
    header.show();
    header.setName(QStringLiteral("ETC"), QString());
    QVERIFY(cross->isVisible() && header.toolTip().isEmpty());
    header.setName(QStringLiteral("Compressive Transformer"), QString());
    QVERIFY(!cross->isVisible());
    QCOMPARE(header.toolTip(), QStringLiteral("Compressive Transformer"));  // it is cut even so
    header.setSelected(true);
    QVERIFY(cross->isVisible());
    header.setSelected(false);
    QVERIFY(!cross->isVisible());
    header.activateWindow();
    header.setFocus();
    QTRY_VERIFY(header.hasFocus() && cross->isVisible());
    QTest::keyClick(&header, Qt::Key_Tab);
    QVERIFY(cross->isVisible());
  }

  // Nothing is subtracted from a map that is not there.
  void aPatternWithoutAPassHasNoDifference() {
    document()->setRowVisible(PanelKind::Difference, true);
    document()->setColumns({*parseMechanismSpec("full"), *parseMechanismSpec("longformer")},
                           QStringLiteral("two"));
    m_window->openSource(QStringLiteral("clustered:n=1048576,d=64"));
    QTRY_VERIFY_WITH_TIMEOUT(
        m_window->service()->input()->shape().nK == 1048576 && m_window->service()->column(1).isCurrent(),
        20000);
    QVERIFY(!m_window->service()->column(1).exploration->hasPass());
    QVERIFY(m_window->wall()->panel(1, PanelKind::Difference)->cellArea().isEmpty());
    m_window->command(QStringLiteral("blink"))->trigger();
    document()->pinBaseline(0);
    QVERIFY(m_window->wall()->panel(1, PanelKind::Difference)->cellArea().isEmpty());
  }

  void blinksToTheBaseline() {
    Panel* full = m_window->wall()->panel(0, PanelKind::Map);
    Panel* longformer = m_window->wall()->panel(1, PanelKind::Map);
    const QImage own = longformer->grab().toImage();
    const auto cells = [](Panel* panel) { return panel->grab(panel->cellArea()).toImage(); };
    QVERIFY(cells(longformer) != cells(full));
    QTest::keyClick(m_window.get(), Qt::Key_B, Qt::ControlModifier);
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(cells(longformer) == cells(full));
    QTest::keyClick(m_window.get(), Qt::Key_B, Qt::ControlModifier);
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(longformer->grab().toImage() == own);
  }

  void aScaleFollowsWhatIsDrawn() {
    auto* bar = m_window->wall()->findChild<ColorBar*>();
    QVERIFY(bar && bar->isVisible());
    Panel* map = m_window->wall()->panel(0, PanelKind::Map);
    const QImage fixed = map->grab().toImage();
    const int requests = map->requestCount();
    m_window->command(QStringLiteral("rangeWithoutSinks"))->trigger();
    QVERIFY(map->grab().toImage() != fixed);
    // Dragging the upper end makes the range the user's own, in one step.
    const int steps = document()->undoStack()->count();
    const QPoint top = bar->placeOf(1.0).toPoint();
    QTest::mousePress(bar, Qt::LeftButton, {}, top);
    for (int i = 1; i <= 6; ++i) {
      QMouseEvent move(QEvent::MouseMove, top + QPoint(0, 5 * i), bar->mapToGlobal(top + QPoint(0, 5 * i)),
                       Qt::NoButton, Qt::LeftButton, Qt::NoModifier);
      QCoreApplication::sendEvent(bar, &move);
    }
    QTest::mouseRelease(bar, Qt::LeftButton, {}, top + QPoint(0, 30));
    QCOMPARE(document()->undoStack()->count(), steps + 1);
    QCOMPARE(document()->state().style.range, ScaleRange::Fixed);
    QVERIFY(document()->state().style.scale.high < 1.0);
    QCOMPARE(map->requestCount(), requests);  // colours are not numbers
    document()->undoStack()->undo();
    document()->undoStack()->undo();
    QTRY_VERIFY(map->grab().toImage() == fixed);
  }

  void sortsByBuckets() {
    Panel* full = m_window->wall()->panel(0, PanelKind::Map);
    const QImage asInTheText = full->grab().toImage();
    document()->sortBy(2, 1);  // the second round of the Reformer
    QVERIFY(m_window->wall()->order());
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(full->grab().toImage() != asInTheText);
    document()->sortBy(-1, 0);
    QVERIFY(!m_window->wall()->order());
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(full->grab().toImage() == asInTheText);
    document()->sortBy(2, 0);
    document()->removeColumn(2);
    QVERIFY(!m_window->wall()->order());
    document()->undoStack()->undo();
    QTRY_VERIFY(m_window->isSettled() && m_window->wall()->order());
  }

  void sumsStandBesideMaps() {
    m_window->link()->setSelected(60, 57);
    QTRY_VERIFY(m_window->inspector()->isIdle());
    QVERIFY(!m_window->inspector()->text().contains(QStringLiteral("spreads over keys")));
    QTest::keyClick(m_window.get(), Qt::Key_M, Qt::ControlModifier);
    QTRY_VERIFY(m_window->isSettled());
    QTRY_VERIFY(m_window->inspector()->text().contains(QStringLiteral("spreads over keys: A ")));
    QVERIFY(m_window->inspector()->text().contains(QStringLiteral(" · D ")));
    document()->undoStack()->undo();
    QTRY_VERIFY(!m_window->inspector()->text().contains(QStringLiteral("spreads over keys")));
  }

  void theInspectorSpeaksThePair() {
    m_window->link()->setSelected(60, 57);
    QTRY_VERIFY(m_window->inspector()->isIdle());
    const QString before = m_window->inspector()->accessibleDescription();
    QVERIFY2(before.contains(QStringLiteral("reads")) && before.contains(QStringLiteral(", A 0.")),
             qPrintable(before));
    QWidget* square =
        m_window->wall()->panel(0, PanelKind::Map)->findChild<QWidget*>(QStringLiteral("square"));
    QTest::keyClick(square, Qt::Key_Left);
    QTRY_VERIFY(m_window->inspector()->accessibleDescription() != before);
    QCOMPARE(m_window->link()->selectedKey(), qint64{56});
  }

  void readsAKeyInAllQueries() {
    m_window->link()->setSelected(60, 57);
    QTRY_VERIFY(m_window->inspector()->isIdle());
    auto* curve = m_window->inspector()->findChild<RowCurve*>();
    const QImage row = curve->grab().toImage();
    QTest::mouseClick(m_window->inspector()->findChild<QToolButton*>(QStringLiteral("alongQueries")),
                      Qt::LeftButton);
    QTRY_VERIFY(m_window->inspector()->isIdle() && curve->grab().toImage() != row);
    QVERIFY(curve->accessibleName().contains(QStringLiteral("all queries")));
    // The curve of a key selects queries.
    QTest::mouseMove(curve, QPoint(curve->width() / 4, curve->height() / 2));
    QTRY_COMPARE(m_window->link()->hoveredKey(), qint64{57});
    QVERIFY(std::abs(m_window->link()->hoveredQuery() - 32) <= 3);
  }

  void zoomsGoBackAndAlone() {
    const QRectF all = m_window->link()->viewport();
    m_window->link()->setViewport({10, 10, 20, 20});
    m_window->command(QStringLiteral("zoomBack"))->trigger();
    QCOMPARE(m_window->link()->viewport(), all);
    m_window->command(QStringLiteral("zoomForward"))->trigger();
    QCOMPARE(m_window->link()->viewport(), QRectF(10, 10, 20, 20));
    document()->selectColumn(1);
    m_window->command(QStringLiteral("ownZoom"))->trigger();
    m_window->link()->resetViewport();
    QCOMPARE(m_window->wall()->columnLink(1)->viewport(), QRectF(10, 10, 20, 20));
    QCOMPARE(m_window->wall()->columnLink(0)->viewport(), all);
    document()->undoStack()->undo();
    QCOMPARE(m_window->wall()->columnLink(1)->viewport(), all);
  }

  // One column's colours go their own way; the others and their bar stay together.
  void colorsAColumnAlone() {
    Panel* own = m_window->wall()->panel(1, PanelKind::Map);
    Panel* other = m_window->wall()->panel(0, PanelKind::Map);
    const QImage ownBefore = own->grab().toImage();
    const QImage otherBefore = other->grab().toImage();
    document()->selectColumn(1);
    m_window->command(QStringLiteral("ownScale"))->trigger();
    QTRY_VERIFY(m_window->isSettled() && own->grab().toImage() != ownBefore);
    QCOMPARE(other->grab().toImage(), otherBefore);
    auto* square = own->findChild<QWidget*>(QStringLiteral("square"));
    QVERIFY(square->accessibleDescription().startsWith(QStringLiteral("own scale ")));
    document()->undoStack()->undo();
    QTRY_COMPARE(own->grab().toImage(), ownBefore);
    QVERIFY(square->accessibleDescription().isEmpty());
    // Where the shared scale follows what is drawn, it follows the linked columns alone.
    ViewStyle style = document()->state().style;
    style.range = ScaleRange::Percentiles;
    document()->setStyle(style);
    QTest::qWait(200);
    QTRY_VERIFY(m_window->isSettled());
    const QImage together = other->grab().toImage();
    document()->setOwnScale(1, true);
    QTRY_VERIFY(m_window->isSettled() && other->grab().toImage() != together);
  }

 private:
  [[nodiscard]] Document* document() const { return m_window->document(); }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(WallTest)
#include "wall_test.moc"
