// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/job_context.h"

#include <algorithm>
#include <mutex>

namespace attnscope {

struct JobContext::State {
  ProgressSink sink;
  std::atomic<bool> stop{false};
  std::shared_ptr<State> whole;  // the job that this one is a part of
  std::mutex mutex;              // guards everything below
  double units = 1.0;
  double done = 0.0;
  double from = 0.0;
  double to = 1.0;
  double reported = -1.0;
};

JobContext::JobContext() : JobContext(ProgressSink{}) {}

JobContext::JobContext(ProgressSink sink) : m_state(std::make_shared<State>()) {
  m_state->sink = std::move(sink);
}

void JobContext::beginPhase(double units, double from, double to) const {
  const std::scoped_lock lock(m_state->mutex);
  m_state->units = units > 0.0 ? units : 1.0;
  m_state->done = 0.0;
  m_state->from = from;
  m_state->to = to;
}

bool JobContext::advance(double units) const {
  if (isCancelled()) return false;
  if (!m_state->sink) return true;
  const std::scoped_lock lock(m_state->mutex);
  m_state->done += units;
  const double share = std::min(1.0, m_state->done / m_state->units);
  const double fraction = m_state->from + (m_state->to - m_state->from) * share;
  if (fraction - m_state->reported >= 0.001 || (fraction >= 1.0 && m_state->reported < 1.0)) {
    m_state->reported = fraction;
    m_state->sink(fraction);
  }
  return true;
}

JobContext JobContext::quiet() const {
  JobContext part;
  part.m_state->whole = m_state;
  return part;
}

bool JobContext::isCancelled() const {
  for (const State* state = m_state.get(); state != nullptr; state = state->whole.get())
    if (state->stop.load(std::memory_order_relaxed)) return true;
  return false;
}

void JobContext::cancel() const {
  m_state->stop.store(true, std::memory_order_relaxed);
}

}  // namespace attnscope
