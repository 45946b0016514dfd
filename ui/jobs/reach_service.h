// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QObject>
#include <QThreadPool>

#include "core/analysis/reach.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// What is known about the reach of a column. While another one is computed the last stays.
struct ReachResult {
  ExplorationPtr exploration;  // whose reach it is
  std::shared_ptr<const Reach> reach;
  QString why;  // a sentence where there is none
  bool busy = false;
};

// Follows what the wall shows through the layers that the document asks for, one column after the other on a
// thread of its own, as long as somebody wants it. Kept by (input, spec, layers). GUI thread only.
class ReachService final : public QObject {
  Q_OBJECT

 public:
  ReachService(const Document* document, const ComputeService* service, QObject* parent = nullptr);
  ~ReachService() override;

  void setWanted(bool wanted);
  void shutDown();  // cancels and waits; nothing is delivered afterwards
  [[nodiscard]] ReachResult of(int column) const;
  [[nodiscard]] bool isIdle() const { return !m_job.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  [[nodiscard]] QString keyOf(int column) const;  // empty: nothing to follow
  void next();
  void arrived(const QString& key, const ExplorationPtr& exploration,
               const Result<std::shared_ptr<const Reach>>& result);

  const Document* m_document;
  const ComputeService* m_service;
  bool m_wanted = false;
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  QString m_running;
  QCache<QString, ReachResult> m_known;
};

}  // namespace attnscope
