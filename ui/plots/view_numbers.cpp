// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/view_numbers.h"

#include <QThreadPool>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "core/base/digest.h"
#include "kernels/difference.h"
#include "kernels/explore.h"
#include "kernels/reordered_matrix.h"
#include "ui/jobs/guarded.h"
#include "ui/plots/number_maker.h"

namespace attnscope {

namespace {

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

Index representativeHead(const FrozenPlan& plan, Index head) {
  Index like = 0;
  while (like < head && !plan.sameSupport(like, head)) ++like;
  return like;
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
  source.id = exploration.id;
  source.head = representativeHead(*exploration.call.plan, head);
  return source;
}

NumberSource reachSource(std::shared_ptr<const Reach> reach) {
  static std::atomic<std::uint64_t> last{std::uint64_t{1} << 63U};  // beyond the ids of explorations
  NumberSource source;
  source.tokens = reach->n;
  source.support = reachPattern(std::move(reach));
  source.id = ++last;
  return source;
}

NumberSource weightSource(std::shared_ptr<const Exploration> exploration, Index head) {
  NumberSource source;
  source.tokens = exploration->call.plan->plan().shape.nK;
  source.id = exploration->id;
  source.head = head;
  source.matrix = exploration->matrix;
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
  Digest id;
  id.add("difference");
  id.add(exploration->id);
  id.add(baseline->id);
  source.id = id.value();
  source.head = head;
  source.matrix = exploration->matrix;
  source.baseline = baseline->matrix;
  source.weights = [exploration, baseline, head](const CellWindow& w, EffectiveMatrix::Reduce reduce,
                                                 const JobContext& job) {
    return reducedDifference(*exploration->matrix, *baseline->matrix, head, w.row0, w.rows, w.col0, w.cols,
                             w.outRows, w.outCols, reduce, job);
  };
  return source;
}

NumberSource withoutLabels(NumberSource source, const std::vector<bool>& hidden) {
  if (!source.support || std::find(hidden.begin(), hidden.end(), true) == hidden.end()) return source;
  source.support = withoutLabels(source.support, hidden);
  Digest id;
  id.add("without labels");
  id.add(source.id);
  for (const bool one : hidden) id.add(std::uint64_t{one});
  source.id = id.value();
  return source;
}

NumberSource inOrder(NumberSource source, std::shared_ptr<const TokenOrder> order) {
  if (source.support) {
    source.support = reordered(source.support, *order);
    Digest id;
    id.add("in order");
    id.add(source.id);
    for (const auto* side : {&order->queries, &order->keys})
      id.addBytes(side->data(), side->size() * sizeof(std::int32_t));
    source.id = id.value();
  }
  if (!source.weights) return source;
  source.matrix = nullptr;
  source.baseline = nullptr;
  source.id = 0;
  source.weights = [cells = source.weights, order](const CellWindow& w, EffectiveMatrix::Reduce reduce,
                                                   const JobContext& job) {
    const auto read = [&](Index row0, Index rows) {
      const auto keys = std::ssize(order->keys);
      return cells({row0, rows, 0, keys, rows, keys}, EffectiveMatrix::Reduce::Max, job);
    };
    return reducedInOrder(read, *order, w.row0, w.rows, w.col0, w.cols, w.outRows, w.outCols, reduce);
  };
  return source;
}

ViewNumbersPtr computeNumbers(const NumberRequest& request, const JobContext& job) {
  auto numbers = std::make_shared<ViewNumbers>();
  numbers->tokens = request.tokens;
  numbers->slotWindow = request.slotWindow;
  numbers->complete = true;
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

NumberMaker::NumberMaker(QObject* parent) : QObject(parent), m_shared(std::make_shared<Shared>()) {
  m_shared->answer = [this](quint64 ticket, const ViewNumbersPtr& numbers) {
    QMetaObject::invokeMethod(
        this, [this, ticket, numbers] { deliver(ticket, numbers); }, Qt::QueuedConnection);
  };
}

NumberMaker::~NumberMaker() {
  cancel();
  const std::lock_guard lock(m_shared->mutex);
  m_shared->answer = nullptr;
}

void NumberMaker::request(const NumberRequest& request) {
  ++m_requests;
  m_running = true;
  if (!m_shared->replace(request)) return;  // the worker that is busy goes on with it
  QThreadPool::globalInstance()->start([shared = m_shared] { makeNumbers(*shared); });
}

void NumberMaker::cancel() {
  m_shared->stop();
  m_running = false;
}

void NumberMaker::deliver(quint64 ticket, const ViewNumbersPtr& numbers) {
  if (!m_shared->isCurrent(ticket)) return;
  if (!numbers) {
    emit tilesArrived();
    return;
  }
  if (numbers->complete) m_running = false;
  emit ready(numbers);
}

}  // namespace attnscope
