// SPDX-License-Identifier: GPL-3.0-or-later
// What a user may choose about the squares of the wall: order, reasons, sums beside the maps.
#include <QSignalSpy>
#include <QtTest>

#include <cmath>

#include "tests/support/shown_panel.h"
#include "ui/plots/legend_menu.h"
#include "ui/plots/square_support.h"
#include "ui/plots/square_view.h"

using namespace attnscope;
using namespace attnscope::testing;

class SquareChoicesTest final : public QObject {
  Q_OBJECT

 private slots:
  void anOrderMovesCellsNotTokens() {
    Shown shown(PanelKind::Pattern, "longformer:window=2");
    auto order = std::make_shared<TokenOrder>();
    for (std::int32_t i = 0; i < kLength; ++i) {
      order->queries.push_back(kLength - 1 - i);
      order->keys.push_back(kLength - 1 - i);
    }
    order->keys.front() = 0;  // the last and the first key change places: the corner is not read any more
    order->keys.back() = kLength - 1;
    const QColor read = grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0));
    const QColor local = grabbedAt(shown.panel, cellCenter(shown.panel, 5, 5));
    shown.panel.setOrder(order);
    QTRY_VERIFY(shown.panel.isSettled());
    QTRY_VERIFY(grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0)) != read);
    QCOMPARE(grabbedAt(shown.panel, cellCenter(shown.panel, 5, 5)), local);
    // The mouse is over a place; the link speaks of tokens.
    QTest::mouseMove(squareOf(shown.panel), cellCenter(shown.panel, 3, 10));
    QTRY_COMPARE(shown.link.hoveredQuery(), qint64{kLength - 4});
    QCOMPARE(shown.link.hoveredKey(), qint64{kLength - 11});
    shown.link.setSelected(kLength - 4, kLength - 11);
    QTest::keyClick(squareOf(shown.panel), Qt::Key_Down);
    QCOMPARE(shown.link.selectedQuery(), qint64{kLength - 5});
    squareOf(shown.panel)->clearFocus();  // whose ring, after a key, lies over the outermost cells
    shown.panel.setOrder(nullptr);
    QTRY_VERIFY(shown.panel.isSettled());
    QTRY_COMPARE(grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0)), read);
  }

  void aReasonIsHiddenByItsName() {
    Shown shown(PanelKind::Pattern, "bigbird:block=8");
    auto* square = qobject_cast<SquareView*>(squareOf(shown.panel));
    QVERIFY(square && square->legend().size() > 2);
    QTRY_VERIFY(square->legend()[0].name.contains(QLatin1Char('%')));
    QSignalSpy clicked(&shown.panel, &Panel::labelClicked);
    QTest::mouseClick(square, Qt::LeftButton, {}, square->legendEntryRect(0).center().toPoint());
    QCOMPARE(clicked.count(), 1);
    const QString name = clicked.first().first().toString();
    QVERIFY(square->legend()[0].name.startsWith(name));
    const QColor before = grabbedAt(shown.panel, cellCenter(shown.panel, 30, 30));
    ViewStyle style;
    style.hidden = QStringList{name};
    shown.panel.setStyleChoices(style);
    QTRY_VERIFY(shown.panel.isSettled());
    QTRY_VERIFY(grabbedAt(shown.panel, cellCenter(shown.panel, 30, 30)) != before);
    QVERIFY(square->legend()[0].hidden && !square->legend()[1].hidden);
  }

  // A narrow column counts the names that it has no room for; the count lists and toggles all of them.
  void aNarrowLegendListsTheRest() {
    Shown shown(PanelKind::Pattern, "bigbird:block=8");
    auto* square = qobject_cast<SquareView*>(squareOf(shown.panel));
    QVERIFY(square->legendMoreRect().isEmpty());
    shown.panel.resize(130, shown.panel.heightForWidth(130));
    QTRY_VERIFY(shown.panel.isSettled() && !square->legendMoreRect().isEmpty());
    const QRectF more = square->legendMoreRect();
    QVERIFY(!square->legend()[0].name.contains(QLatin1Char('%')));  // shares give way to names
    QVERIFY(QRectF(square->rect()).contains(more));
    std::size_t shownNames = 0;
    for (std::size_t i = 0; i < square->legend().size(); ++i) {
      const QRectF entry = square->legendEntryRect(i);
      if (!entry.isEmpty()) ++shownNames;
      QVERIFY(!entry.intersects(more));
    }
    QVERIFY(shownNames > 0 && shownNames < square->legend().size());
    QSignalSpy clicked(&shown.panel, &Panel::labelClicked);
    QTest::mouseClick(square, Qt::LeftButton, {}, more.center().toPoint());
    auto* menu = square->findChild<LegendMenu*>();
    QVERIFY(menu && menu->isVisible());
    const QList<QAction*> entries = menu->actions();
    QCOMPARE(entries.size(), std::ssize(square->legend()));
    for (QAction* entry : entries) {
      QVERIFY2(entry->isChecked() && entry->text().endsWith(QLatin1Char('%')), qPrintable(entry->text()));
    }
    // The last, which the legend does not show; the menu stays open for another.
    QTest::mouseClick(menu, Qt::LeftButton, {}, menu->actionGeometry(entries.last()).center());
    QCOMPARE(clicked.count(), 1);
    QCOMPARE(clicked.last().first().toString(), square->legend().back().name);
    QVERIFY(menu->isVisible() && !entries.last()->isChecked());
    QTest::keyClick(menu, Qt::Key_Up);
    QTest::keyClick(menu, Qt::Key_Space);
    QCOMPARE(clicked.count(), 2);
    QCOMPARE(clicked.last().first().toString(), square->legend()[square->legend().size() - 2].name);
    QTest::keyClick(menu, Qt::Key_Escape);
    QTRY_VERIFY(!square->findChild<LegendMenu*>());
    // Without a mouse as well.
    QTest::keyClick(square, Qt::Key_L);
    QVERIFY(square->findChild<LegendMenu*>());
  }

  // A share that would be cut short is left out; nothing of a name is.
  void aShareIsWholeOrLeftOut() {
    Shown shown(PanelKind::Pattern, "full");
    auto* square = qobject_cast<SquareView*>(squareOf(shown.panel));
    QTRY_COMPARE(square->legend()[0].name, QStringLiteral("every pair 100 %"));
    const int text = QFontMetrics(square->metrics().font).horizontalAdvance(QStringLiteral("every pair"));
    shown.panel.resize(text + 60, shown.panel.heightForWidth(text + 60));
    QTRY_VERIFY(shown.panel.isSettled());
    QCOMPARE(square->legend()[0].name, QStringLiteral("every pair"));
  }

  void stripsShowTheLargestOfAPixel() {
    std::vector<float> values(1000, 0.1F);
    values[503] = 2.0F;
    const std::vector<StripBar> all = stripBars(values, 0.0, 1000.0, 100.0);
    QCOMPARE(all.size(), std::size_t{100});
    for (std::size_t i = 0; i < all.size(); ++i)
      QVERIFY(std::abs(all[i].share - (i == 50 ? 1.0 : 0.05)) < 1e-6);
    // Half a cell hangs over each end; heights are of the largest that is visible.
    const std::vector<StripBar> few = stripBars(values, 9.5, 3.0, 60.0);
    QCOMPARE(few.size(), std::size_t{4});
    QCOMPARE(few.front().begin, 0.0);
    QCOMPARE(few.front().length, 10.0);
    QCOMPARE(few.back().begin + few.back().length, 60.0);
    QCOMPARE(few[1].share, 1.0);
    QVERIFY(stripBars({}, 0.0, 10.0, 50.0).empty());
  }

  void squaresStayAlignedBesideMarginals() {
    Shown pattern(PanelKind::Pattern, "full");
    Shown map(PanelKind::Map, "full");
    const int before = map.panel.cellArea().width();
    ViewStyle style;
    style.marginals = true;
    for (Panel* panel : {&pattern.panel, &map.panel}) panel->setStyleChoices(style);
    const auto sums = marginalsOf(*exploration("full")->matrix, 0);
    QVERIFY(sums);
    map.panel.setMarginals(std::make_shared<const Marginals>(*sums));
    QVERIFY(map.panel.cellArea().width() < before);
    QCOMPARE(map.panel.cellArea().width(), pattern.panel.cellArea().width());
    QCOMPARE(map.panel.cellArea().topLeft(), pattern.panel.cellArea().topLeft());
    const QImage with = map.panel.grab().toImage();
    map.panel.setMarginals(nullptr);
    QVERIFY(map.panel.grab().toImage() != with);
  }
};

QTEST_MAIN(SquareChoicesTest)
#include "square_choices_test.moc"
