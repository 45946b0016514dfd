// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "kernels/marginals.h"
#include "ui/jobs/column_queue.h"

namespace attnscope {

using MarginalsPtr = std::shared_ptr<const Marginals>;

// Adds up the maps of what the wall shows, by key and by query, for the head that is shown, as long as
// somebody wants it. Kept by (input, spec, head). GUI thread only.
class MarginalService final : public QObject {
  Q_OBJECT

 public:
  MarginalService(const Document* document, const ComputeService* service, QObject* parent = nullptr);

  void setWanted(bool wanted);
  void shutDown() { m_queue.shutDown(); }
  [[nodiscard]] MarginalsPtr of(
      int column) const;  // null: not there (yet), or the map is too large to add up
  [[nodiscard]] bool isIdle() const { return !m_queue.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  [[nodiscard]] QString keyOf(int column) const;
  void next();

  const Document* m_document;
  const ComputeService* m_service;
  bool m_wanted = false;
  ColumnQueue<MarginalsPtr> m_queue;
};

}  // namespace attnscope
