// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/view_numbers.h"

#include <QRectF>
#include <QtConcurrent>
#include <algorithm>
#include <cmath>
#include <new>

#include "kernels/difference.h"
#include "kernels/explore.h"

namespace attnscope {

namespace {

constexpr Index kCoarse = 64;  // numbers along an axis of the first answer

CellWindow coarser(CellWindow window) {
  window.outRows = std::min(window.outRows, kCoarse);
  window.outCols = std::min(window.outCols, kCoarse);
  return window;
}

// A first answer is worth its time only if the full one has many more numbers.
bool wantsCoarse(const NumberRequest& request) {
  const auto size = [](const CellWindow& w) { return w.isEmpty() ? 0 : w.outRows * w.outCols; };
  return size(request.tokens) + size(request.slotWindow) > 4 * kCoarse * kCoarse;
}

Status count(const NumberRequest& request, ViewNumbers& numbers, const JobContext& job) {
  const Pattern& support = *request.source.support;
  if (const CellWindow& w = numbers.tokens; !w.isEmpty()) {
    ATTN_ASSIGN(coverage, coverageOf(support, w.row0, w.rows, w.col0, w.cols, w.outRows, w.outCols, job));
    numbers.tokenCoverage = std::move(coverage);
  }
  if (const CellWindow& w = numbers.slotWindow; !w.isEmpty()) {
    const Index first = request.source.tokens + w.col0;
    ATTN_ASSIGN(coverage, coverageOf(support, w.row0, w.rows, first, w.cols, w.outRows, w.outCols, job));
    numbers.slotCoverage = std::move(coverage);
  }
  return {};
}

// Everything but memory is reported by value below here; running out of it while a picture is made must not
// end the program.
template <class Work>
Status guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::Compute,
                "There is not enough memory for this picture. Close other programs or columns.");
  }
}

ViewNumbersPtr answer(const NumberRequest& request, bool coarse, const JobContext& job) {
  auto numbers = std::make_shared<ViewNumbers>();
  numbers->tokens = coarse ? coarser(request.tokens) : request.tokens;
  numbers->slotWindow = coarse ? coarser(request.slotWindow) : request.slotWindow;
  numbers->complete = !coarse;
  const Status status = guarded([&]() -> Status {
    if (request.source.support) ATTN_TRY(count(request, *numbers, job));
    if (!request.source.weights || numbers->tokens.isEmpty()) return {};
    ATTN_ASSIGN(weights, request.source.weights(numbers->tokens, request.reduce, job));
    numbers->weights = std::move(weights);
    return {};
  });
  if (job.isCancelled() || (!status && status.error().kind == ErrorKind::Cancelled)) return nullptr;
  if (!status) numbers->error = QString::fromStdString(status.error().message);
  return numbers;
}

void work(QPromise<ViewNumbersPtr>& promise, const NumberRequest& request, const JobContext& job) {
  if (wantsCoarse(request)) {
    const ViewNumbersPtr first = answer(request, true, job);
    if (!first) return;
    promise.addResult(first);
  }
  if (const ViewNumbersPtr full = answer(request, false, job)) promise.addResult(full);
}

void coverAxis(double begin, double extent, Index cells, Index pixels, Index& first, Index& count,
               Index& out) {
  if (cells < 1 || !(extent > 0.0)) return;
  first = std::clamp<Index>(static_cast<Index>(std::floor(begin + 1e-9)), 0, cells - 1);
  const Index end = std::clamp<Index>(static_cast<Index>(std::ceil(begin + extent - 1e-9)), first + 1, cells);
  count = end - first;
  const double wanted = static_cast<double>(pixels) * static_cast<double>(count) / extent;
  out = std::clamp<Index>(std::llround(wanted), 1, count);
}

}  // namespace

CellWindow cellWindow(const QRectF& viewport, Index rows, Index cols, Index pixelRows, Index pixelCols) {
  CellWindow window;
  coverAxis(viewport.y(), viewport.height(), rows, pixelRows, window.row0, window.rows, window.outRows);
  coverAxis(viewport.x(), viewport.width(), cols, pixelCols, window.col0, window.cols, window.outCols);
  return window;
}

NumberSource supportSource(const Exploration& exploration, Index head) {
  NumberSource source;
  source.support = exploration.call.plan->support(head);
  source.tokens = exploration.call.plan->plan().shape.nK;
  source.slotCount = exploration.call.plan->slotCount();
  return source;
}

NumberSource reachSource(std::shared_ptr<const Reach> reach) {
  NumberSource source;
  source.tokens = reach->n;
  source.support = reachPattern(std::move(reach));
  return source;
}

NumberSource weightSource(std::shared_ptr<const Exploration> exploration, Index head) {
  NumberSource source;
  source.tokens = exploration->call.plan->plan().shape.nK;
  source.weights = [exploration, head](const CellWindow& w, EffectiveMatrix::Reduce reduce,
                                       const JobContext& job) {
    return exploration->matrix->reduced(head, w.row0, w.rows, w.col0, w.cols, w.outRows, w.outCols, reduce,
                                        job);
  };
  return source;
}

NumberSource differenceSource(std::shared_ptr<const Exploration> exploration,
                              std::shared_ptr<const Exploration> baseline, Index head) {
  NumberSource source;
  source.tokens = exploration->call.plan->plan().shape.nK;
  source.weights = [exploration, baseline, head](const CellWindow& w, EffectiveMatrix::Reduce reduce,
                                                 const JobContext& job) {
    return reducedDifference(*exploration->matrix, *baseline->matrix, head, w.row0, w.rows, w.col0, w.cols,
                             w.outRows, w.outCols, reduce, job);
  };
  return source;
}

ViewNumbersPtr computeNumbers(const NumberRequest& request, const JobContext& job) {
  return answer(request, false, job);
}

NumberMaker::NumberMaker(QObject* parent) : QObject(parent) {
  connect(&m_watcher, &QFutureWatcherBase::resultReadyAt, this, &NumberMaker::deliver);
  connect(&m_watcher, &QFutureWatcherBase::finished, this, [this] { m_running = false; });
}

NumberMaker::~NumberMaker() {
  cancel();
}

void NumberMaker::request(const NumberRequest& request) {
  cancel();
  ++m_requests;
  m_job = JobContext();
  m_running = true;
  // setFuture drops the events of the former future: its answers cannot arrive any more.
  m_watcher.setFuture(QtConcurrent::run(
      [request, job = m_job](QPromise<ViewNumbersPtr>& promise) { work(promise, request, job); }));
}

void NumberMaker::cancel() {
  m_job.cancel();
  m_watcher.cancel();
  m_running = false;
}

void NumberMaker::deliver(int index) {
  if (m_job.isCancelled()) return;
  const ViewNumbersPtr numbers = m_watcher.resultAt(index);
  if (!numbers) return;
  if (numbers->complete) m_running = false;
  emit ready(numbers);
}

}  // namespace attnscope
