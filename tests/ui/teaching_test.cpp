// SPDX-License-Identifier: GPL-3.0-or-later
// The teaching window, with real keys.
#include <QLabel>
#include <QScreen>
#include <QSlider>
#include <QTest>

#include "tests/support/shown_window.h"
#include "ui/jobs/compute_service.h"
#include "ui/panels/step_view.h"
#include "ui/plots/insides_view.h"
#include "ui/state/document.h"

using namespace attnscope;

class TeachingTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { attnscope::testing::keepSettingsIn(m_folder); }
  void init() { m_window = attnscope::testing::shownWindow(); }
  void cleanup() { m_window.reset(); }

  void stepsThroughAPlan() {
    document()->selectColumn(2);  // Reformer
    m_window->command(QStringLiteral("stepThrough"))->trigger();
    StepView* steps = m_window->steps();
    QVERIFY(steps->isVisible());
    const Exploration& shown = *m_window->service()->column(2).exploration;
    const std::size_t planned = shown.call.plan->plan().steps.size() + shown.decisions(0)->size();
    QTRY_COMPARE(steps->frames().size(), planned + 1);
    QCOMPARE(steps->step(), 0);
    auto* pictures = steps->findChild<InsidesView*>();  // where the focus is at first
    QTest::keyClick(pictures, Qt::Key_Right);
    QCOMPARE(steps->step(), 1);
    QTest::keyClick(pictures, Qt::Key_Right);
    QTest::keyClick(pictures, Qt::Key_Left);
    QCOMPARE(steps->step(), 1);
    QVERIFY(
        steps->findChild<QLabel*>(QStringLiteral("stepTime"))->text().contains(QStringLiteral("all heads")));
    QTest::keyClick(steps->findChild<QSlider*>(), Qt::Key_End);
    QCOMPARE(steps->step(), static_cast<int>(planned));
    QVERIFY(steps->heading().contains(QStringLiteral("Reformer")));
    document()->selectColumn(1);  // frames of the other stay until these are there, under their own name
    QVERIFY2(steps->heading().contains(QStringLiteral("Reformer")), qPrintable(steps->heading()));
    QTRY_VERIFY(steps->heading().contains(QStringLiteral("Longformer")) && steps->isIdle());
    QTest::keyClick(steps, Qt::Key_Home);
    QCOMPARE(steps->step(), 0);
    QTest::keyClick(pictures, Qt::Key_Escape);
    QVERIFY(!steps->isVisible());
  }

  void teachesInLargeLetters() {
    m_window->command(QStringLiteral("stepThrough"))->trigger();
    StepView* steps = m_window->steps();
    QTRY_VERIFY(steps->frames().size() > 1);
    QVERIFY(steps->height() >= steps->screen()->availableGeometry().height() * 8 / 10);
    auto* sentence = steps->findChild<QLabel*>(QStringLiteral("stepSentence"));
    const auto letters = [sentence] { return sentence->font().pointSizeF() / QFont().pointSizeF(); };
    steps->resize(900, 560);
    QCOMPARE(letters(), 1.0);
    steps->resize(1500, 1120);
    QCOMPARE(letters(), 2.0);
    QTest::keyClick(steps, Qt::Key_Plus, Qt::ControlModifier);
    QCOMPARE(letters(), 2.0 * 1.15);
    // Both pictures, side by side, take most of what is left below the text.
    auto* pictures = steps->findChild<InsidesView*>();
    const QRect queries = pictures->pictureRect("Queries");
    QVERIFY2(queries.height() > pictures->height() * 9 / 10, qPrintable(QString::number(queries.height())));
    QVERIFY(pictures->pictureRect("Keys").left() >= queries.right());
    QTest::keyClick(steps, Qt::Key_Minus, Qt::ControlModifier);
    QTest::keyClick(steps, Qt::Key_Minus, Qt::ControlModifier);
    const double smaller = letters();
    QVERIFY(smaller < 2.0);
    steps->close();
    m_window = attnscope::testing::shownWindow();  // the next start
    m_window->command(QStringLiteral("stepThrough"))->trigger();
    m_window->steps()->resize(1500, 1120);
    QCOMPARE(m_window->steps()->textScale(), smaller);
    QTRY_VERIFY(m_window->steps()->isActiveWindow());  // else Ctrl+0 is the wall's
    QTest::keyClick(m_window->steps(), Qt::Key_0, Qt::ControlModifier);
    QCOMPARE(m_window->steps()->textScale(), 2.0);
  }

 private:
  [[nodiscard]] Document* document() const { return m_window->document(); }

  QTemporaryDir m_folder;
  std::unique_ptr<MainWindow> m_window;
};

QTEST_MAIN(TeachingTest)
#include "teaching_test.moc"
