// SPDX-License-Identifier: GPL-3.0-or-later
#include <QPushButton>
#include <QSignalSpy>
#include <QToolButton>
#include <QWheelEvent>
#include <QtTest>

#include <atomic>
#include <cmath>

#include "core/inputs/recipes.h"
#include "core/params/mechanism_spec.h"
#include "kernels/backend_registry.h"
#include "kernels/explore.h"
#include "ui/plots/axis_ticks.h"
#include "ui/plots/cell_image.h"
#include "ui/plots/color_bar.h"
#include "ui/plots/panel.h"
#include "ui/plots/square_support.h"
#include "ui/plots/square_view.h"
#include "ui/plots/view_numbers.h"
#include "ui/state/view_link.h"

using namespace attnscope;

namespace {

constexpr Index kLength = 64;

std::shared_ptr<const Exploration> exploration(const std::string& spec) {
  const auto input = makeRecipe("clustered:n=64,d=8,heads=1");
  const auto parsed = parseMechanismSpec(spec);
  const auto backend = findBackend("cpu");
  if (!input || !parsed || !backend) qFatal("the fixture is broken");
  const auto result = explore(*parsed, *input, **backend);
  if (!result) qFatal("%s", result.error().message.c_str());
  return *result;
}

// The widget that shows the cells and takes the events.
QWidget* squareOf(Panel& panel) {
  return panel.findChild<QWidget*>(QStringLiteral("square"));
}

// The middle of cell (query, key) while everything is visible.
QPoint cellCenter(const Panel& panel, Index query, Index key) {
  const QRectF area(panel.cellArea());
  return QPointF(area.left() + (static_cast<double>(key) + 0.5) * area.width() / kLength,
                 area.top() + (static_cast<double>(query) + 0.5) * area.height() / kLength)
      .toPoint();
}

QColor grabbedAt(Panel& panel, QPoint at) {
  const QImage image = panel.grab().toImage();
  return image.pixelColor((QPointF(at) * image.devicePixelRatio()).toPoint());
}

void wheel(QWidget* widget, QPoint at, int delta) {
  QWheelEvent event(at, widget->mapToGlobal(at), QPoint(), QPoint(0, delta), Qt::NoButton, Qt::NoModifier,
                    Qt::NoScrollPhase, false);
  QCoreApplication::sendEvent(widget, &event);
}

struct Shown {
  explicit Shown(PanelKind kind, const std::string& spec) : panel(kind, &link) {
    link.setBounds(kLength, kLength);
    panel.resize(320, panel.heightForWidth(320));
    panel.show();
    panel.setExploration(exploration(spec), 0);
    if (!QTest::qWaitFor([this] { return panel.isSettled(); })) qFatal("the panel does not settle");
  }
  ViewLink link;
  Panel panel;
};

}  // namespace

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
  void insidesNameTheHoveredToken();
  void insidesTurnPages();
  void ticksAreRoundAndClosed();
  void ticksBecomeTokens();
  void colorBarSaysWhatIsBelow();
  void notANumberIsNeverData();
  void stripsShowTheLargestOfAPixel();
  void anOrderMovesCellsNotTokens();
  void aReasonIsHiddenByItsName();
  void squaresStayAlignedBesideMarginals();
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

void PlotsTest::anOrderMovesCellsNotTokens() {
  Shown shown(PanelKind::Pattern, "longformer:window=2");
  auto order = std::make_shared<TokenOrder>();
  for (std::int32_t i = 0; i < kLength; ++i) {
    order->queries.push_back(kLength - 1 - i);
    order->keys.push_back(kLength - 1 - i);
  }
  order->keys.front() = 0;  // the last and the first key change places: the corner is not read any more
  order->keys.back() = kLength - 1;
  const QColor read = grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0));
  shown.panel.setOrder(order);
  QTRY_VERIFY(shown.panel.isSettled());
  QTRY_VERIFY(grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0)) != read);
  QCOMPARE(grabbedAt(shown.panel, cellCenter(shown.panel, 5, 5)), read);
  // The mouse is over a place; the link speaks of tokens.
  QTest::mouseMove(squareOf(shown.panel), cellCenter(shown.panel, 3, 10));
  QTRY_COMPARE(shown.link.hoveredQuery(), qint64{kLength - 4});
  QCOMPARE(shown.link.hoveredKey(), qint64{kLength - 11});
  shown.link.setSelected(kLength - 4, kLength - 11);
  QTest::keyClick(squareOf(shown.panel), Qt::Key_Down);
  QCOMPARE(shown.link.selectedQuery(), qint64{kLength - 5});
  shown.panel.setOrder(nullptr);
  QTRY_VERIFY(shown.panel.isSettled());
  QTRY_COMPARE(grabbedAt(shown.panel, cellCenter(shown.panel, 0, 0)), read);
}

void PlotsTest::aReasonIsHiddenByItsName() {
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

void PlotsTest::stripsShowTheLargestOfAPixel() {
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

void PlotsTest::squaresStayAlignedBesideMarginals() {
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
