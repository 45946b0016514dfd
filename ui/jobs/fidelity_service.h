// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCache>
#include <QHash>
#include <QObject>
#include <QThreadPool>
#include <optional>

#include "kernels/fidelity.h"
#include "ui/jobs/full_attention.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// What is known about the loss of a column.
struct FidelityResult {
  std::optional<Fidelity> fidelity;
  QString why;  // a sentence where there is none
};

// Compares what the wall shows with full attention, one column after the other on a thread of its own. It
// waits for begin() and gives way as soon as the compute service has work again, so that pictures never wait
// for it. Finished comparisons are kept by (input, spec), failures as long as a column shows what could not
// be compared, or until recompute(). GUI thread only.
class FidelityService final : public QObject {
  Q_OBJECT

 public:
  // Others may share `fulls`.
  FidelityService(const Document* document, const ComputeService* service,
                  std::shared_ptr<FullAttention> fulls, QObject* parent = nullptr);
  ~FidelityService() override;

  void begin();     // the pictures are there: compares what is shown and not known yet
  void cancel();    // until the next begin()
  void shutDown();  // cancels and waits; nothing is delivered afterwards

  [[nodiscard]] FidelityResult of(int column) const;  // of the exploration that the column shows
  [[nodiscard]] bool isIdle() const { return !m_job.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  struct Comparison {
    ExplorationPtr full;
    Fidelity fidelity;
  };

  [[nodiscard]] static Result<Comparison> compare(const ExplorationPtr& other,
                                                  const ExplorationPtr& knownFull, const JobContext& job);
  void giveWay();
  [[nodiscard]] bool isShown(const QString& key) const;
  void start(const QString& key, const ExplorationPtr& exploration);
  void arrived(const QString& key, const Result<Comparison>& result);

  const Document* m_document;
  const ComputeService* m_service;
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  QString m_running;  // key of what is being compared
  std::shared_ptr<FullAttention> m_fulls;
  QCache<QString, Fidelity> m_known;
  QHash<QString, QString> m_failed;  // and why
};

}  // namespace attnscope
