// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/jobs/row_reader.h"

#include <algorithm>
#include <cmath>

#include "ui/jobs/guarded.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

using Weights = std::shared_ptr<const std::vector<float>>;

Result<Weights> readBlock(const Exploration& exploration, Index head, Index query, Index queries, Index key,
                          Index keys, const JobContext& job) {
  ATTN_ASSIGN(block, exploration.matrix->block(head, query, queries, key, keys, job));
  const auto values = std::as_const(block).values<float>();
  return std::make_shared<const std::vector<float>>(values.begin(), values.end());
}

// A pattern knows which pairs may be read without a pass.
ColumnReading readPattern(const Exploration& exploration, const RowReading& request) {
  ColumnReading reading;
  const Plan& plan = exploration.call.plan->plan();
  if (request.key < 0 || request.query >= plan.shape.nQ || request.key >= plan.shape.nK ||
      request.head >= plan.shape.heads)
    return reading;
  reading.patternOnly = true;
  reading.reason = exploration.reason(request.head, request.query, request.key);
  // Whether a slot that the query reads is made of this key is known after the pass.
  reading.throughSlots = !reading.reason.read && plan.slotCount > 0;
  return reading;
}

Result<ColumnReading> readColumn(const RowReading& request, std::size_t at, const RowReading& last,
                                 const JobContext& job) {
  ColumnReading reading;
  const auto& exploration = request.explorations[at];
  if (!exploration || request.query < 0) return reading;
  if (!exploration->hasPass()) return readPattern(*exploration, request);
  const EffectiveMatrix& matrix = *exploration->matrix;
  if (request.query >= matrix.rows() || request.key >= matrix.cols() || request.head >= matrix.heads())
    return reading;
  const bool known =
      at < last.columns.size() && last.explorations[at] == exploration && last.head == request.head;
  const bool sameQuery = known && last.query == request.query;
  if (sameQuery && last.columns[at].row) {
    reading.row = last.columns[at].row;
  } else {
    ATTN_ASSIGN(row, readBlock(*exploration, request.head, request.query, 1, 0, matrix.cols(), job));
    reading.row = std::move(row);
  }
  reading.available = true;
  if (request.key < 0) return reading;
  if (request.alongQueries) {
    if (known && last.key == request.key && last.columns[at].queries) {
      reading.queries = last.columns[at].queries;
    } else {
      ATTN_ASSIGN(queries, readBlock(*exploration, request.head, 0, matrix.rows(), request.key, 1, job));
      reading.queries = std::move(queries);
    }
  }
  reading.weight = (*reading.row)[static_cast<std::size_t>(request.key)];
  reading.reason = exploration->reason(request.head, request.query, request.key);
  reading.rank = reading.weight != 0.0 ? rankOf(*reading.row, request.key) : 0;
  return reading;
}

ColumnReading failedReading(const Error& error) {
  ColumnReading reading;
  reading.error = toQ(error.message);
  return reading;
}

}  // namespace

Index rankOf(const std::vector<float>& weights, Index key) {
  const float own = std::abs(weights[static_cast<std::size_t>(key)]);
  return 1 + std::count_if(weights.begin(), weights.end(), [own](float w) { return std::abs(w) > own; });
}

RowReader::RowReader(QObject* parent) : QObject(parent) {
  m_pool.setMaxThreadCount(1);
}

RowReader::~RowReader() {
  m_job.cancel();
  m_pool.waitForDone();
}

void RowReader::ask(std::vector<std::shared_ptr<const Exploration>> explorations, Index head, Index query,
                    Index key, bool alongQueries) {
  const auto request = std::make_shared<RowReading>();
  request->alongQueries = alongQueries;
  request->query = query;
  request->key = key;
  request->head = head;
  request->explorations = std::move(explorations);
  m_job.start(
      [request, last = m_reading](const JobContext& job) -> Result<RowReading> {
        RowReading reading = *request;
        for (std::size_t i = 0; i < request->explorations.size(); ++i) {
          auto column = guarded([&] { return readColumn(*request, i, last, job); });  // one fails alone
          reading.columns.push_back(column ? std::move(*column) : failedReading(column.error()));
        }
        return reading;
      },
      [this, request](Result<RowReading> reading) {
        if (!reading) {
          m_reading = *request;
          m_reading.columns.assign(request->explorations.size(), failedReading(reading.error()));
        } else {
          m_reading = std::move(*reading);
        }
        Q_EMIT readingChanged();
      });
}

void RowReader::clear() {
  m_job.cancel();
  m_reading = {};
  Q_EMIT readingChanged();
}

}  // namespace attnscope
