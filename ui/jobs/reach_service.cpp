// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/reach_service.h"

#include <algorithm>

#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

constexpr int kKeptReaches = 16;  // up to 16 MB each

}  // namespace

ReachService::ReachService(const Document* document, const ComputeService* service, QObject* parent)
    : QObject(parent), m_document(document), m_service(service) {
  m_pool.setMaxThreadCount(1);
  m_known.setMaxCost(kKeptReaches);
  connect(service, &ComputeService::columnUpdated, this, &ReachService::next);
  connect(document, &Document::reachChanged, this, &ReachService::next);
}

ReachService::~ReachService() {
  shutDown();
}

void ReachService::shutDown() {
  m_job.cancel();
  m_pool.waitForDone();
}

void ReachService::setWanted(bool wanted) {
  m_wanted = wanted;
  if (wanted) {
    next();
  } else {
    m_job.cancel();
    m_running.clear();
  }
}

QString ReachService::keyOf(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.isCurrent()) return {};
  return QStringLiteral("%1#%2").arg(result.shown).arg(m_document->state().reachLayers);
}

void ReachService::next() {
  if (!m_wanted) return;
  QStringList asked;
  for (int i = 0; i < m_document->columnCount(); ++i) asked << keyOf(i);
  if (m_job.isRunning() && asked.contains(m_running)) return;
  m_job.cancel();
  m_running.clear();
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const QString key = asked[i];
    if (key.isEmpty() || m_known.contains(key)) continue;
    m_running = key;
    const ExplorationPtr exploration = m_service->column(i).exploration;
    const Index layers = m_document->state().reachLayers;
    m_job.start(
        [exploration, layers](const JobContext& job) {
          return guarded([&] { return reachOverLayers(*exploration->call.plan, layers, std::nullopt, job); });
        },
        [this, key, exploration](const Result<std::shared_ptr<const Reach>>& result) {
          arrived(key, exploration, result);
        });
    break;
  }
  for (int i = 0; i < m_document->columnCount(); ++i) Q_EMIT updated(i);
}

void ReachService::arrived(const QString& key, const ExplorationPtr& exploration,
                           const Result<std::shared_ptr<const Reach>>& result) {
  m_running.clear();
  auto entry = std::make_unique<ReachResult>();
  entry->exploration = exploration;
  if (result)
    entry->reach = *result;
  else
    entry->why = toQ(result.error().message);
  m_known.insert(key, entry.release());
  next();
}

ReachResult ReachService::of(int column) const {
  const QString key = keyOf(column);
  if (const ReachResult* known = key.isEmpty() ? nullptr : m_known.object(key)) return *known;
  ReachResult result;
  result.busy = m_wanted;
  return result;
}

}  // namespace attnscope
