// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <QThreadPool>
#include <memory>
#include <vector>

#include "kernels/explore.h"
#include "ui/jobs/latest_job.h"

namespace attnscope {

// What one mechanism says about one query: its whole row of weights, and why it reads one key.
struct ColumnReading {
  bool available = false;     // false: nothing computed, another shape, or an error
  QString error;              // why it could not be read; empty: it could
  bool patternOnly = false;   // no pass has run: the reason is known, weights are not
  bool throughSlots = false;  // of these: not read itself, but perhaps a part of a slot that is
  std::shared_ptr<const std::vector<float>> row;      // n_k weights
  std::shared_ptr<const std::vector<float>> queries;  // n_q weights of the key, where they were asked for
  double weight = 0.0;
  Index rank = 0;  // 1: no key has a larger weight; 0: not read
  Exploration::PairReason reason;
};

struct RowReading {
  Index query = -1;
  Index key = -1;  // -1: only the row
  Index head = 0;
  bool alongQueries = false;  // read the key's weights in all queries as well
  std::vector<std::shared_ptr<const Exploration>> explorations;
  std::vector<ColumnReading> columns;
};

// Place of weights[key] among all weights, by size; ties share the best place.
[[nodiscard]] Index rankOf(const std::vector<float>& weights, Index key);

// Reads rows and columns for the inspector off the GUI thread; the newest question wins. A row that was just
// read is not read again when only the key moves.
class RowReader final : public QObject {
  Q_OBJECT

 public:
  explicit RowReader(QObject* parent = nullptr);
  ~RowReader() override;

  void ask(std::vector<std::shared_ptr<const Exploration>> explorations, Index head, Index query, Index key,
           bool alongQueries = false);
  void clear();
  [[nodiscard]] const RowReading& reading() const { return m_reading; }
  [[nodiscard]] bool isIdle() const { return !m_job.isRunning(); }

 Q_SIGNALS:
  void readingChanged();

 private:
  QThreadPool m_pool;
  LatestJob m_job{&m_pool, this};
  RowReading m_reading;
};

}  // namespace attnscope
