// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/fidelity_service.h"

#include <algorithm>

#include "ui/state/text.h"

namespace attnscope {

namespace {

constexpr Index kRecallOf = 8;  // what the heading of the table says
constexpr int kKeptComparisons = 1024;

}  // namespace

FidelityService::FidelityService(const Document* document, const ComputeService* service,
                                 std::shared_ptr<FullAttention> fulls, QObject* parent)
    : QObject(parent), m_document(document), m_service(service), m_fulls(std::move(fulls)) {
  m_pool.setMaxThreadCount(1);
  m_known.setMaxCost(kKeptComparisons);
  connect(service, &ComputeService::activityChanged, this, &FidelityService::giveWay);
  connect(service, &ComputeService::failuresForgotten, this, [this] { m_failed.clear(); });
}

FidelityService::~FidelityService() {
  shutDown();
}

void FidelityService::shutDown() {
  cancel();
  m_pool.waitForDone();
}

void FidelityService::cancel() {
  m_job.cancel();
  m_running.clear();
}

bool FidelityService::isShown(const QString& key) const {
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (m_service->column(i).shown == key) return true;
  return false;
}

void FidelityService::giveWay() {
  if (!m_job.isRunning()) return;
  if (!isShown(m_running) || !m_service->isIdle()) cancel();
}

void FidelityService::begin() {
  if (m_job.isRunning() || !m_service->isIdle()) return;
  m_failed.removeIf(
      [this](const std::pair<const QString&, QString&>& failure) { return !isShown(failure.first); });
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ColumnResult& column = m_service->column(i);
    if (!column.exploration || !column.exploration->hasPass()) continue;
    if (m_known.contains(column.shown) || m_failed.contains(column.shown)) continue;
    if (!isFullAffordable(*column.exploration)) continue;
    start(column.shown, column.exploration);
    return;
  }
}

Result<FidelityService::Comparison> FidelityService::compare(const ExplorationPtr& other,
                                                             const ExplorationPtr& knownFull,
                                                             const JobContext& job) {
  ExplorationPtr full = knownFull;
  if (!full) {
    ATTN_ASSIGN(made, FullAttention::make(*other, job));
    full = std::move(made);
  }
  ATTN_ASSIGN(fidelity, compareWithFull(*full, *other, kRecallOf, job));
  return Comparison{full, fidelity};
}

void FidelityService::start(const QString& key, const ExplorationPtr& exploration) {
  m_running = key;
  m_job.start([exploration, full = m_fulls->known(*exploration)](
                  const JobContext& job) { return compare(exploration, full, job); },
              [this, key](const Result<Comparison>& result) { arrived(key, result); });
}

void FidelityService::arrived(const QString& key, const Result<Comparison>& result) {
  m_running.clear();
  if (result) {
    m_known.insert(key, new Fidelity(result->fidelity));
    m_fulls->remember(result->full);
  } else {
    m_failed.insert(key, toQ(result.error().message));
  }
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (m_service->column(i).shown == key) Q_EMIT updated(i);
  begin();
}

FidelityResult FidelityService::of(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.exploration) return {};
  if (const Fidelity* known = m_known.object(result.shown)) return {*known, {}};
  if (m_failed.contains(result.shown)) return {{}, m_failed.value(result.shown)};
  if (!isFullAffordable(*result.exploration))
    return {{}, tr("Too long to compare at once; use attnscope compare.")};
  return {{}, tr("Compared with full attention when the pictures are there.")};
}

}  // namespace attnscope
