// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/marginal_service.h"

namespace attnscope {

namespace {

constexpr int kKeptMarginals = 64;
constexpr double kMostCells = 268435456.0;  // of one head: 2^28, n = 16,384; a second or two

}  // namespace

MarginalService::MarginalService(const Document* document, const ComputeService* service, QObject* parent)
    : QObject(parent), m_document(document), m_service(service), m_queue(this, kKeptMarginals) {
  connect(service, &ComputeService::columnUpdated, this, &MarginalService::next);
  connect(service, &ComputeService::failuresForgotten, this, [this] {
    m_queue.forgetFailures();
    next();
  });
}

void MarginalService::setWanted(bool wanted) {
  if (wanted == m_wanted) return;
  m_wanted = wanted;
  if (wanted)
    next();
  else
    m_queue.cancel();
}

bool MarginalService::isTooLarge(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.isCurrent() || !result.exploration->matrix) return false;
  const EffectiveMatrix& matrix = *result.exploration->matrix;
  return static_cast<double>(matrix.rows()) * static_cast<double>(matrix.cols()) > kMostCells;
}

QString MarginalService::keyOf(int column) const {
  const ColumnResult& result = m_service->column(column);
  if (!result.isCurrent() || !result.exploration->matrix || isTooLarge(column)) return {};
  return QStringLiteral("%1#%2").arg(result.shown).arg(m_service->head());
}

void MarginalService::next() {
  if (!m_wanted) return;
  std::vector<ColumnQueue<MarginalsPtr>::Question> questions;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ExplorationRef exploration = m_service->column(i).exploration;
    questions.push_back(
        {keyOf(i), exploration,
         [exploration, head = m_service->head()](const JobContext& job) -> Result<MarginalsPtr> {
           ATTN_ASSIGN(marginals, marginalsOf(*exploration->matrix, head, job));
           return std::make_shared<const Marginals>(std::move(marginals));
         }});
  }
  m_queue.ask(std::move(questions), [this] { next(); });
  for (int i = 0; i < m_document->columnCount(); ++i) Q_EMIT updated(i);
}

MarginalsResult MarginalService::of(int column) const {
  MarginalsResult result = m_queue.answer(keyOf(column), m_wanted);
  if (isTooLarge(column)) result.why = tr("not added up: the map has more than 16,384 x 16,384 weights");
  return result;
}

}  // namespace attnscope
