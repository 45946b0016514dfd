// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QThreadPool>
#include <optional>

#include "ui/jobs/full_attention.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// What a column is held against.
struct BaselineResult {
  ExplorationPtr exploration;  // null: none yet, or never
  bool isBaseline = false;     // never, since the column is what the others are held against
  QString name;                // "full attention", "column A"
  QString shortName;           // "full", "A"
  QString why;                 // a sentence where there is none and none will come
  bool busy = false;
};

// The pinned column, or full attention on the same input with the same mask, which is computed on a thread of
// its own if it stands nowhere on the wall, as long as somebody wants it; recompute() tries again what
// failed. GUI thread only.
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
  [[nodiscard]] bool isAsked(const FullKey& key) const;
  [[nodiscard]] BaselineResult pinned(int baseline, int column) const;
  [[nodiscard]] BaselineResult found(int column) const;

  const Document* m_document;
  const ComputeService* m_service;
  std::shared_ptr<FullAttention> m_fulls;
  bool m_wanted = false;
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  FullKey m_asked;                  // for which full attention is being computed
  std::optional<FullKey> m_failed;  // for which it failed, while a column still asks for it,
  QString m_failure;                // with this sentence
};

}  // namespace attnscope
