// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/reach_service.h"

namespace attnscope {

namespace {

constexpr int kKeptReaches = 16;  // up to 16 MB each

}  // namespace

ReachService::ReachService(const Document* document, const ComputeService* service, QObject* parent)
    : QObject(parent), m_document(document), m_service(service), m_queue(this, kKeptReaches) {
  connect(service, &ComputeService::columnUpdated, this, &ReachService::next);
  connect(service, &ComputeService::failuresForgotten, this, [this] {
    m_queue.forgetFailures();
    next();
  });
  connect(document, &Document::reachChanged, this, &ReachService::next);
}

void ReachService::setWanted(bool wanted) {
  m_wanted = wanted;
  if (wanted)
    next();
  else
    m_queue.cancel();
}

QString ReachService::keyOf(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.isCurrent()) return {};
  return QStringLiteral("%1#%2").arg(result.shown).arg(m_document->state().reachLayers);
}

void ReachService::next() {
  if (!m_wanted) return;
  std::vector<ColumnQueue<std::shared_ptr<const Reach>>::Question> questions;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ExplorationRef exploration = m_service->column(i).exploration;
    questions.push_back({keyOf(i), exploration,
                         [exploration, layers = m_document->state().reachLayers](const JobContext& job) {
                           return reachOverLayers(*exploration->call.plan, layers, std::nullopt, job);
                         }});
  }
  m_queue.ask(std::move(questions), [this] { next(); });
  for (int i = 0; i < m_document->columnCount(); ++i) Q_EMIT updated(i);
}

ReachResult ReachService::of(int column) const {
  return m_queue.answer(keyOf(column), m_wanted);
}

}  // namespace attnscope
