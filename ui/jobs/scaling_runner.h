// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QThreadPool>
#include <vector>

#include "kernels/bench/sweep.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// Measures mechanisms against length, here and now, on a thread of its own. Points arrive one by one; what
// was measured before a cancel is kept. GUI thread only.
class ScalingRunner final : public QObject {
  Q_OBJECT

 public:
  explicit ScalingRunner(QObject* parent = nullptr);
  ~ScalingRunner() override;

  void start(const SweepRequest& request);
  void cancel();
  [[nodiscard]] bool isRunning() const { return m_job.isRunning(); }
  [[nodiscard]] double fraction() const { return m_job.fraction(); }
  [[nodiscard]] double seconds() const { return static_cast<double>(m_clock.elapsed()) / 1000.0; }
  [[nodiscard]] const SweepRequest& request() const { return m_request; }
  [[nodiscard]] const std::vector<SweepPoint>& points() const { return m_points; }
  // True if the last run was stopped before its end: start() with its request and points goes on.
  [[nodiscard]] bool isUnfinished() const { return !isRunning() && m_stopped; }
  [[nodiscard]] QString currentWork() const;  // "B at n = 8,192", guessed from the last point

 Q_SIGNALS:
  void started();
  void pointsChanged();
  void finished(const QString& error);  // empty: done, or cancelled

 private:
  void addPoint(const SweepPoint& point, int run);

  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  SweepRequest m_request;
  std::vector<SweepPoint> m_points;
  QElapsedTimer m_clock;
  int m_run = 0;
  bool m_stopped = false;
};

}  // namespace attnscope
