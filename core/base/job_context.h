// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <memory>

namespace attnscope {

// Progress and cancellation of one job, in one call: whoever reports progress is told whether to go on.
// All members may be called from any thread. Copies share the same job.
class JobContext {
 public:
  using ProgressSink = std::function<void(double fraction)>;

  // A job that nobody watches and nobody stops.
  JobContext();
  explicit JobContext(ProgressSink sink);

  // Sets how many units the next phase has, and the part [from, to] of the whole job that it covers.
  void beginPhase(double units, double from = 0.0, double to = 1.0) const;

  // Reports `units` more work done. Returns false when the job is to stop; the caller then returns
  // cancelled(). Changes below 0.1 % are not passed on. Call it at least every 5 ms of work: that is the
  // latency of cancel.
  [[nodiscard]] bool advance(double units = 1.0) const;

  // A part of this job that is stopped with it but whose progress is of no interest: one of many short
  // passes.
  [[nodiscard]] JobContext quiet() const;

  [[nodiscard]] bool isCancelled() const;
  void cancel() const;

 private:
  struct State;
  std::shared_ptr<State> m_state;
};

}  // namespace attnscope
