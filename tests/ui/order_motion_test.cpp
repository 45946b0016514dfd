// SPDX-License-Identifier: GPL-3.0-or-later
// Squares slide into another order, unless the desktop wants no animations.
#include <QElapsedTimer>
#include <QProxyStyle>
#include <QSignalSpy>
#include <QTest>

#include "core/plan/token_order.h"
#include "tests/support/shown_panel.h"
#include "ui/plots/order_motion.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

class TimedStyle final : public QProxyStyle {
 public:
  explicit TimedStyle(int ms) : m_ms(ms) {}
  int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                QStyleHintReturn* answer) const override {
    return hint == SH_Widget_Animation_Duration ? m_ms : QProxyStyle::styleHint(hint, option, widget, answer);
  }

 private:
  int m_ms;
};

QImage numbered(int side, int cell) {
  QImage image(side * cell, side * cell, QImage::Format_RGB32);
  for (int y = 0; y < image.height(); ++y)
    for (int x = 0; x < image.width(); ++x) image.setPixel(x, y, qRgb(20 * (y / cell), 20 * (x / cell), 7));
  return image;
}

std::shared_ptr<TokenOrder> reversedOrder() {
  auto order = std::make_shared<TokenOrder>();
  for (Index i = 0; i < kLength; ++i) order->queries.push_back(static_cast<std::int32_t>(kLength - 1 - i));
  order->keys = order->queries;
  return order;
}

}  // namespace

class OrderMotionTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  // From the old picture to the permuted one, cell by cell, and neither in between.
  void movesRowsAndColumns() {
    const std::vector<std::int32_t> places{2, 0, 3, 1};  // of tokens 0 .. 3
    const OrderMotion motion(numbered(4, 3), {{}, places, 4}, {{3, 2, 1, 0}, {}, 4});
    const QRgb none = qRgb(255, 255, 255);
    QCOMPARE(motion.at(0.0, none), numbered(4, 3));
    const QImage end = motion.at(1.0, none);
    for (int row = 0; row < 4; ++row)
      for (int column = 0; column < 4; ++column)
        for (const int inside : {0, 1, 2})
          QCOMPARE(end.pixel(3 * column + inside, 3 * places[static_cast<std::size_t>(row)] + inside),
                   qRgb(20 * row, 20 * (3 - column), 7));
    const QImage middle = motion.at(0.5, none);
    QVERIFY(middle != end && middle != numbered(4, 3));
  }

  void manyTokensOnFewPixels() {
    std::vector<std::int32_t> reversed(1000);
    for (int i = 0; i < 1000; ++i) reversed[static_cast<std::size_t>(i)] = 999 - i;
    const OrderMotion motion(numbered(10, 1), {{}, reversed, 1000}, {{}, {}, 1000});
    const QImage end = motion.at(1.0, qRgb(255, 255, 255));
    for (int y = 0; y < 10; ++y) QCOMPARE(qRed(end.pixel(4, y)), 20 * (9 - y));
  }

  void slidesAndArrives() {
    Shown shown(PanelKind::Pattern, "longformer:window=8");
    auto* square = squareOf(shown.panel);
    TimedStyle moving(200);
    square->setStyle(&moving);
    const QImage before = shown.panel.grab().toImage();
    shown.panel.setOrder(reversedOrder());
    QVERIFY(!shown.panel.isSettled());
    QImage between = before;
    while (!shown.panel.isSettled() && between == before) {
      QTest::qWait(10);
      between = shown.panel.grab().toImage();
    }
    const bool onTheWay = !shown.panel.isSettled();  // else this machine was too busy to show a frame
    QTRY_VERIFY(shown.panel.isSettled());
    const QImage after = shown.panel.grab().toImage();
    QVERIFY(between != before && before != after);
    if (onTheWay) QVERIFY(between != after);
    // Without a motion the same picture is there at once.
    TimedStyle still(0);
    square->setStyle(&still);
    shown.panel.setOrder(nullptr);
    QTRY_VERIFY(shown.panel.isSettled());
    QCOMPARE(shown.panel.grab().toImage(), before);
    QElapsedTimer clock;
    clock.start();
    shown.panel.setOrder(reversedOrder());
    QTRY_VERIFY_WITH_TIMEOUT(shown.panel.isSettled(), 2000);
    QCOMPARE(shown.panel.grab().toImage(), after);
    square->setStyle(nullptr);
  }

  // Names of tokens do not jump ahead of their tokens: they are gone until these arrive. What reads slots
  // slides as well.
  void namesAndSlotsDoNotJump() {
    Shown shown(PanelKind::Pattern, "etc");
    auto* square = squareOf(shown.panel);
    TimedStyle moving(200);
    square->setStyle(&moving);
    const QRect cells = shown.panel.cellArea();
    const QRect names(0, cells.top(), cells.left() - 8, cells.height());  // beside the ticks
    const QRect slotEdge(cells.right() - 6, cells.top(), 6, cells.height());
    const auto grabbed = [&](const QRect& part) { return shown.panel.grab(part).toImage(); };
    const auto isBlank = [&] {
      const QImage image = grabbed(names);
      for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x)
          if (image.pixel(x, y) != image.pixel(0, 0)) return false;
      return true;
    };
    QVERIFY(!isBlank());
    const QImage edgeBefore = grabbed(slotEdge);
    shown.panel.setOrder(reversedOrder());
    QVERIFY(isBlank());
    QCOMPARE(grabbed(slotEdge), edgeBefore);
    QImage edgeBetween = edgeBefore;
    bool onTheWay = false;
    while (!shown.panel.isSettled() && edgeBetween == edgeBefore) {
      QTest::qWait(10);
      edgeBetween = grabbed(slotEdge);
      onTheWay = !shown.panel.isSettled();  // else this machine was too busy to show a frame
    }
    QTRY_VERIFY(shown.panel.isSettled());
    QVERIFY(!isBlank());
    const QImage edgeAfter = grabbed(slotEdge);
    QVERIFY(edgeAfter != edgeBefore);
    if (onTheWay) QVERIFY(edgeBetween != edgeBefore && edgeBetween != edgeAfter);
    square->setStyle(nullptr);
  }

  // A picture that is replaced on the way is not painted over by what still moves.
  void anotherPictureEndsTheMotion() {
    Shown shown(PanelKind::Pattern, "longformer:window=8");
    TimedStyle moving(200);
    squareOf(shown.panel)->setStyle(&moving);
    shown.panel.setOrder(reversedOrder());
    shown.panel.setExploration(exploration("full"), 0);
    QTRY_VERIFY(shown.panel.isSettled());
    const QImage replaced = shown.panel.grab().toImage();
    QTest::qWait(400);
    QCOMPARE(shown.panel.grab().toImage(), replaced);
    shown.panel.clear();
    squareOf(shown.panel)->setStyle(nullptr);
  }
};

QTEST_MAIN(OrderMotionTest)
#include "order_motion_test.moc"
