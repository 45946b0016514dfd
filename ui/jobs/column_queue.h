// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QHash>
#include <QThreadPool>
#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "ui/jobs/compute_service.h"
#include "ui/jobs/latest_job.h"
#include "ui/state/text.h"

namespace attnscope {

// What is known about one thing of a column.
template <class Value>
struct ColumnAnswer {
  ExplorationRef exploration;  // what it is about
  Value value{};               // null: not known
  QString why;                 // a sentence where it is not known and is not being worked out
  bool busy = false;           // it is, or will be
};

// Works out one thing about each column, one column after the other on a thread of its own, and keeps what
// was found by its key; a failure is kept only as long as some column asks the same question. GUI thread
// only.
template <class Value>
class ColumnQueue {
 public:
  struct Question {
    QString key;  // empty: nothing to ask
    ExplorationRef exploration;
    std::function<Result<Value>(const JobContext&)> work;
  };
  using Answer = ColumnAnswer<Value>;

  ColumnQueue(QObject* receiver, int kept) : m_job(&m_pool, receiver) {
    m_pool.setMaxThreadCount(1);
    m_known.setMaxCost(kept);
  }
  ~ColumnQueue() { shutDown(); }

  // Starts the first question that is not answered yet, unless it or another of them is being worked on.
  // `answered` is called after each answer and may ask again.
  void ask(std::vector<Question> questions, std::function<void()> answered) {
    m_failed.removeIf([&](const std::pair<const QString&, Answer&>& failure) {
      return std::none_of(questions.begin(), questions.end(),
                          [&](const Question& question) { return question.key == failure.first; });
    });
    for (const Question& question : questions)
      if (m_job.isRunning() && !m_running.isEmpty() && question.key == m_running) return;
    cancel();
    for (Question& question : questions) {
      if (question.key.isEmpty() || m_known.contains(question.key) || m_failed.contains(question.key))
        continue;
      m_running = question.key;
      m_job.start(std::move(question.work), [this, key = question.key, exploration = question.exploration,
                                             answered](const Result<Value>& result) {
        m_running.clear();
        if (result)
          m_known.insert(key, new Answer{exploration, *result, {}, false});
        else
          m_failed.insert(key, {exploration, {}, toQ(result.error().message), false});
        answered();
      });
      return;
    }
  }

  // Of the question with that key; `wanted`: somebody asks or will ask it.
  [[nodiscard]] Answer answer(const QString& key, bool wanted) const {
    if (key.isEmpty()) return {};
    if (const Answer* known = m_known.object(key)) return *known;
    if (const auto failure = m_failed.constFind(key); failure != m_failed.constEnd()) return *failure;
    return {{}, {}, {}, wanted};
  }
  void forgetFailures() { m_failed.clear(); }
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
  QHash<QString, Answer> m_failed;
};

}  // namespace attnscope
