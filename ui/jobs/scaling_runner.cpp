// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/scaling_runner.h"

#include "core/base/units.h"
#include "ui/plots/view_style.h"
#include "ui/state/text.h"

namespace attnscope {

ScalingRunner::ScalingRunner(QObject* parent) : QObject(parent) {
  m_pool.setMaxThreadCount(1);
}

ScalingRunner::~ScalingRunner() {
  m_job.cancel();
  m_pool.waitForDone();
}

void ScalingRunner::start(const SweepRequest& request) {
  m_request = request;
  m_points.clear();
  m_stopped = false;
  m_clock.start();
  const int run = ++m_run;
  m_job.start(
      [this, request, run](const JobContext& job) {
        return runSweep(
            request,
            [this, run](const SweepPoint& point) {  // `this` outlives the pool
              QMetaObject::invokeMethod(
                  this, [this, point, run] { addPoint(point, run); }, Qt::QueuedConnection);
            },
            job);
      },
      [this](const Result<std::vector<SweepPoint>>& result) {
        if (result) m_points = *result;
        Q_EMIT pointsChanged();
        Q_EMIT finished(result ? QString() : toQ(result.error().message));
      });
  Q_EMIT started();
  Q_EMIT pointsChanged();
}

void ScalingRunner::addPoint(const SweepPoint& point, int run) {
  if (run != m_run || !m_job.isRunning()) return;
  m_points.push_back(point);
  Q_EMIT pointsChanged();
}

void ScalingRunner::cancel() {
  if (!m_job.isRunning()) return;
  m_job.cancel();
  m_stopped = true;
  Q_EMIT finished({});
}

QString ScalingRunner::currentWork() const {
  std::size_t spec = 0;
  std::size_t length = 0;
  if (!m_points.empty() && !m_request.specs.empty()) {
    spec = m_points.size() % m_request.specs.size();
    length = m_points.size() / m_request.specs.size();
  }
  if (length >= m_request.lengths.size()) return tr("the last point");
  return tr("%1 at n = %2")
      .arg(columnLetter(static_cast<int>(spec)))
      .arg(toQ(countText(m_request.lengths[length])));
}

}  // namespace attnscope
