// SPDX-License-Identifier: GPL-3.0-or-later
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>
#include <QtTest>

#include <atomic>
#include <cmath>
#include <limits>
#include <span>

#include "tests/support/shown_panel.h"
#include "ui/plots/axis_ticks.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/color_bar.h"
#include "ui/plots/panel_message.h"
#include "ui/plots/view_numbers.h"

using namespace attnscope;

using namespace attnscope::testing;

class PlotsTest : public QObject {
  Q_OBJECT

 private slots:
  void refusedPanelsOfferToCompute();
  void windowsCoverTheViewport();
  void patternShowsItsPairs();
  void mapShowsItsWeights();
  void coloursNeverRecompute();
  void wheelZoomsAtTheCursor();
  void draggingPans();
  void shiftDraggingZoomsIn();
  void doubleClickShowsEverything();
  void clickSelectsAndKeysMove();
  void hoverIsShared();
  void slotsStandForTokens();
  void statesAreShown();
  void messagesFitTheirPanel();
  void insidesNameTheHoveredToken();
  void insidesTurnPages();
  void ticksAreRoundAndClosed();
  void ticksBecomeTokens();
  void colorBarSaysWhatIsBelow();
  void notANumberIsNeverData();
  void largePicturesHaveTheColoursOfSmallOnes();
  void scalingNamesItsExponents();
};

void PlotsTest::refusedPanelsOfferToCompute() {
  ViewLink link;
  Panel panel(PanelKind::Map, &link);
  panel.resize(320, panel.heightForWidth(320));
  panel.show();
  panel.setRefused(QStringLiteral("Not computed. It would take an hour."));
  auto* button = panel.findChild<QPushButton*>();
  QVERIFY(button && button->isVisible() && panel.isSettled());
  QVERIFY(panel.rect().contains(button->geometry()));
  QSignalSpy asked(&panel, &Panel::computeAnyway);
  QTest::mouseClick(button, Qt::LeftButton);
  QCOMPARE(asked.count(), 1);
  panel.setBusy(true);
  QVERIFY(!button->isVisible());
  panel.setBusy(false);
  link.setBounds(kLength, kLength);
  panel.setExploration(exploration("full"), 0);
  QTRY_VERIFY(panel.isSettled());
  QVERIFY(!button->isVisible() && panel.corner().isEmpty());
}

// In one column and in a sixth of a small window: the sentence and its button lie within the panel, and what
// is cut short can be read in the tool tip.
void PlotsTest::messagesFitTheirPanel() {
  const QString sentence = QStringLiteral(
      "A pass on this input takes about 3 minutes and 14 GB, which is more than is done unasked.");
  for (const QSize size : {QSize(900, 320), QSize(150, 200), QSize(128, 60)}) {
    ViewLink link;
    Panel panel(PanelKind::Map, &link);
    panel.resize(size);
    panel.show();
    panel.setRefused(sentence);
    auto* message = panel.findChild<PanelMessage*>();
    auto* button = panel.findChild<QPushButton*>();
    QVERIFY(message && message->isVisible() && button && button->isVisible());
    QCOMPARE(message->accessibleName(), sentence);
    QCOMPARE(button->accessibleDescription(), sentence);
    QVERIFY(size.height() < 100 || panel.rect().contains(button->geometry()));
    QCOMPARE(message->toolTip().isEmpty(), size.height() > 100);
    panel.resize(size.width(), panel.messageHeight(size.width()));
    QVERIFY(message->toolTip().isEmpty() && panel.rect().contains(button->geometry()));
    panel.setError(sentence);
    QVERIFY(!button->isVisible() && message->isVisible());
  }
}

// Large pictures look colours up; rows by themselves are too small for that.
void PlotsTest::largePicturesHaveTheColoursOfSmallOnes() {
  constexpr Index kSide = 300;
  Tensor weights(DType::F32, {kSide, kSide});
  const auto values = weights.mutableValues<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double size =
        std::pow(10.0, -7.0 + 7.5 * static_cast<double>(i) / static_cast<double>(values.size()));
    values[i] = static_cast<float>(i % 3 == 0 ? -size : i % 101 == 0 ? 0.0 : size);
  }
  values[77] = std::numeric_limits<float>::quiet_NaN();
  values[78] = std::numeric_limits<float>::infinity();
  values[79] = -0.0F;
  values[80] = std::numeric_limits<float>::denorm_min();
  for (const ValueScale::Kind kind :
       {ValueScale::Kind::Log, ValueScale::Kind::Linear, ValueScale::Kind::RowMax})
    for (const bool diverging : {false, true}) {
      ViewStyle style;
      style.scale.kind = kind;
      style.scale.diverging = diverging;
      const QImage all = weightImage(weights, style, Qt::white);
      for (Index r = 0; r < kSide; ++r) {
        const QImage row = weightImage(
            Tensor::fromFloats({1, kSide},
                               std::span(values).subspan(static_cast<std::size_t>(r * kSide), kSide)),
            style, Qt::white);
        QVERIFY(row == all.copy(0, static_cast<int>(r), kSide, 1));
      }
    }
}

void PlotsTest::windowsCoverTheViewport() {
  const CellWindow part = cellWindow(QRectF(2.5, 3.0, 4.0, 2.0), 10, 10, 400, 400);
  QCOMPARE(part, (CellWindow{3, 2, 2, 5, 2, 5}));  // whole cells, one number each
  const CellWindow pixels = cellWindow(QRectF(0, 0, 1000, 1000), 1000, 1000, 200, 100);
  QCOMPARE(pixels, (CellWindow{0, 1000, 0, 1000, 200, 100}));
  QVERIFY(cellWindow(QRectF(), 10, 10, 100, 100).isEmpty());
}

void PlotsTest::patternShowsItsPairs() {
  Shown full(PanelKind::Pattern, "full");
  QCOMPARE(grabbedAt(full.panel, cellCenter(full.panel, 5, 60)), categoryQColor(0));
  Shown causal(PanelKind::Pattern, "full:causal=on");
  QCOMPARE(grabbedAt(causal.panel, cellCenter(causal.panel, 40, 10)), categoryQColor(0));
  QCOMPARE(grabbedAt(causal.panel, cellCenter(causal.panel, 10, 40)), PlotTheme::light().plotBackground);
  QCOMPARE(causal.panel.cellArea().width(), causal.panel.cellArea().height());
}

void PlotsTest::mapShowsItsWeights() {
  Shown map(PanelKind::Map, "full");
  const auto computed = exploration("full");
  ViewStyle style;
  for (const auto& [query, key] : {std::pair<Index, Index>{3, 50}, {20, 20}, {63, 0}}) {
    const auto weight = computed->matrix->block(0, query, 1, key, 1);
    QVERIFY(weight.has_value());
    const double position = style.scale.position(static_cast<double>(weight->values<float>()[0]));
    const Rgb want = colorMap("viridis")[static_cast<std::size_t>(std::lround(position * 255.0))];
    const QColor got = grabbedAt(map.panel, cellCenter(map.panel, query, key));
    // Weights made for one cell and for all differ in their last bits: a step of the colour map at most.
    QVERIFY(std::abs(got.red() - want.r) <= 4 && std::abs(got.green() - want.g) <= 4);
  }
}

void PlotsTest::coloursNeverRecompute() {
  Shown map(PanelKind::Map, "full");
  const int requests = map.panel.requestCount();
  const QPoint at = cellCenter(map.panel, 20, 20);
  const QColor before = grabbedAt(map.panel, at);
  ViewStyle style;
  style.colorMap = QStringLiteral("magma");
  style.scale.low = 1e-6;
  map.panel.setStyleChoices(style);
  map.panel.setTheme(PlotTheme::dark());
  QTest::qWait(20);
  QVERIFY(grabbedAt(map.panel, at) != before);
  QCOMPARE(map.panel.requestCount(), requests);
  style.reduce = EffectiveMatrix::Reduce::Mean;  // other numbers
  map.panel.setStyleChoices(style);
  QCOMPARE(map.panel.requestCount(), requests + 1);
}

void PlotsTest::wheelZoomsAtTheCursor() {
  Shown shown(PanelKind::Pattern, "full");
  const QPoint at = cellCenter(shown.panel, 16, 48);
  wheel(squareOf(shown.panel), at, 240);
  const QRectF view = shown.link.viewport();
  QVERIFY(std::abs(view.width() - kLength / 1.5625) < 1e-9);
  // The cell under the cursor stayed there.
  const QRectF area(shown.panel.cellArea());
  const double key = view.left() + (at.x() - area.left()) / area.width() * view.width();
  QVERIFY(std::abs(key - 48.5) < 0.3);
  wheel(squareOf(shown.panel), QPoint(1, 1), 240);  // beside the cells
  QCOMPARE(shown.link.viewport(), view);
  wheel(squareOf(shown.panel), at, -1200);
  QCOMPARE(shown.link.viewport(), QRectF(0, 0, kLength, kLength));
  QTRY_VERIFY(shown.panel.isSettled());
}

void PlotsTest::draggingPans() {
  Shown shown(PanelKind::Map, "full");
  shown.link.setViewport(QRectF(16, 16, 32, 32));
  QWidget* square = squareOf(shown.panel);
  const QRect area = shown.panel.cellArea();
  const QPoint from = area.center();
  const QPoint to = from + QPoint(area.width() / 4, area.height() / 8);
  QTest::mousePress(square, Qt::LeftButton, {}, from);
  QTest::mouseMove(square, (from + to) / 2);
  QTest::mouseMove(square, to);
  QTest::mouseRelease(square, Qt::LeftButton, {}, to);
  QVERIFY(std::abs(shown.link.viewport().left() - 8.0) < 0.3);
  QVERIFY(std::abs(shown.link.viewport().top() - 12.0) < 0.3);
  QCOMPARE(shown.link.viewport().width(), 32.0);
  QCOMPARE(shown.link.selectedQuery(), qint64{-1});  // a drag is not a click
}

void PlotsTest::shiftDraggingZoomsIn() {
  Shown shown(PanelKind::Pattern, "full");
  QWidget* square = squareOf(shown.panel);
  const QPoint from = cellCenter(shown.panel, 8, 16);
  const QPoint to = cellCenter(shown.panel, 24, 48);
  QTest::mousePress(square, Qt::LeftButton, Qt::ShiftModifier, from);
  QTest::mouseMove(square, to);
  QTest::mouseRelease(square, Qt::LeftButton, Qt::ShiftModifier, to);
  const QRectF view = shown.link.viewport();
  QVERIFY(std::abs(view.left() - 16.5) < 0.5 && std::abs(view.right() - 48.5) < 0.5);
  QVERIFY(std::abs(view.top() - 8.5) < 0.5 && std::abs(view.bottom() - 24.5) < 0.5);
}

void PlotsTest::doubleClickShowsEverything() {
  Shown shown(PanelKind::Pattern, "full");
  shown.link.setViewport(QRectF(10, 10, 8, 8));
  QTest::mouseDClick(squareOf(shown.panel), Qt::LeftButton, {}, shown.panel.cellArea().center());
  QCOMPARE(shown.link.viewport(), shown.link.bounds());
}

void PlotsTest::clickSelectsAndKeysMove() {
  Shown shown(PanelKind::Pattern, "full");
  QWidget* square = squareOf(shown.panel);
  QTest::mouseClick(square, Qt::LeftButton, {}, cellCenter(shown.panel, 12, 34));
  QCOMPARE(shown.link.selectedQuery(), qint64{12});
  QCOMPARE(shown.link.selectedKey(), qint64{34});
  QTest::keyClick(square, Qt::Key_Down);
  QTest::keyClick(square, Qt::Key_Left, Qt::ShiftModifier);
  QCOMPARE(shown.link.selectedQuery(), qint64{13});
  QCOMPARE(shown.link.selectedKey(), qint64{24});
  QTest::keyClick(square, Qt::Key_Plus);
  QVERIFY(shown.link.viewport().width() < kLength);
  shown.link.setViewport(QRectF(20, 13, 8, 8));
  QTest::keyClick(square, Qt::Key_Up);
  QCOMPARE(shown.link.viewport().top(), 12.0);  // the view follows the selection
  QTest::keyClick(square, Qt::Key_Home);
  QCOMPARE(shown.link.viewport(), shown.link.bounds());
  QTest::keyClick(square, Qt::Key_Escape);
  QCOMPARE(shown.link.selectedQuery(), qint64{-1});
}

void PlotsTest::hoverIsShared() {
  Shown shown(PanelKind::Pattern, "full");
  Panel other(PanelKind::Map, &shown.link);
  other.resize(320, 320);
  other.show();
  other.setExploration(exploration("full"), 0);
  QTRY_VERIFY(other.isSettled());
  const QImage before = other.grab().toImage();
  const int requests = other.requestCount();
  QTest::mouseMove(squareOf(shown.panel), cellCenter(shown.panel, 7, 9));
  QCOMPARE(shown.link.hoveredQuery(), qint64{7});
  QCOMPARE(shown.link.hoveredKey(), qint64{9});
  QVERIFY(other.grab().toImage() != before);  // its cross-hair
  QCOMPARE(other.requestCount(), requests);
  QTest::mouseMove(squareOf(shown.panel), QPoint(1, 1));
  QCOMPARE(shown.link.hoveredQuery(), qint64{-1});
}

void PlotsTest::slotsStandForTokens() {
  Shown shown(PanelKind::Pattern, "linformer");
  QCOMPARE(grabbedAt(shown.panel, shown.panel.cellArea().center()), categoryQColor(0));
  QTest::mouseMove(squareOf(shown.panel), cellCenter(shown.panel, 30, 40));
  QCOMPARE(shown.link.hoveredQuery(), qint64{30});
  QCOMPARE(shown.link.hoveredKey(), qint64{-1});  // a slot is no token
  shown.link.setViewport(QRectF(5, 30, 4, 4));    // the queries are linked, the slots stay whole
  QTRY_VERIFY(shown.panel.isSettled());
  QCOMPARE(grabbedAt(shown.panel, shown.panel.cellArea().center()), categoryQColor(0));
}

void PlotsTest::statesAreShown() {
  ViewLink link;
  Panel panel(PanelKind::Map, &link);
  panel.resize(300, 300);
  panel.show();
  QVERIFY(squareOf(panel)->isHidden());
  const QImage empty = panel.grab().toImage();
  QSignalSpy settled(&panel, &Panel::settled);
  panel.setError(QStringLiteral("w = 33 is odd. Try 32 or 34."));
  QVERIFY(panel.grab().toImage() != empty);
  QCOMPARE(panel.accessibleDescription(), QStringLiteral("w = 33 is odd. Try 32 or 34."));
  QVERIFY(panel.isSettled());
  QCOMPARE(settled.count(), 1);
  panel.setBusy(true);
  QVERIFY(!panel.isSettled());
  link.setBounds(kLength, kLength);
  panel.setExploration(exploration("full"), 0);
  panel.setBusy(false);
  QVERIFY(squareOf(panel)->isVisible());
  QTRY_VERIFY(panel.isSettled());
  QVERIFY(panel.accessibleDescription().isEmpty());
  panel.clear();
  QVERIFY(squareOf(panel)->isHidden());
}

void PlotsTest::insidesNameTheHoveredToken() {
  InsidePanel strips;
  strips.kind = InsidePanel::Kind::Strips;
  strips.title = "sorted order";
  const std::vector<std::int32_t> groups{0, 0, 1, 1};
  const std::vector<std::int32_t> tokens{3, 1, 0, 2};
  strips.stripGroup = Tensor::fromInts({1, 4}, groups);
  strips.stripToken = Tensor::fromInts({1, 4}, tokens);
  ViewLink link;
  link.setBounds(4, 4);
  Panel panel(PanelKind::Insides, &link);
  panel.resize(220, 300);
  panel.show();
  panel.setInsides({strips});
  auto* view = panel.findChild<QWidget*>(QStringLiteral("insides"));
  QVERIFY(view && view->isVisible());
  QSet<qint64> seen;
  for (int x = 0; x < view->width(); x += 4)
    for (const int y : {30, 40}) {
      QTest::mouseMove(view, QPoint(x, y));
      seen << link.hoveredQuery();
    }
  QCOMPARE(seen, (QSet<qint64>{-1, 0, 1, 2, 3}));
}

void PlotsTest::insidesTurnPages() {
  InsidePanel bars;
  bars.kind = InsidePanel::Kind::Bars;
  bars.bars = {1.0, 2.0, 3.0};
  ViewLink link;
  Panel panel(PanelKind::Insides, &link);
  panel.resize(220, 300);
  panel.show();
  panel.setInsides({bars, bars, bars});
  auto* next = panel.findChild<QToolButton*>(QStringLiteral("nextInside"));
  auto* back = panel.findChild<QToolButton*>(QStringLiteral("previousInside"));
  QVERIFY(next->isVisible() && next->isEnabled() && !back->isEnabled());
  QTest::mouseClick(next, Qt::LeftButton);
  QTest::mouseClick(next, Qt::LeftButton);
  QVERIFY(!next->isEnabled() && back->isEnabled());
  panel.setInsides({});
  QVERIFY(!panel.findChild<QWidget*>(QStringLiteral("insides"))->isVisible());
}

void PlotsTest::ticksAreRoundAndClosed() {
  const auto text = [](const std::vector<AxisTick>& ticks) {
    QStringList all;
    for (const AxisTick& tick : ticks) all << tick.text;
    return all.join(QLatin1Char(' '));
  };
  QCOMPARE(text(cellTicks(0, 128, 128, 256, 40)), QStringLiteral("0 32 64 96 127"));
  QCOMPARE(text(cellTicks(0, 100, 100, 200, 40)), QStringLiteral("0 20 40 60 80 99"));
  QCOMPARE(text(cellTicks(10, 8, 128, 200, 40)), QStringLiteral("10 12 14 16"));
  QCOMPARE(text(cellTicks(0, 1, 1, 200, 40)), QStringLiteral("0"));
  QVERIFY(cellTicks(0, 0, 0, 200, 40).empty());
  // Short forms beside small squares: rounded where these differ, else the last digits.
  std::vector<AxisTick> whole = cellTicks(0, 1048576, 1048576, 200, 60);
  shorten(whole);
  QCOMPARE(text(whole), QStringLiteral("0 524k 1.05M"));
  std::vector<AxisTick> part = cellTicks(1000000, 30, 1048576, 200, 60);
  shorten(part);
  QCOMPARE(text(part), QStringLiteral("…0000 …0016"));
  std::vector<AxisTick> low = cellTicks(0, 30, 1048576, 200, 60);
  shorten(low);
  QCOMPARE(text(low), QStringLiteral("0 16"));
}

void PlotsTest::ticksBecomeTokens() {
  const QFontMetricsF font(QApplication::font());
  const auto ticks = tokenTicks(1.0, 2.0, {"a", "\n", "a very long token", "d"}, font, 40.0);
  QCOMPARE(ticks.size(), std::size_t{2});
  QCOMPARE(ticks[0].text, QString(QChar(0x21b5)));
  QVERIFY(ticks[1].text.endsWith(QChar(0x2026)));
  QVERIFY(fitsTokens(8.0, 200.0, 14.0));
  QVERIFY(!fitsTokens(64.0, 200.0, 14.0));
}

void PlotsTest::colorBarSaysWhatIsBelow() {
  ValueScale scale;
  const auto ticks = colorBarTicks(scale);
  QCOMPARE(ticks.front().text, QStringLiteral("≤ 10⁻⁴"));
  QCOMPARE(ticks.front().position, 0.0);
  QCOMPARE(ticks.back().text, QStringLiteral("1"));
  QCOMPARE(scaleTitle(scale), QStringLiteral("weight, log scale"));
  scale.kind = ValueScale::Kind::Linear;
  QCOMPARE(colorBarTicks(scale).front().text, QStringLiteral("0"));
  scale.diverging = true;
  QCOMPARE(colorBarTicks(scale).front().text, QStringLiteral("−1"));
}

void PlotsTest::notANumberIsNeverData() {
  const std::vector<float> values{0.0F, NAN, 1.0F, -1.0F};
  const Tensor weights = Tensor::fromFloats({2, 2}, values);
  ViewStyle style;
  const QImage image = weightImage(weights, style, QColor(1, 2, 3));
  QCOMPARE(image.pixelColor(0, 0), QColor(1, 2, 3));
  QCOMPARE(image.pixelColor(1, 0), QColor(255, 0, 255));
  style.scale.diverging = true;
  const QImage both = weightImage(weights, style, QColor(1, 2, 3));
  QVERIFY(both.pixelColor(0, 1).red() > both.pixelColor(0, 1).blue());
  QVERIFY(both.pixelColor(1, 1).red() < both.pixelColor(1, 1).blue());
}

void PlotsTest::scalingNamesItsExponents() {
  ScalingPlot plot;
  plot.resize(400, 200);
  plot.show();
  plot.setCurves({QStringLiteral("Full")}, {columnColor(0)});
  std::vector<SweepPoint> points;
  for (int p = 8; p <= 13; ++p) {
    SweepPoint point;
    point.n = Index{1} << p;
    point.median = point.low = point.high = 1e-9 * static_cast<double>(point.n * point.n);
    points.push_back(point);
  }
  const QImage before = plot.grab().toImage();
  plot.setPoints(points);
  QCOMPARE(plot.accessibleDescription(), QStringLiteral("Full  n^2.00 ± 0.00"));
  QVERIFY(plot.grab().toImage() != before);
  plot.clear();
}

QTEST_MAIN(PlotsTest)
#include "plots_test.moc"
