// SPDX-License-Identifier: GPL-3.0-or-later

// Pans and zooms over the real panel, from the whole square down to single cells and back, sixty frames a
// second, and prints what the window's thread spent on each frame: event, drawing and painting, with the
// counting going on beside it. Run by hand:
//
//   QT_QPA_PLATFORM=offscreen zoom_benchmark pattern 1048576 [mechanism ...]
//   QT_QPA_PLATFORM=offscreen zoom_benchmark map 65536 [mechanism ...]
//   QT_QPA_PLATFORM=offscreen zoom_benchmark difference 16384 [mechanism ...]   (from full attention)
#include <QApplication>
#include <QElapsedTimer>
#include <QMouseEvent>
#include <QThread>
#include <QWheelEvent>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "core/base/memory.h"
#include "core/inputs/input_document.h"
#include "core/inputs/recipes.h"
#include "core/mechanisms/registry.h"
#include "kernels/backend_registry.h"
#include "kernels/explore.h"
#include "ui/plots/panel.h"
#include "ui/plots/tile_colors.h"
#include "ui/state/view_link.h"

using namespace attnscope;

namespace {

constexpr int kWidth = 720;
constexpr double kFrame = 1000.0 / 60.0;
constexpr double kLongestWait = 60000.0;  // ms

struct Waits {
  double coarse = -1.0;  // ms until there is a picture of the viewport; below 0: not within the longest wait
  double exact = -1.0;
};

double threadMilliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e6;
}

class Session {
 public:
  // `baseline`: of a difference.
  Session(PanelKind kind, const ExplorationRef& exploration, const ExplorationRef& baseline)
      : m_panel(kind, &m_link), m_cells(exploration->input.shape().nK) {
    const Shape shape = exploration->input.shape();
    m_link.setBounds(shape.nK, shape.nQ);
    m_panel.resize(kWidth, m_panel.heightForWidth(kWidth));
    m_panel.show();
    QApplication::processEvents();
    m_clock.start();
    if (baseline)
      m_panel.setDifference(exploration, baseline, 0);
    else
      m_panel.setExploration(exploration, 0);
    whole = wait();
  }

  // Zooms in on a point of the diagonal and out again, with drags on the way.
  void run() {
    const QPointF target(0.37 * static_cast<double>(m_cells), 0.37 * static_cast<double>(m_cells));
    const auto steps =
        static_cast<int>(std::ceil(std::log(static_cast<double>(m_cells) / 12.0) / std::log(1.25)));
    for (int step = 0; step < steps; ++step) {
      frame([&] { wheel(target, 120); });
      if (step % 8 == 7) drag(16);
    }
    drag(30);
    cells = waitAfter([&] { wheel(target, 120); });
    for (int step = 0; step < steps; ++step) {
      frame([&] { wheel(m_link.viewport().center(), -120); });
      if (step % 12 == 5) drag(12);
      if (step == steps / 2) middle = waitAfter([&] { wheel(m_link.viewport().center(), -120); });
    }
  }

  std::vector<double> frames;  // ms by the clock
  std::vector<double> own;  // ms of processor time of the window's thread: without what else the machine does
  Waits whole;              // after the panel got its mechanism
  Waits middle;             // after a zoom half way out
  Waits cells;              // after a zoom to single cells

 private:
  QWidget* square() { return m_panel.findChild<QWidget*>(QStringLiteral("square")); }

  QPointF pixelOf(QPointF cell) const {
    const QRectF area(m_panel.cellArea());
    const QRectF& view = m_link.viewport();
    const QPointF at(area.left() + (cell.x() - view.left()) / view.width() * area.width(),
                     area.top() + (cell.y() - view.top()) / view.height() * area.height());
    return area.contains(at) ? at : area.center();
  }

  void wheel(QPointF cell, int delta) {
    const QPointF at = pixelOf(cell);
    QWheelEvent event(at, square()->mapToGlobal(at), QPoint(), QPoint(0, delta), Qt::NoButton, Qt::NoModifier,
                      Qt::NoScrollPhase, false);
    QApplication::sendEvent(square(), &event);
  }

  void mouse(QEvent::Type type, QPointF at) {
    const Qt::MouseButton button = type == QEvent::MouseMove ? Qt::NoButton : Qt::LeftButton;
    QMouseEvent event(type, at, square()->mapToGlobal(at), button, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(square(), &event);
  }

  void drag(int moves) {
    const QPointF from(m_panel.cellArea().center());
    mouse(QEvent::MouseButtonPress, from);
    for (int i = 1; i <= moves; ++i)
      frame([&] { mouse(QEvent::MouseMove, from + QPointF(-7.0 * i, -5.0 * i)); });
    mouse(QEvent::MouseButtonRelease, from + QPointF(-7.0 * moves, -5.0 * moves));
  }

  // One frame: what happens, what it leads to, and the rest of a sixtieth of a second for the workers.
  template <class Event>
  void frame(Event event) {
    QElapsedTimer timer;
    timer.start();
    const double cpu = threadMilliseconds();
    event();
    QApplication::processEvents();
    const double took = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    frames.push_back(took);
    own.push_back(threadMilliseconds() - cpu);
    if (took < kFrame) QThread::usleep(static_cast<unsigned long>(1000.0 * (kFrame - took)));
  }

  template <class Event>
  Waits waitAfter(Event event) {
    m_clock.restart();
    event();
    return wait();
  }

  Waits wait() {
    Waits waits;
    const auto now = [&] { return static_cast<double>(m_clock.nsecsElapsed()) / 1e6; };
    while (now() < kLongestWait) {
      QApplication::processEvents();
      const bool exact = m_panel.isSettled() && m_panel.corner().isEmpty();
      const bool coarse = exact || m_panel.corner().contains(QStringLiteral("1 of"));
      if (coarse && waits.coarse < 0.0) waits.coarse = now();
      if (exact) {
        waits.exact = now();
        break;
      }
      QThread::usleep(500);
    }
    return waits;
  }

  ViewLink m_link;
  Panel m_panel;
  Index m_cells;
  QElapsedTimer m_clock;
};

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1,
                         static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

std::string shown(double milliseconds) {
  if (milliseconds < 0.0) return "> 60 s";
  char text[32];
  if (milliseconds < 1000.0)
    std::snprintf(text, sizeof text, "%.0f ms", milliseconds);
  else
    std::snprintf(text, sizeof text, "%.1f s", milliseconds / 1000.0);
  return text;
}

std::string shown(const Waits& waits) {
  return shown(waits.coarse) + " / " + shown(waits.exact);
}

int measure(PanelKind kind, const std::string& id, const std::string& source) {
  numberTiles().clear();
  TileColors::shared().clear();
  (void)restartPeakMemory();
  const auto document = openSource(source);
  const auto input =
      document ? (*document)->outline(0) : Result<AttentionInput>(tl::unexpected(document.error()));
  const auto backend = findBackend("cpu");
  if (!input || !backend) {
    std::fprintf(stderr, "%s\n", (input ? backend.error() : input.error()).message.c_str());
    return 1;
  }
  MechanismSpec spec;
  spec.id = id;
  const auto made =
      kind == PanelKind::Pattern ? explorePattern(spec, *input) : explore(spec, *input, **backend);
  MechanismSpec full;
  full.id = "full";
  const auto baseline = kind == PanelKind::Difference ? explore(full, *input, **backend)
                                                      : Result<ExplorationRef>(ExplorationRef());
  if (!made || !baseline) {
    std::printf("%-18s %s\n", id.c_str(), (made ? baseline : made).error().message.c_str());
    return 1;
  }
  Session session(kind, *made, *baseline);
  session.run();
  const auto late =
      std::count_if(session.frames.begin(), session.frames.end(), [](double t) { return t >= 16.0; });
  std::printf("%-18s %7.1f %7.1f %7.1f %6.1f%% %7.1f %7.1f   %-20s %-20s %-20s %5.0f MB\n", id.c_str(),
              quantile(session.frames, 0.5), quantile(session.frames, 0.95), quantile(session.frames, 1.0),
              100.0 - 100.0 * static_cast<double>(late) / static_cast<double>(session.frames.size()),
              quantile(session.own, 0.95), quantile(session.own, 1.0), shown(session.whole).c_str(),
              shown(session.middle).c_str(), shown(session.cells).c_str(),
              static_cast<double>(peakResidentMemory()) / 1e6);
  std::fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const QApplication application(argc, argv);
  const QStringList arguments = QApplication::arguments();
  const QStringList kinds{QStringLiteral("pattern"), QStringLiteral("map"), QStringLiteral("difference")};
  if (arguments.size() < 3 || !kinds.contains(arguments[1])) {
    std::fprintf(stderr, "zoom_benchmark pattern|map|difference LENGTH [mechanism ...]\n");
    return 2;
  }
  const PanelKind kind =
      std::array{PanelKind::Pattern, PanelKind::Map,
                 PanelKind::Difference}[static_cast<std::size_t>(kinds.indexOf(arguments[1]))];
  const std::string source = "clustered:n=" + arguments[2].toStdString() + ",d=64,heads=1";
  std::printf("%s of %s, %d x %d pixels, %d cores\n", arguments[1].toUtf8().constData(), source.c_str(),
              kWidth, kWidth, QThread::idealThreadCount());
  std::printf("%-18s %7s %7s %7s %7s %7s %7s   %-20s %-20s %-20s %8s\n", "", "median", "95 %", "most",
              "<16 ms", "cpu 95%", "most", "whole: coarse/exact", "middle", "cells", "peak");
  int failures = 0;
  for (const Mechanism* mechanism : allMechanisms()) {
    const QString id = QString::fromStdString(mechanism->card().id);
    if (arguments.size() > 3 && !arguments.mid(3).contains(id)) continue;
    failures += measure(kind, id.toStdString(), source);
  }
  return failures == 0 ? 0 : 1;
}
