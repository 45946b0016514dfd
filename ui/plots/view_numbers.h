// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <memory>

#include "core/base/job_context.h"
#include "core/raster/coverage.h"
#include "ui/plots/number_source.h"

namespace attnscope {

struct NumberRequest {
  NumberSource source;
  CellWindow tokens;
  CellWindow slotWindow;  // columns count from the first slot
  EffectiveMatrix::Reduce reduce = EffectiveMatrix::Reduce::Max;
};

// The answer, which carries what was asked: a late picture is drawn where it belongs. Never changed after it
// is made.
struct ViewNumbers {
  CellWindow tokens;
  CellWindow slotWindow;
  Coverage tokenCoverage;
  Coverage slotCoverage;
  Tensor weights;
  bool complete = false;  // false: a coarse first answer
  QString coarse;         // what a coarse one is made from: "1 of 1,024 rows"
  QString error;          // a sentence; empty if all went well
};
using ViewNumbersPtr = std::shared_ptr<const ViewNumbers>;

// Computes on the calling thread, exact and without tiles; null if cancelled.
[[nodiscard]] ViewNumbersPtr computeNumbers(const NumberRequest& request, const JobContext& job);

// Numbers for one square, on a worker thread, by tiles that are kept (numberTiles()): a coarse answer at once
// where the exact one takes a while, tile after tile, then the exact picture. A new request takes the place
// of the one before it, whose answers are never delivered; a row of tiles that the new one needs as well is
// finished, other work is cancelled. One core is left to the window. Lives in the GUI thread, never waits.
class NumberMaker final : public QObject {
  Q_OBJECT

 public:
  explicit NumberMaker(QObject* parent = nullptr);
  ~NumberMaker() override;

  void request(const NumberRequest& request);
  void cancel();
  [[nodiscard]] bool isRunning() const { return m_running; }
  // Requests so far: tests prove with it that colours never recompute numbers.
  [[nodiscard]] int requestCount() const { return m_requests; }

  struct Shared;  // with the worker

 signals:
  void ready(const attnscope::ViewNumbersPtr& numbers);
  void tilesArrived();  // more of the current picture is in numberTiles()

 private:
  void deliver(quint64 ticket, const ViewNumbersPtr& numbers);

  std::shared_ptr<Shared> m_shared;
  bool m_running = false;
  int m_requests = 0;
};

}  // namespace attnscope
