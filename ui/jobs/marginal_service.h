// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "kernels/marginals.h"
#include "ui/jobs/column_queue.h"

namespace attnscope {

using MarginalsPtr = std::shared_ptr<const Marginals>;
// Whose sums they are, and the sums; nothing at all while the column has no map.
using MarginalsResult = ColumnAnswer<MarginalsPtr>;

// Adds up the maps of what the wall shows, by key and by query, for the head that is shown, as long as
// somebody wants it. Kept by (input, spec, head); recompute() tries again what failed. GUI thread only.
class MarginalService final : public QObject {
  Q_OBJECT

 public:
  MarginalService(const Document* document, const ComputeService* service, QObject* parent = nullptr);

  void setWanted(bool wanted);
  void shutDown() { m_queue.shutDown(); }
  [[nodiscard]] MarginalsResult of(int column) const;
  [[nodiscard]] bool isIdle() const { return !m_queue.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  [[nodiscard]] QString keyOf(int column) const;  // empty: nothing to add up
  [[nodiscard]] bool isTooLarge(int column) const;
  void next();

  const Document* m_document;
  const ComputeService* m_service;
  bool m_wanted = false;
  ColumnQueue<MarginalsPtr> m_queue;
};

}  // namespace attnscope
