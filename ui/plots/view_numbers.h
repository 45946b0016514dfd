// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFutureWatcher>
#include <QObject>
#include <functional>
#include <memory>

#include "core/analysis/reach.h"
#include "core/base/job_context.h"
#include "core/raster/coverage.h"
#include "kernels/effective.h"

namespace attnscope {

struct Exploration;

// Whole cells, rows from row0 and columns from col0, shown with outRows x outCols numbers.
struct CellWindow {
  Index row0 = 0;
  Index rows = 0;
  Index col0 = 0;
  Index cols = 0;
  Index outRows = 0;
  Index outCols = 0;

  [[nodiscard]] bool isEmpty() const { return rows < 1 || cols < 1 || outRows < 1 || outCols < 1; }
  [[nodiscard]] QRectF rect() const {
    return {static_cast<double>(col0), static_cast<double>(row0), static_cast<double>(cols),
            static_cast<double>(rows)};
  }
  friend bool operator==(const CellWindow&, const CellWindow&) = default;
};

// The whole cells that cover a viewport, with one number a cell or one a pixel, whichever is fewer.
[[nodiscard]] CellWindow cellWindow(const QRectF& viewport, Index rows, Index cols, Index pixelRows,
                                    Index pixelCols);

// What a square can be asked for. Both functions may be called from any thread.
struct NumberSource {
  using Weights =
      std::function<Result<Tensor>(const CellWindow&, EffectiveMatrix::Reduce, const JobContext&)>;
  PatternPtr support;  // columns [tokens | slots]; null: do not count
  Index tokens = 0;
  Index slotCount = 0;
  Weights weights;  // null: no weights wanted
};
[[nodiscard]] NumberSource supportSource(const Exploration& exploration, Index head);
[[nodiscard]] NumberSource reachSource(std::shared_ptr<const Reach> reach);
[[nodiscard]] NumberSource weightSource(std::shared_ptr<const Exploration> exploration, Index head);
// The map less that of a baseline on the same input.
[[nodiscard]] NumberSource differenceSource(std::shared_ptr<const Exploration> exploration,
                                            std::shared_ptr<const Exploration> baseline, Index head);

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
  QString error;          // a sentence; empty if all went well
};
using ViewNumbersPtr = std::shared_ptr<const ViewNumbers>;

// Computes on the calling thread; null if cancelled.
[[nodiscard]] ViewNumbersPtr computeNumbers(const NumberRequest& request, const JobContext& job);

// Numbers for one square, on a worker thread: a coarse answer first, then the full one. A new request cancels
// the one before it, whose answers are never delivered. Lives in the GUI thread and never waits.
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

 signals:
  void ready(const attnscope::ViewNumbersPtr& numbers);

 private:
  void deliver(int index);

  QFutureWatcher<ViewNumbersPtr> m_watcher;
  JobContext m_job;
  bool m_running = false;
  int m_requests = 0;
};

}  // namespace attnscope
