// SPDX-License-Identifier: GPL-3.0-or-later
// Drives the real window through what people do with it, checks that it settles, and leaves a screenshot of
// every stop in the folder that the environment variable ATTNSCOPE_TOUR names. Run it under Xvfb to see what
// users see:
//   ATTNSCOPE_TOUR=$PWD/shots QT_QPA_PLATFORM=xcb xvfb-run -a -s "-screen 0 1920x1080x24"
//   ui_gui_tour_tour_test
#include <QAbstractButton>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QElapsedTimer>
#include <QSettings>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <cmath>
#include <cstdio>

#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/main_window.h"
#include "ui/panels/export_dialog.h"
#include "ui/panels/message_bar.h"
#include "ui/panels/scaling_panel.h"
#include "ui/panels/step_view.h"
#include "ui/panels/wall.h"
#include "ui/state/document.h"
#include "ui/state/view_link.h"

using namespace attnscope;

namespace {

enum class ViewRow { Reach, Insides };

constexpr int kSettleMs = 20000;

// Measures how long the GUI thread is away from its event loop: the longest single event.
class TimedApplication final : public QApplication {
 public:
  using QApplication::QApplication;
  bool notify(QObject* receiver, QEvent* event) override {
    if (m_depth > 0) return QApplication::notify(receiver, event);
    QElapsedTimer clock;
    clock.start();
    const QByteArray name = receiver->metaObject()->className();
    const int type = event->type();
    ++m_depth;
    const bool result = QApplication::notify(receiver, event);
    --m_depth;
    const double ms = static_cast<double>(clock.nsecsElapsed()) / 1e6;
    if (ms > longest) {
      longest = ms;
      what = QStringLiteral("%1, event %2").arg(QString::fromLatin1(name)).arg(type);
    }
    return result;
  }
  double longest = 0.0;
  QString what;

 private:
  int m_depth = 0;
};

TimedApplication* timedApp() {
  return static_cast<TimedApplication*>(qApp);
}

}  // namespace

class TourTest final : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase();
  void opensWithinASecond();
  void showsEveryTheme();
  void showsSmallAndLargeWindows();
  void zoomsAndReads();
  void followsLayers();
  void comparesOnTheWall();
  void showsEveryMechanism();
  void stepsThroughAPlan();
  void survivesABadFile();
  void showsTheDialogs();
  void opensPicturesAndRecipes();
  void measuresScaling();
  void dragsASliderOnALongInput();
  void cancelsALongPass();
  void cleanupTestCase();

 private:
  void shot(const QString& name);
  void shotOfDialog(const QString& command, const QString& name);
  void settle();

  QTemporaryDir m_home;
  QString m_folder;
  MainWindow* m_window = nullptr;
};

void TourTest::initTestCase() {
  QSettings::setDefaultFormat(QSettings::IniFormat);
  QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, m_home.path());
  QApplication::setApplicationName(QStringLiteral("attnscope-tour"));
  QApplication::setOrganizationName(QStringLiteral("attnscope"));
  m_folder = qEnvironmentVariable("ATTNSCOPE_TOUR");
  if (!m_folder.isEmpty()) QDir().mkpath(m_folder);
}

void TourTest::settle() {
  QTest::qWait(30);  // what was put off to the next turn of the event loop
  QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled(), kSettleMs);
  QTest::qWait(30);  // the last repaint
}

void TourTest::shot(const QString& name) {
  if (!m_folder.isEmpty()) m_window->grab().save(QStringLiteral("%1/%2.png").arg(m_folder, name));
}

void TourTest::opensWithinASecond() {
  QElapsedTimer clock;
  clock.start();
  m_window = new MainWindow;
  m_window->setTheme(ThemeChoice::Light);
  m_window->resize(1440, 900);
  m_window->show();
  const qint64 built = clock.elapsed();
  QTRY_VERIFY_WITH_TIMEOUT(m_window->isSettled(), kSettleMs);
  std::printf("window built in %lld ms, first complete picture after %lld ms\n",
              static_cast<long long>(built), static_cast<long long>(clock.elapsed()));
  std::printf("longest event while opening: %.1f ms (%s)\n", timedApp()->longest,
              qPrintable(timedApp()->what));
  QTest::qWait(400);  // pictures of the gallery
  shot(QStringLiteral("01-light-1440x900"));
}

void TourTest::showsEveryTheme() {
  m_window->setTheme(ThemeChoice::Dark);
  settle();
  shot(QStringLiteral("02-dark-1440x900"));
  m_window->setTheme(ThemeChoice::Light);
  settle();
}

void TourTest::showsSmallAndLargeWindows() {
  m_window->resize(1280, 800);
  settle();
  shot(QStringLiteral("03-light-1280x800"));
  m_window->resize(1920, 1080);
  settle();
  shot(QStringLiteral("04-light-1920x1080"));
  m_window->setTheme(ThemeChoice::Dark);
  settle();
  shot(QStringLiteral("05-dark-1920x1080"));
  m_window->setTheme(ThemeChoice::Light);
  m_window->resize(1440, 900);
  settle();
}

void TourTest::zoomsAndReads() {
  m_window->link()->setViewport(QRectF(10, 10, 40, 40));
  m_window->link()->setSelected(30, 24);
  settle();
  shot(QStringLiteral("06-zoomed"));
  m_window->link()->resetViewport();
  m_window->document()->setRowVisible(PanelKind::Insides, false);
  m_window->document()->removeColumn(3);
  m_window->document()->removeColumn(0);
  settle();
  shot(QStringLiteral("07-two-columns"));
  while (m_window->document()->undoStack()->canUndo()) m_window->document()->undoStack()->undo();
  settle();
}

void TourTest::followsLayers() {
  m_window->document()->setRowVisible(PanelKind::Insides, false);
  m_window->document()->setRowVisible(PanelKind::Reach, true);
  QTRY_VERIFY(m_window->fidelity()->isIdle());
  m_window->findChild<QAbstractButton*>(QStringLiteral("asChart"))->click();
  settle();
  shot(QStringLiteral("16-reach-and-chart"));
  m_window->findChild<QAbstractButton*>(QStringLiteral("asChart"))->click();
  while (m_window->document()->undoStack()->canUndo()) m_window->document()->undoStack()->undo();
  settle();
}

void TourTest::stepsThroughAPlan() {
  m_window->document()->selectColumn(2);
  m_window->command(QStringLiteral("stepThrough"))->trigger();
  StepView* steps = m_window->steps();
  QTRY_VERIFY(steps->frames().size() > 2);
  QTest::keyClick(steps, Qt::Key_Right);
  QTest::keyClick(steps, Qt::Key_Right);
  QTest::qWait(200);
  if (!m_folder.isEmpty()) steps->grab().save(QStringLiteral("%1/20-steps.png").arg(m_folder));
  m_window->setTheme(ThemeChoice::Dark);
  settle();
  if (!m_folder.isEmpty()) steps->grab().save(QStringLiteral("%1/20-steps-dark.png").arg(m_folder));
  m_window->setTheme(ThemeChoice::Light);
  steps->close();
  m_window->document()->selectColumn(0);
}

// Every mechanism, four at a time; the groups alternate between a small dark and a large light window.
void TourTest::comparesOnTheWall() {
  Document* document = m_window->document();
  document->setRowVisible(PanelKind::Insides, false);
  document->setRowVisible(PanelKind::Difference, true);
  ViewStyle style = document->state().style;
  style.marginals = true;
  style.range = ScaleRange::WithoutSinks;
  document->setStyle(style);
  settle();
  shot(QStringLiteral("40-differences"));
  document->sortBy(2, 0);
  document->pinBaseline(1);
  document->toggleLabel(QStringLiteral("round 2"));
  settle();
  QVERIFY(m_window->wall()->order());
  shot(QStringLiteral("41-sorted"));
  for (int i = 0; i < 6; ++i) document->undoStack()->undo();
  settle();
}

void TourTest::showsEveryMechanism() {
  const auto all = allMechanisms();
  for (const ViewRow row : {ViewRow::Reach, ViewRow::Insides}) {
    m_window->document()->setRowVisible(PanelKind::Reach, row == ViewRow::Reach);
    m_window->document()->setRowVisible(PanelKind::Insides, row == ViewRow::Insides);
    for (std::size_t first = 0; first < all.size(); first += 4) {
      std::vector<MechanismSpec> columns;
      for (std::size_t i = first; i < std::min(first + 4, all.size()); ++i) {
        columns.emplace_back();
        columns.back().id = all[i]->card().id;
      }
      const bool small = first / 4 % 2 == 0;
      m_window->resize(small ? QSize(1280, 800) : QSize(1920, 1080));
      m_window->setTheme(small ? ThemeChoice::Dark : ThemeChoice::Light);
      m_window->document()->setColumns(columns, QStringLiteral("tour"));
      settle();
      for (int i = 0; i < static_cast<int>(columns.size()); ++i)
        QVERIFY2(m_window->service()->column(i).error.isEmpty(),
                 columns[static_cast<std::size_t>(i)].id.c_str());
      shot(QStringLiteral("3%1-%2").arg(first / 4).arg(row == ViewRow::Reach ? "reach" : "insides"));
    }
  }
  m_window->setTheme(ThemeChoice::Light);
  m_window->resize(1440, 900);
  while (m_window->document()->undoStack()->canUndo()) m_window->document()->undoStack()->undo();
  settle();
}

void TourTest::survivesABadFile() {
  m_window->openSource(QStringLiteral("/no/such/file.npz"));
  QTRY_VERIFY(!m_window->messages()->text().isEmpty());
  m_window->document()->setParam(1, "window", "7");
  settle();
  m_window->document()->selectColumn(1);
  QTest::qWait(100);
  shot(QStringLiteral("08-errors"));
  m_window->messages()->dismiss();
  m_window->document()->resetParams(1);
  settle();
}

void TourTest::shotOfDialog(const QString& command, const QString& name) {
  bool seen = false;
  QTimer::singleShot(900, this, [this, &seen, name] {
    QWidget* dialog = QApplication::activeModalWidget();
    if (!dialog) return;
    seen = true;
    if (!m_folder.isEmpty()) dialog->grab().save(QStringLiteral("%1/%2.png").arg(m_folder, name));
    dialog->close();
  });
  m_window->command(command)->trigger();
  QVERIFY(seen);
}

void TourTest::showsTheDialogs() {
  shotOfDialog(QStringLiteral("palette"), QStringLiteral("12-palette"));
  shotOfDialog(QStringLiteral("shortcuts"), QStringLiteral("13-shortcuts"));
  shotOfDialog(QStringLiteral("exportWall"), QStringLiteral("14-export"));
  shotOfDialog(QStringLiteral("about"), QStringLiteral("15-about"));
}

void TourTest::opensPicturesAndRecipes() {
  QImage picture(64, 48, QImage::Format_RGB32);
  for (int y = 0; y < 48; ++y)
    for (int x = 0; x < 64; ++x)
      picture.setPixel(x, y,
                       std::hypot(x - 24, y - 20) < 14 ? qRgb(230, 120, 40) : qRgb(40 + x, 90 + y, 160));
  const QString path = m_home.filePath(QStringLiteral("ball.png"));
  QVERIFY(picture.save(path));
  auto* tabs = m_window->findChild<QTabWidget*>();
  tabs->setCurrentIndex(1);
  m_window->openSource(path);
  QTRY_VERIFY_WITH_TIMEOUT(m_window->service()->input()->source == path, kSettleMs);
  settle();
  shot(QStringLiteral("16-picture"));
  m_window->findChild<QComboBox*>(QStringLiteral("inputKind"))->setCurrentIndex(1);
  QTest::qWait(50);
  m_window->setTheme(ThemeChoice::Dark);
  settle();
  shot(QStringLiteral("17-recipe-dark"));
  m_window->setTheme(ThemeChoice::Light);
  tabs->setCurrentIndex(0);
  m_window->document()->undoStack()->undo();
  QTRY_VERIFY_WITH_TIMEOUT(m_window->service()->input()->source == QLatin1String("sample"), kSettleMs);
  settle();
}

void TourTest::measuresScaling() {
  m_window->command(QStringLiteral("measureScaling"))->trigger();
  QTRY_VERIFY_WITH_TIMEOUT(m_window->runner()->points().size() >= 8, 60000);
  QTest::qWait(300);
  shot(QStringLiteral("09-measuring"));
  QTRY_VERIFY_WITH_TIMEOUT(!m_window->runner()->isRunning(), 90000);
  QTest::qWait(100);
  shot(QStringLiteral("10-scaling"));
}

void TourTest::dragsASliderOnALongInput() {
  m_window->openSource(QStringLiteral("clustered:n=4096,heads=1"));
  QTRY_VERIFY_WITH_TIMEOUT(m_window->service()->input()->shape().nQ == 4096, kSettleMs);
  settle();
  timedApp()->longest = 0.0;
  m_window->document()->undoStack()->clear();
  const int gesture = m_window->document()->newGesture();
  for (int window = 64; window <= 512; window += 16) {
    m_window->document()->setParam(1, "window", std::to_string(window), gesture);
    QTest::qWait(16);
  }
  settle();
  for (int i = 0; i < 20; ++i) {
    m_window->link()->zoomAt(QPointF(2048, 2048), 1.2);
    QTest::qWait(16);
  }
  settle();
  std::printf("n = 4096, dragging a slider and zooming: longest event %.1f ms (%s)\n", timedApp()->longest,
              qPrintable(timedApp()->what));
  shot(QStringLiteral("11-long-input"));
  QCOMPARE(m_window->document()->undoStack()->count(), 1);  // the whole drag
}

void TourTest::cancelsALongPass() {
  m_window->openSource(QStringLiteral("clustered:n=32768,heads=8"));
  QTRY_VERIFY_WITH_TIMEOUT(m_window->service()->input()->shape().nQ == 32768, 60000);
  QTest::qWait(600);
  shot(QStringLiteral("18-busy"));
  QElapsedTimer clock;
  clock.start();
  m_window->command(QStringLiteral("cancel"))->trigger();
  QTRY_VERIFY_WITH_TIMEOUT(m_window->service()->isIdle(), 5000);
  std::printf("cancel of n = 32768: %lld ms\n", static_cast<long long>(clock.elapsed()));
  QTest::qWait(150);
  shot(QStringLiteral("19-cancelled"));
}

void TourTest::cleanupTestCase() {
  if (m_window) m_window->close();
  delete m_window;
}

int main(int argc, char** argv) {
  TimedApplication application(argc, argv);
  TourTest test;
  return QTest::qExec(&test, argc, argv);
}

#include "tour_test.moc"
