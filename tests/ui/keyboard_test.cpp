// SPDX-License-Identifier: GPL-3.0-or-later
// The window by the keyboard alone: where Tab goes and how one sees it, numbers that are typed, keys of
// menus.
#include <QApplication>
#include <QLabel>
#include <QLineEdit>
#include <QSet>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include "tests/support/shown_panel.h"
#include "tests/support/shown_window.h"
#include "ui/panels/cost_table.h"
#include "ui/panels/gallery.h"
#include "ui/panels/param_row.h"
#include "ui/panels/parameter_form.h"
#include "ui/panels/wall.h"
#include "ui/state/document.h"

using namespace attnscope;

class KeyboardTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  // From a fresh start every place that takes the focus is reached by Tab alone, and the first comes again.
  void tabGoesRound() {
    m_window->activateWindow();
    QTRY_VERIFY(QApplication::activeWindow() == m_window.get());
    const auto press = [this](Qt::Key key) {
      QWidget* at = QApplication::focusWidget();
      QTest::keyClick(at ? at : m_window.get(), key);
      return QApplication::focusWidget();
    };
    QWidget* first = press(Qt::Key_Tab);
    QVERIFY(first);
    QSet<QWidget*> reached{first};
    QWidget* at = press(Qt::Key_Tab);
    for (int presses = 1; presses < 400 && at != first; ++presses) {
      QVERIFY2(!reached.contains(at), qPrintable(at->metaObject()->className() + at->objectName()));
      reached.insert(at);
      at = press(Qt::Key_Tab);
    }
    QCOMPARE(at, first);
    for (int column = 0; column < 4; ++column)
      for (const PanelKind kind : {PanelKind::Pattern, PanelKind::Map, PanelKind::Insides}) {
        Panel* panel = m_window->wall()->panel(column, kind);
        const auto views = panel->findChildren<QWidget*>(Qt::FindDirectChildrenOnly);
        for (QWidget* view : views)
          if (view->isVisible() && view->focusPolicy() == Qt::StrongFocus)
            QVERIFY2(reached.contains(view), qPrintable(panel->accessibleName()));
      }
    QVERIFY(reached.contains(m_window->findChild<CostTable*>()->view()));
    QVERIFY(reached.contains(m_window->findChild<QToolButton*>(QStringLiteral("alongQueries"))));
    QVERIFY(reached.contains(m_window->gallery()->searchBox()));
    // And back.
    for (int presses = 0; presses < 400; ++presses)
      if (press(Qt::Key_Backtab) == first) break;
    QCOMPARE(QApplication::focusWidget(), first);
  }

  // Who comes by Tab sees a ring of two pixels at the border of the cells; who clicks knows where.
  void squaresShowTheFocus() {
    for (const PlotTheme& theme : {PlotTheme::light(), PlotTheme::dark()}) {
      attnscope::testing::Shown shown(PanelKind::Map, "full");
      shown.panel.setTheme(theme);
      QTRY_VERIFY(shown.panel.isSettled());
      QWidget* square = attnscope::testing::squareOf(shown.panel);
      const QRect cells = shown.panel.cellArea();
      const auto ring = [&] {
        const QColor outer = attnscope::testing::grabbedAt(shown.panel, cells.topLeft() + QPoint(30, 0));
        const QColor inner = attnscope::testing::grabbedAt(shown.panel, cells.topLeft() + QPoint(30, 1));
        return outer == theme.accent && inner == theme.accent;
      };
      shown.panel.activateWindow();
      QTRY_VERIFY(QApplication::activeWindow() == &shown.panel);
      square->clearFocus();
      QVERIFY(!ring());
      square->setFocus(Qt::TabFocusReason);
      QTRY_VERIFY(ring());
      square->clearFocus();
      QTRY_VERIFY(!ring());
      square->setFocus(Qt::MouseFocusReason);
      QVERIFY(square->hasFocus() && !ring());
      QTest::keyClick(square, Qt::Key_Down);
      QTRY_VERIFY(ring());
    }
  }

  void aTypedNumberIsAnsweredNotCut() {
    document()->selectColumn(2);  // Reformer
    ParamRow* row = m_window->parameters()->row("rounds");
    auto* field = qobject_cast<QSpinBox*>(row->editor());
    QVERIFY(field);
    field->setFocus();
    field->selectAll();
    QTest::keyClicks(field, QStringLiteral("999"));
    QTest::keyClick(field, Qt::Key_Return);
    QCOMPARE(document()->state().columns[2].params.at("rounds"), std::string("999"));
    QCOMPARE(field->value(), 999);
    QVERIFY2(row->error().contains(QStringLiteral("a whole number from 1 to 32")), qPrintable(row->error()));
    auto* note = row->findChild<QLabel*>(QStringLiteral("paramNote"));
    QVERIFY(note->isVisible() && note->text().contains(QStringLiteral("Use 32")));
    QTest::keyClick(field, Qt::Key_Up);  // no way on
    QCOMPARE(field->value(), 999);
    Q_EMIT note->linkActivated(QStringLiteral("use"));
    QCOMPARE(field->value(), 32);
    QVERIFY(row->error().isEmpty());
    QTest::keyClick(field, Qt::Key_Up);
    QCOMPARE(field->value(), 32);
    QTest::keyClick(field, Qt::Key_Down);
    QCOMPARE(field->value(), 31);
  }

  // Whatever a field wants to do with the keys of a menu; those that edit stay its own.
  void menuKeysWinOverFields() {
    class Greedy final : public QLineEdit {
     public:
      using QLineEdit::QLineEdit;
      bool event(QEvent* event) override {
        if (event->type() != QEvent::ShortcutOverride) return QLineEdit::event(event);
        event->accept();
        return true;
      }
    };
    Greedy field(m_window.get());
    field.show();
    const auto taken = [&field](int key, Qt::KeyboardModifiers modifiers) {
      QKeyEvent event(QEvent::ShortcutOverride, key, modifiers);
      event.ignore();
      QCoreApplication::sendEvent(&field, &event);
      return event.isAccepted();
    };
    QVERIFY(!taken(Qt::Key_T, Qt::ControlModifier));  // step through
    QVERIFY(!taken(Qt::Key_J, Qt::ControlModifier));
    for (const int key : {Qt::Key_A, Qt::Key_C, Qt::Key_V, Qt::Key_X, Qt::Key_Z})
      QVERIFY(taken(key, Qt::ControlModifier));
    QVERIFY(taken(Qt::Key_T, Qt::NoModifier));
    QVERIFY(taken(Qt::Key_G, Qt::ControlModifier));  // of no menu
  }

 private:
  [[nodiscard]] Document* document() const { return m_window->document(); }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(KeyboardTest)
#include "keyboard_test.moc"
