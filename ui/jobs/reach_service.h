// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>

#include "core/analysis/reach.h"
#include "ui/jobs/column_queue.h"

namespace attnscope {

// Whose reach it is, and the reach. Nothing at all while the column has nothing to follow: it computes,
// failed or was cancelled. Who shows reaches keeps the last picture meanwhile.
using ReachResult = ColumnAnswer<std::shared_ptr<const Reach>>;

// Follows what the wall shows through the layers that the document asks for, one column after the other on a
// thread of its own, as long as somebody wants it. Kept by (input, spec, layers); recompute() tries again
// what failed. GUI thread only.
class ReachService final : public QObject {
  Q_OBJECT

 public:
  ReachService(const Document* document, const ComputeService* service, QObject* parent = nullptr);

  void setWanted(bool wanted);
  void shutDown() { m_queue.shutDown(); }
  [[nodiscard]] ReachResult of(int column) const;
  [[nodiscard]] bool isIdle() const { return !m_queue.isRunning(); }

 Q_SIGNALS:
  void updated(int column);

 private:
  [[nodiscard]] QString keyOf(int column) const;  // empty: nothing to follow
  void next();

  const Document* m_document;
  const ComputeService* m_service;
  bool m_wanted = false;
  ColumnQueue<std::shared_ptr<const Reach>> m_queue;
};

}  // namespace attnscope
