// SPDX-License-Identifier: GPL-3.0-or-later
// Groups of tokens: selected in the insides by mouse and keyboard, marked in the squares and on the text.
#include <QAccessible>
#include <QLabel>
#include <QSlider>
#include <QTest>
#include <QToolButton>

#include "core/mechanisms/registry.h"
#include "tests/support/shown_panel.h"
#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/input_shade.h"
#include "ui/panels/inspector.h"
#include "ui/panels/wall.h"
#include "ui/plots/group_bands.h"
#include "ui/plots/insides_view.h"
#include "ui/state/document.h"

using namespace attnscope;
using namespace attnscope::testing;

namespace {

TokenGroups twoGroups() {
  return std::make_shared<const std::vector<TokenGroup>>(
      std::vector<TokenGroup>{{"bucket 0", {{0, 8}}, {{0, 8}}, {}}, {"bucket 1", {{8, 20}}, {{40, 42}}, {}}});
}

InsidePanel barsOfGroups() {
  InsidePanel bars;
  bars.kind = InsidePanel::Kind::Bars;
  bars.title = "sizes";
  bars.bars = {8.0, 12.0};
  bars.groups = twoGroups();
  bars.itemGroup = {0, 1};
  return bars;
}

InsidesView* insidesOf(Panel& panel) {
  return panel.findChild<InsidesView*>();
}

std::string nameOf(const ViewLink& link) {
  return link.group() ? link.group()->tokens.name : std::string();
}

QRgb pixel(QWidget& widget, QPoint at) {
  return grabbedAt(static_cast<Panel&>(widget), at).rgb();
}

struct ShownInsides {
  explicit ShownInsides(std::vector<InsidePanel> panels) : panel(PanelKind::Insides, &link) {
    link.setBounds(kLength, kLength);
    panel.setOwner(QStringLiteral("A Test"));
    panel.resize(240, 320);
    panel.show();
    panel.setInsides(std::move(panels));
    QTest::qWait(20);
  }
  InsidesView& view() { return *insidesOf(panel); }
  ViewLink link;
  Panel panel;
};

}  // namespace

class InsidesTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { keepSettingsIn(m_folder); }

  void bandsKeepSingleTokens() {
    // A token of a million on 50 pixels.
    QCOMPARE(bandRuns({{500000, 500001}}, 0.0, 1048576.0, 50), (std::vector<PixelRun>{{23, 1}}));
    // Cells of four pixels end where they end.
    QCOMPARE(bandRuns({{1, 3}}, 0.0, 4.0, 16), (std::vector<PixelRun>{{4, 8}}));
    QVERIFY(bandRuns({{1, 3}}, 10.0, 4.0, 16).empty());
    QCOMPARE(inPlaces({{0, 2}}, {3, 0, 1, 2}), (TokenRanges{{0, 1}, {3, 4}}));
  }

  void aClickSelectsAGroupAndASecondOneLetsItGo() {
    ShownInsides shown({barsOfGroups()});
    const QRectF area = shown.view().pictureRect("sizes");
    QVERIFY(!area.isEmpty());
    const QPoint left(static_cast<int>(area.width() * 0.45), 60);
    const QPoint right(static_cast<int>(area.width() * 0.8), 60);
    const QImage before = shown.panel.grab().toImage();
    QTest::mouseClick(&shown.view(), Qt::LeftButton, {}, left);
    QCOMPARE(nameOf(shown.link), std::string("bucket 0"));
    QTRY_VERIFY(shown.panel.grab().toImage() != before);
    QCOMPARE(shown.view().accessibleDescription(), QStringLiteral("A Test, bucket 0: 8 tokens"));
    QTest::mouseClick(&shown.view(), Qt::LeftButton, {}, right);
    QCOMPARE(nameOf(shown.link), std::string("bucket 1"));
    QCOMPARE(groupSentence(*shown.link.group()), QStringLiteral("A Test, bucket 1: 12 queries, 2 keys"));
    QTest::mouseClick(&shown.view(), Qt::LeftButton, {}, right);
    QVERIFY(!shown.link.group());
    QVERIFY(shown.view().accessibleDescription().isEmpty());
  }

  void keysGoThroughGroupsAndPictures() {
    InsidePanel plain;
    plain.kind = InsidePanel::Kind::Bars;
    plain.title = "nothing to select";
    plain.bars = {1.0};
    ShownInsides shown({barsOfGroups(), plain});
    shown.view().setFocus();
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    QCOMPARE(nameOf(shown.link), std::string("bucket 0"));
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    QCOMPARE(nameOf(shown.link), std::string("bucket 1"));
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    QCOMPARE(nameOf(shown.link), std::string("bucket 0"));
    QTest::keyClick(&shown.view(), Qt::Key_Left);
    QCOMPARE(nameOf(shown.link), std::string("bucket 1"));
    QTest::keyClick(&shown.view(), Qt::Key_Escape);
    QVERIFY(!shown.link.group());
    QCOMPARE(shown.view().page(), 0);
    QTest::keyClick(&shown.view(), Qt::Key_Down);
    QCOMPARE(shown.view().page(), 1);
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    QVERIFY(!shown.link.group());
    QTest::keyClick(&shown.view(), Qt::Key_PageUp);
    QTest::keyClick(&shown.view(), Qt::Key_Up);
    QCOMPARE(shown.view().page(), 0);
  }

  // A cell of a matrix is the queries of its row and the keys of its column.
  void aCellSelectsItsRowAndItsColumn() {
    InsidePanel matrix;
    matrix.title = "blocks";
    matrix.values = Tensor::fromFloats({2, 2}, std::vector<float>{1.0F, 0.0F, 0.5F, 0.5F});
    matrix.groups = twoGroups();
    matrix.rowGroup = matrix.columnGroup = {0, 1};
    ShownInsides shown({matrix});
    const QRectF area = shown.view().pictureRect("blocks");
    QTest::mouseClick(&shown.view(), Qt::LeftButton, {}, QPoint(static_cast<int>(area.width() * 0.85), 40));
    QVERIFY(shown.link.group());
    QCOMPARE(nameOf(shown.link), std::string("bucket 0 reads bucket 1"));
    QCOMPARE(shown.link.group()->tokens.queries, (TokenRanges{{0, 8}}));
    QCOMPARE(shown.link.group()->tokens.keys, (TokenRanges{{40, 42}}));
  }

  void aSelectionMeansItsName() {
    ShownInsides shown({barsOfGroups()});
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    InsidePanel moved = barsOfGroups();
    moved.groups = std::make_shared<const std::vector<TokenGroup>>(
        std::vector<TokenGroup>{{"bucket 9", {{9, 10}}, {}, {}}, {"bucket 0", {{5, 6}}, {{5, 6}}, {}}});
    shown.panel.setInsides({moved});
    QCOMPARE(shown.link.group()->tokens.keys, (TokenRanges{{5, 6}}));
    shown.panel.setOwner(QStringLiteral("A Other"));
    QVERIFY(!shown.link.group());
    QTest::keyClick(&shown.view(), Qt::Key_Right);
    QVERIFY(shown.link.group());
    shown.link.setBounds(9, 9);  // another input
    QVERIFY(!shown.link.group());
  }

  // One place for a series; its slider changes the picture and stays where it is when the panels are new.
  void aSeriesHasASlider() {
    std::vector<InsidePanel> steps;
    for (int i = 0; i < 4; ++i) {
      steps.push_back(barsOfGroups());
      steps.back().title = "step " + std::to_string(i);
      steps.back().series = "steps";
    }
    ShownInsides shown(steps);
    auto* slider = shown.view().findChild<QSlider*>(QStringLiteral("insideSeries"));
    QVERIFY(slider && slider->isVisible());
    QCOMPARE(slider->maximum(), 3);
    QVERIFY(!shown.view().pictureRect("step 0").isEmpty() && shown.view().pictureRect("step 2").isEmpty());
    slider->setFocus();
    QTest::keyClick(slider, Qt::Key_Right);
    QTest::keyClick(slider, Qt::Key_Right);
    QVERIFY(!shown.view().pictureRect("step 2").isEmpty());
    shown.panel.setInsides(steps);
    QVERIFY(!shown.view().pictureRect("step 2").isEmpty());
  }

  // Beside the rows and above the columns, where they stand in the order that is shown.
  void squaresMarkTheGroup() {
    Shown shown(PanelKind::Pattern, "full");
    const auto mark = [&](Index query) { return cellCenter(shown.panel, query, 0) - QPoint(0, 0); };
    const int left = shown.panel.cellArea().left() - 3;
    const auto atRow = [&](Index query) { return pixel(shown.panel, {left, mark(query).y()}); };
    const QRgb plain = atRow(60);
    QCOMPARE(atRow(10), plain);
    auto group = std::make_shared<SelectedGroup>();
    group->tokens = {"bucket 1", {{8, 20}}, {{40, 42}}, {}};
    shown.link.setGroup(group);
    QTRY_VERIFY(atRow(10) != plain);
    QVERIFY(atRow(30) == plain && atRow(60) == plain);
    const int above = shown.panel.cellArea().top() - 3;
    const QRgb marked = pixel(shown.panel, {cellCenter(shown.panel, 0, 41).x(), above});
    QVERIFY(marked != pixel(shown.panel, {cellCenter(shown.panel, 0, 20).x(), above}));
    // In the reverse order the rows stand at the other end.
    auto reversed = std::make_shared<TokenOrder>();
    for (Index i = 0; i < kLength; ++i)
      reversed->queries.push_back(static_cast<std::int32_t>(kLength - 1 - i));
    reversed->keys = reversed->queries;
    shown.panel.setOrder(reversed);
    QTRY_VERIFY(shown.panel.isSettled() && atRow(kLength - 1 - 10) != plain);
    QVERIFY(atRow(10) == plain);
    QTest::keyClick(squareOf(shown.panel), Qt::Key_Escape);
    QVERIFY(!shown.link.group());
    QTRY_VERIFY(atRow(kLength - 1 - 10) == plain);
  }

  // The real window: a bucket of Reformer, on the text, in all columns, in the inspector.
  void theWindowFollowsABucket() {
    const auto window = shownWindow();
    Wall* wall = window->wall();
    InsidesView* view = insidesOf(*wall->panel(2, PanelKind::Insides));
    QVERIFY(view && view->isVisible());
    auto* title = window->inspector()->findChild<QLabel*>(QStringLiteral("groupTitle"));
    auto* shade = window->inspector()->findChild<InputShade*>();
    QVERIFY(title && shade && !title->isVisible());
    const QImage map = wall->panel(0, PanelKind::Map)->grab().toImage();
    const QImage text = shade->grab().toImage();
    QTest::mouseClick(view, Qt::LeftButton, {}, view->rect().center() - QPoint(0, view->height() / 3));
    if (!window->link()->group()) {  // between two strips
      view->setFocus();
      QTest::keyClick(view, Qt::Key_Right);
    }
    const SelectedGroupPtr group = window->link()->group();
    QVERIFY(group && group->owner == QStringLiteral("C Reformer"));
    QVERIFY(title->isVisible());
    QCOMPARE(title->text(), groupSentence(*group));
    QVERIFY(title->text().contains(QStringLiteral("bucket")));
    QTRY_VERIFY(wall->panel(0, PanelKind::Map)->grab().toImage() != map);
    QTRY_VERIFY(shade->grab().toImage() != text);
    QVERIFY(contains(group->tokens.keys, group->tokens.keys.front().begin));
    const QRectF place = shade->placeOf(group->tokens.keys.front().begin);
    QVERIFY(!place.isEmpty());
    const auto below = [&] {
      const QImage image = shade->grab().toImage();
      return image.pixel(
          (QPointF(place.center().x(), place.bottom() + 0.5) * image.devicePixelRatio()).toPoint());
    };
    const QRgb underlined = below();
    QTest::mouseClick(window->inspector()->findChild<QToolButton*>(QStringLiteral("clearGroup")),
                      Qt::LeftButton);
    QVERIFY(!window->link()->group() && !title->isVisible());
    QTRY_VERIFY(below() != underlined);
    // A column that goes takes its selection along.
    view->setFocus();
    QTest::keyClick(view, Qt::Key_Right);
    QVERIFY(window->link()->group());
    window->document()->removeColumn(2);
    QTRY_VERIFY(window->isSettled());
    QVERIFY(!window->link()->group());
  }

  // Every mechanism whose insides have groups: the keyboard reaches one, and it marks the square.
  void everyMechanismHasGroups() {
    const auto window = shownWindow();
    for (const char* id : {"reformer", "routing", "sinkhorn", "blockwise", "bigbird", "image", "axial", "etc",
                           "transformer-xl", "compressive", "memory-compressed", "set"}) {
      window->document()->setColumns({*parseMechanismSpec(id)}, QString::fromLatin1(id));
      QTRY_VERIFY2_WITH_TIMEOUT(window->isSettled() && window->service()->column(0).insides, id, 20000);
      InsidesView* view = insidesOf(*window->wall()->panel(0, PanelKind::Insides));
      view->setFocus();
      for (int picture = 0; picture < 12 && !window->link()->group(); ++picture) {
        QTest::keyClick(view, Qt::Key_Right);
        QTest::keyClick(view, Qt::Key_Down);
      }
      QVERIFY2(window->link()->group(), id);
      const TokenGroup& tokens = window->link()->group()->tokens;
      QVERIFY2(countOf(tokens.queries) + countOf(tokens.keys) > 0, id);
    }
  }

 private:
  QTemporaryDir m_folder;
};

QTEST_MAIN(InsidesTest)
#include "insides_test.moc"
