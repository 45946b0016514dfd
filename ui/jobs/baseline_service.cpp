// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/baseline_service.h"

#include "ui/state/text.h"

namespace attnscope {

BaselineService::BaselineService(const Document* document, const ComputeService* service,
                                 std::shared_ptr<FullAttention> fulls, QObject* parent)
    : QObject(parent), m_document(document), m_service(service), m_fulls(std::move(fulls)) {
  m_pool.setMaxThreadCount(1);
  connect(service, &ComputeService::columnUpdated, this, &BaselineService::next);
  connect(service, &ComputeService::failuresForgotten, this, [this] {
    m_failed.reset();
    next();
  });
  connect(document, &Document::viewsChanged, this, &BaselineService::next);
}

BaselineService::~BaselineService() {
  shutDown();
}

void BaselineService::shutDown() {
  m_job.cancel();
  m_pool.waitForDone();
}

void BaselineService::setWanted(bool wanted) {
  if (wanted == m_wanted) return;
  m_wanted = wanted;
  if (wanted)
    next();
  else
    m_job.cancel();
}

BaselineResult BaselineService::pinned(int baseline, int column) const {
  BaselineResult result;
  result.name = tr("column %1").arg(columnLetter(baseline));
  result.shortName = columnLetter(baseline);
  if (baseline == column) {
    result.isBaseline = true;
    result.why = tr("This column is the baseline. The others show what they differ from it.");
    return result;
  }
  const ColumnResult& other = m_service->column(baseline);
  result.busy = other.busy;
  const ExplorationPtr& own = m_service->column(column).exploration;
  if ((own && !own->hasPass()) || (other.exploration && !other.exploration->hasPass()))
    result.why = tr("A difference needs the maps of both columns: compute them first.");
  else if (other.exploration && own && other.exploration->input.digest == own->input.digest)
    result.exploration = other.exploration;
  else if (!other.error.isEmpty())
    result.why = tr("The baseline, column %1, could not be computed.").arg(columnLetter(baseline));
  return result;
}

BaselineResult BaselineService::of(int column) const {
  BaselineResult result = found(column);
  if (!result.exploration || result.exploration->hasPass()) return result;
  result.exploration = nullptr;
  result.why = tr("The baseline, %1, has no map yet. Compute it first.").arg(result.name);
  return result;
}

BaselineResult BaselineService::found(int column) const {
  if (const int baseline = baselineColumn(m_document->state()); baseline >= 0)
    return pinned(baseline, column);
  BaselineResult result;
  result.name = tr("full attention");
  result.shortName = tr("full");
  const ExplorationPtr& own = m_service->column(column).exploration;
  if (!own) return result;
  if (!own->hasPass()) {
    result.why = tr("A difference needs the map of this column: compute it first.");
    return result;
  }
  if (isFullFor(*own, *own)) {
    result.isBaseline = true;
    result.why = tr("This is full attention itself, which the others are compared with.");
  } else if (ExplorationPtr full = m_fulls->known(*own)) {
    result.exploration = std::move(full);
  } else if (!isFullAffordable(*own)) {
    result.why =
        tr("Full attention on this input takes too long for a view. Pin a column as the baseline instead.");
  } else if (m_failed == fullKey(*own)) {
    result.why = m_failure;
  } else {
    result.busy = m_wanted;
  }
  return result;
}

bool BaselineService::isAsked(const FullKey& key) const {
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (const ExplorationPtr& own = m_service->column(i).exploration; own && fullKey(*own) == key)
      return true;
  return false;
}

void BaselineService::next() {
  if (!m_wanted) return;
  if (m_failed && !isAsked(*m_failed)) m_failed.reset();
  for (int i = 0; i < m_document->columnCount(); ++i) Q_EMIT updated(i);
  ExplorationPtr missing;
  for (int i = 0; i < m_document->columnCount() && !missing; ++i)
    if (const BaselineResult result = of(i); result.busy && baselineColumn(m_document->state()) < 0)
      missing = m_service->column(i).exploration;
  if (!missing) return m_job.cancel();
  const FullKey key = fullKey(*missing);
  if (m_job.isRunning() && m_asked == key) return;
  m_asked = key;
  m_job.start([missing](const JobContext& job) { return FullAttention::make(*missing, job); },
              [this, key](const Result<ExplorationPtr>& result) {
                if (result) {
                  m_fulls->remember(*result);
                } else {
                  m_failed = key;
                  m_failure = toQ(result.error().message);
                }
                next();
              });
}

}  // namespace attnscope
