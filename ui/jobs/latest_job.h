// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThreadPool>
#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>

#include "core/base/job_context.h"
#include "ui/jobs/guarded.h"

namespace attnscope {

// One purpose for which only the newest request counts. start() stops whatever was asked before; a result
// reaches `done` in the receiver's thread only if nothing newer was asked for in the meantime, neither when
// the work ends nor when the result arrives. The counter is shared with the workers, so this object may die
// before they do; the receiver must outlive them (its owner waits for the pool).
class LatestJob {
 public:
  LatestJob(QThreadPool* pool, QObject* receiver) : m_pool(pool), m_receiver(receiver) {}
  ~LatestJob() { cancel(); }
  LatestJob(const LatestJob&) = delete;
  LatestJob& operator=(const LatestJob&) = delete;

  // work(const JobContext&) -> Result<T> on a thread of the pool; done(Result<T>) in the receiver's thread.
  // What the work throws arrives as an error: nothing escapes into the pool, where it would end the program.
  template <class Work, class Done>
  void start(Work work, Done done) {
    using Value = decltype(work(std::declval<const JobContext&>()));
    static_assert(std::is_same_v<typename Value::error_type, Error>, "work returns a Result");
    cancel();
    const std::uint64_t ticket = m_shared->generation.load();
    m_shared->running = true;
    m_shared->fraction.store(0.0);
    m_job = JobContext([shared = m_shared, ticket](double fraction) {
      if (shared->generation.load() == ticket) shared->fraction.store(fraction);
    });
    m_pool->start([work = std::move(work), done = std::move(done), shared = m_shared, job = m_job, ticket,
                   receiver = m_receiver]() mutable {
      if (shared->generation.load() != ticket) return;  // replaced while it stood in the queue
      auto value = std::make_shared<Value>(guarded([&]() -> Value { return work(std::as_const(job)); }));
      QMetaObject::invokeMethod(
          receiver,
          [value, done = std::move(done), shared, ticket]() mutable {
            if (shared->generation.load() != ticket) return;
            shared->running = false;
            done(std::move(*value));
          },
          Qt::QueuedConnection);
    });
  }

  // Stops the work and drops its result. The worker ends within the latency of JobContext.
  void cancel() {
    ++m_shared->generation;
    m_shared->running = false;
    m_job.cancel();
  }

  [[nodiscard]] bool isRunning() const { return m_shared->running; }
  [[nodiscard]] double fraction() const { return m_shared->fraction.load(); }

 private:
  struct Shared {
    std::atomic<std::uint64_t> generation{0};
    std::atomic<double> fraction{0.0};
    bool running = false;  // receiver's thread only
  };

  QThreadPool* m_pool;
  QObject* m_receiver;
  std::shared_ptr<Shared> m_shared = std::make_shared<Shared>();
  JobContext m_job;
};

}  // namespace attnscope
