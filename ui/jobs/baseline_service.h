// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThreadPool>

#include "ui/jobs/full_attention.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// What a column is held against.
struct BaselineResult {
  ExplorationPtr exploration;  // null: none yet, or never
  QString name;                // "full attention", "column A"
  QString shortName;           // "full", "A"
  QString why;                 // a sentence where there is none and none will come
  bool busy = false;
};

// The pinned column, or full attention on the same input with the same mask, which is computed on a thread of
// its own if it stands nowhere on the wall, as long as somebody wants it. GUI thread only.
class BaselineService final : public QObject {
  Q_OBJECT

 public:
  // Others may share `fulls`.
  BaselineService(const Document* document, const ComputeService* service,
                  std::shared_ptr<FullAttention> fulls, QObject* parent = nullptr);
  ~BaselineService() override;

  void setWanted(bool wanted);
  void shutDown();  // cancels and waits; nothing is delivered afterwards
  [[nodiscard]] BaselineResult of(int column) const;
  [[nodiscard]] bool isIdle() const { return !m_job.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  void next();
  [[nodiscard]] BaselineResult pinned(int baseline, int column) const;
  [[nodiscard]] BaselineResult found(int column) const;

  const Document* m_document;
  const ComputeService* m_service;
  std::shared_ptr<FullAttention> m_fulls;
  bool m_wanted = false;
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  QString m_asked;    // input and mask for which full attention is being computed
  QString m_failed;   // and for which it failed last,
  QString m_failure;  // with this sentence
};

}  // namespace attnscope
