// SPDX-License-Identifier: GPL-3.0-or-later
// What panels share: one viewport in whole bounds, back and forward through the places where it rested, and
// columns that go their own way for a while.
#include <QSignalSpy>
#include <QTest>

#include "ui/state/view_link.h"

using namespace attnscope;

class ViewLinkTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void init() {
    m_link = std::make_unique<ViewLink>();
    m_link->setBounds(100, 80);
  }

  void goesBackAndForward() {
    const QRectF all = m_link->viewport();
    QVERIFY(!m_link->canGoBack() && !m_link->canGoForward());
    const QRectF first(10, 10, 40, 32);
    const QRectF second(20, 15, 10, 8);
    m_link->setViewport(first);
    QVERIFY(m_link->canGoBack());
    rest();
    m_link->setViewport(second);
    m_link->goBack();  // also from a place where the view has not rested yet
    QCOMPARE(m_link->viewport(), first);
    m_link->goBack();
    QCOMPARE(m_link->viewport(), all);
    QVERIFY(!m_link->canGoBack());
    m_link->goBack();
    QCOMPARE(m_link->viewport(), all);
    m_link->goForward();
    m_link->goForward();
    QCOMPARE(m_link->viewport(), second);
    QVERIFY(!m_link->canGoForward());
  }

  void oneGestureIsOnePlace() {
    const QRectF all = m_link->viewport();
    for (int i = 0; i < 8; ++i) m_link->zoomAt({50, 40}, 1.25);
    m_link->goBack();
    QCOMPARE(m_link->viewport(), all);
  }

  void aNewPlaceEndsTheWayForward() {
    m_link->setViewport({10, 10, 40, 32});
    rest();
    m_link->goBack();
    m_link->setViewport({0, 0, 50, 40});
    rest();
    QVERIFY(!m_link->canGoForward());
    m_link->goForward();
    QCOMPARE(m_link->viewport(), QRectF(0, 0, 50, 40));
  }

  void otherBoundsForgetThePlaces() {
    m_link->setViewport({60, 40, 20, 16});
    rest();
    m_link->setBounds(30, 30);
    QCOMPARE(m_link->viewport(), QRectF(0, 0, 30, 30));
    QVERIFY(!m_link->canGoBack());
  }

  void columnsFollow() {
    ViewLink left;
    ViewLink right;
    left.follow(m_link.get());
    right.follow(m_link.get());
    m_link->setBounds(50, 50);
    QCOMPARE(left.bounds(), QRectF(0, 0, 50, 50));
    left.setViewport({10, 10, 20, 20});
    QCOMPARE(right.viewport(), QRectF(10, 10, 20, 20));
    right.setHovered(3, 4);
    QCOMPARE(left.hoveredKey(), qint64{4});
    left.setSelected(7, 8);
    QCOMPARE(m_link->selectedQuery(), qint64{7});
  }

  void aColumnZoomsAlone() {
    ViewLink left;
    ViewLink right;
    left.follow(m_link.get());
    right.follow(m_link.get());
    m_link->setBounds(50, 50);
    left.setSharesZoom(false);
    left.setViewport({0, 0, 10, 10});
    QCOMPARE(right.viewport(), QRectF(0, 0, 50, 50));
    right.setViewport({20, 20, 5, 5});
    QCOMPARE(left.viewport(), QRectF(0, 0, 10, 10));
    left.setHovered(1, 2);  // the cross-hair stays one
    QCOMPARE(right.hoveredQuery(), qint64{1});
    left.setSharesZoom(true);
    QCOMPARE(left.viewport(), QRectF(20, 20, 5, 5));
  }

 private:
  void rest() {
    QSignalSpy kept(m_link.get(), &ViewLink::historyChanged);
    QVERIFY(kept.wait(2000));
  }

  std::unique_ptr<ViewLink> m_link;
};

QTEST_MAIN(ViewLinkTest)
#include "view_link_test.moc"
