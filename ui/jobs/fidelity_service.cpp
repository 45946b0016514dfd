// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/fidelity_service.h"

#include <algorithm>

#include "kernels/backend_registry.h"
#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

constexpr double kMostPairs = 268435456.0;  // 2^28: seconds on a few cores
constexpr Index kRecallOf = 8;              // what the heading of the table says
constexpr int kKeptComparisons = 1024;

bool isTooLong(const Exploration& exploration) {
  const Shape shape = exploration.input.shape();
  return static_cast<double>(shape.nQ) * static_cast<double>(shape.nK) * static_cast<double>(shape.heads) >
         kMostPairs;
}

// Whether `candidate` is what fullFor(other.call) would give on the same input: no scale of its own.
bool isFullFor(const Exploration& candidate, const Exploration& other) {
  return candidate.call.spec.id == fullFor(other.call).id &&
         candidate.call.options.causal == other.call.options.causal && !candidate.call.options.scale &&
         candidate.input.digest == other.input.digest;
}

}  // namespace

FidelityService::FidelityService(const Document* document, const ComputeService* service, QObject* parent)
    : QObject(parent), m_document(document), m_service(service) {
  m_pool.setMaxThreadCount(1);
  m_known.setMaxCost(kKeptComparisons);
  connect(service, &ComputeService::activityChanged, this, &FidelityService::giveWay);
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

void FidelityService::giveWay() {
  if (!m_job.isRunning()) return;
  bool shown = false;
  for (int i = 0; i < m_document->columnCount(); ++i)
    shown = shown || m_service->column(i).shown == m_running;
  if (!shown || !m_service->isIdle()) cancel();
}

void FidelityService::begin() {
  if (m_job.isRunning() || !m_service->isIdle()) return;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ColumnResult& column = m_service->column(i);
    if (!column.exploration || m_known.contains(column.shown) || isTooLong(*column.exploration)) continue;
    start(column.shown, column.exploration);
    return;
  }
}

ExplorationPtr FidelityService::knownFull(const Exploration& other) const {
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ExplorationPtr& shown = m_service->column(i).exploration;
    if (shown && isFullFor(*shown, other)) return shown;
  }
  const ExplorationPtr& kept = m_fulls[other.call.options.causal ? 1 : 0];
  return kept && isFullFor(*kept, other) ? kept : nullptr;
}

Result<FidelityService::Comparison> FidelityService::compare(const ExplorationPtr& other,
                                                             const ExplorationPtr& knownFull,
                                                             const JobContext& job) {
  return guarded([&]() -> Result<Comparison> {
    ExplorationPtr full = knownFull;
    if (!full) {
      ATTN_ASSIGN(backend, findBackend("auto"));
      ATTN_ASSIGN(made, explore(fullFor(other->call), other->input, *backend, {}, {}, job));
      full = std::move(made);
    }
    ATTN_ASSIGN(fidelity, compareWithFull(*full, *other, kRecallOf, job));
    return Comparison{full, fidelity};
  });
}

void FidelityService::start(const QString& key, const ExplorationPtr& exploration) {
  m_running = key;
  m_job.start([exploration, full = knownFull(*exploration)](
                  const JobContext& job) { return compare(exploration, full, job); },
              [this, key](const Result<Comparison>& result) { arrived(key, result); });
}

void FidelityService::arrived(const QString& key, const Result<Comparison>& result) {
  m_running.clear();
  auto entry = std::make_unique<FidelityResult>();
  if (result) {
    entry->fidelity = result->fidelity;
    m_fulls[result->full->call.options.causal ? 1 : 0] = result->full;
  } else {
    entry->why = toQ(result.error().message);
  }
  m_known.insert(key, entry.release());
  for (int i = 0; i < m_document->columnCount(); ++i)
    if (m_service->column(i).shown == key) Q_EMIT updated(i);
  begin();
}

FidelityResult FidelityService::of(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.exploration) return {};
  if (const FidelityResult* known = m_known.object(result.shown)) return *known;
  if (isTooLong(*result.exploration)) return {{}, tr("Too long to compare at once; use attnscope compare.")};
  return {{}, tr("Compared with full attention when the pictures are there.")};
}

}  // namespace attnscope
