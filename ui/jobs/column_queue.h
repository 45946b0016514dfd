// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QThreadPool>
#include <functional>
#include <memory>
#include <vector>

#include "ui/jobs/compute_service.h"
#include "ui/jobs/guarded.h"
#include "ui/jobs/latest_job.h"
#include "ui/state/text.h"

namespace attnscope {

// Works out one thing about each column, one column after the other on a thread of its own, and keeps what
// was found by its key. GUI thread only.
template <class Value>
class ColumnQueue {
 public:
  struct Question {
    QString key;  // empty: nothing to ask
    ExplorationPtr exploration;
    std::function<Result<Value>(const JobContext&)> work;
  };
  struct Answer {
    ExplorationPtr exploration;  // what it is about
    Value value{};
    QString why;  // a sentence where there is no value
  };

  ColumnQueue(QObject* receiver, int kept) : m_job(&m_pool, receiver) {
    m_pool.setMaxThreadCount(1);
    m_known.setMaxCost(kept);
  }
  ~ColumnQueue() { shutDown(); }

  // Starts the first question that is not answered yet, unless it or another of them is being worked on.
  // `answered` is called after each answer and may ask again.
  void ask(std::vector<Question> questions, std::function<void()> answered) {
    for (const Question& question : questions)
      if (m_job.isRunning() && !m_running.isEmpty() && question.key == m_running) return;
    cancel();
    for (Question& question : questions) {
      if (question.key.isEmpty() || m_known.contains(question.key)) continue;
      m_running = question.key;
      m_job.start([work = std::move(question.work)](
                      const JobContext& job) { return guarded([&] { return work(job); }); },
                  [this, key = question.key, exploration = question.exploration,
                   answered](const Result<Value>& result) {
                    m_running.clear();
                    auto answer = std::make_unique<Answer>();
                    answer->exploration = exploration;
                    if (result)
                      answer->value = *result;
                    else
                      answer->why = toQ(result.error().message);
                    m_known.insert(key, answer.release());
                    answered();
                  });
      return;
    }
  }

  [[nodiscard]] const Answer* known(const QString& key) const {
    return key.isEmpty() ? nullptr : m_known.object(key);
  }
  [[nodiscard]] bool isRunning() const { return m_job.isRunning(); }
  void cancel() {
    m_job.cancel();
    m_running.clear();
  }
  void shutDown() {  // cancels and waits; nothing is delivered afterwards
    m_job.cancel();
    m_pool.waitForDone();
  }

 private:
  QThreadPool m_pool;
  LatestJob m_job;
  QString m_running;
  QCache<QString, Answer> m_known;
};

}  // namespace attnscope
