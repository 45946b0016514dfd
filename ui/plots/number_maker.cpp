// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/number_maker.h"

#include <QLocale>
#include <algorithm>
#include <vector>

#include "core/base/background.h"
#include "ui/jobs/guarded.h"

namespace attnscope {

namespace {

// A window with no more cells than this is computed by itself: quicker than its tiles, which follow.
constexpr Index kFewCells = Index{1} << 14;
// A first look comes first where the exact picture reads more rows than this for each of its pixels...
constexpr int kCoarseLevel = 3;
// ... or, for weights, which cost a product each, more cells than this.
constexpr Index kManyWeights = Index{1} << 22;
constexpr Index kManyMoreWeights = Index{1} << 25;
constexpr Index kFirstRows = 64;

QString rowsRead(Index all, Index read) {
  return QObject::tr("1 of %1 rows")
      .arg(QLocale(QLocale::English).toString(std::max<qlonglong>(1, all / read)));
}

// One request, from a first look to the exact picture.
class Making {
 public:
  Making(NumberMaker::Shared& shared, const NumberRequest& request, quint64 ticket, JobContext quick)
      : m_shared(shared),
        m_request(request),
        m_ticket(ticket),
        m_quick(std::move(quick)),
        m_tokens(request.source, request.tokens, false, request.reduce),
        m_slots(request.source, request.slotWindow, true, request.reduce) {}

  Status run() {
    const NumberSource& source = m_request.source;
    if (source.id == 0 || (source.weights && !source.matrix)) return withoutTiles();
    if (isCached() && composed()) return {};
    if (isSmall())
      ATTN_TRY(direct());
    else if (isLong())
      ATTN_TRY(firstLook());
    ATTN_TRY(tiles(m_tokens));
    ATTN_TRY(tiles(m_slots));
    if (isSmall()) return {};
    return composed() ? Status() : direct();  // more tiles than the cache holds
  }

 private:
  [[nodiscard]] bool isCurrent() const { return m_shared.isCurrent(m_ticket); }
  [[nodiscard]] bool weighs() const { return !m_request.source.support; }
  [[nodiscard]] static Index cells(const CellWindow& w) { return w.isEmpty() ? 0 : w.rows * w.cols; }
  [[nodiscard]] bool isSmall() const {
    return cells(m_request.tokens) + cells(m_request.slotWindow) <= kFewCells;
  }
  [[nodiscard]] bool isLong() const {
    if (mostlyCached()) return false;
    if (weighs()) return cells(m_request.tokens) > kManyWeights;
    return std::max(m_tokens.level().down, m_slots.level().down) >= kCoarseLevel;
  }
  [[nodiscard]] static Index tileCount(const TiledWindow& w) {
    return w.isEmpty() ? 0 : (w.pastRow() - w.firstRow()) * (w.pastCol() - w.firstCol());
  }
  [[nodiscard]] Index cachedTiles() const {
    return (m_tokens.isEmpty() ? 0 : m_tokens.cachedTiles()) +
           (m_slots.isEmpty() ? 0 : m_slots.cachedTiles());
  }
  [[nodiscard]] bool isCached() const { return cachedTiles() == tileCount(m_tokens) + tileCount(m_slots); }
  [[nodiscard]] bool mostlyCached() const {
    return 2 * cachedTiles() >= tileCount(m_tokens) + tileCount(m_slots);
  }

  Status direct() {
    const ViewNumbersPtr numbers = computeNumbers(m_request, m_quick);
    if (!numbers) return cancelled();
    m_shared.post(m_ticket, numbers);
    return {};
  }

  // Few numbers first, each of them exact, where that is much less than all of them.
  Status withoutTiles() {
    const auto fewer = [](CellWindow window) {
      window.outRows = std::min(window.outRows, kFirstRows);
      window.outCols = std::min(window.outCols, kFirstRows);
      return window;
    };
    const auto size = [](const CellWindow& w) { return w.isEmpty() ? 0 : w.outRows * w.outCols; };
    if (size(m_request.tokens) + size(m_request.slotWindow) > 4 * kFirstRows * kFirstRows) {
      NumberRequest few = m_request;
      few.tokens = fewer(few.tokens);
      few.slotWindow = fewer(few.slotWindow);
      const ViewNumbersPtr first = computeNumbers(few, m_quick);
      if (!first) return cancelled();
      auto coarse = std::make_shared<ViewNumbers>(*first);
      coarse->complete = !coarse->error.isEmpty();
      m_shared.post(m_ticket, coarse);
    }
    return direct();
  }

  [[nodiscard]] std::shared_ptr<ViewNumbers> empty() const {
    auto numbers = std::make_shared<ViewNumbers>();
    numbers->tokens = m_request.tokens;
    numbers->slotWindow = m_request.slotWindow;
    return numbers;
  }

  bool composed() {
    const auto numbers = empty();
    numbers->complete = true;
    Tensor none;
    if (!m_tokens.isEmpty() && !m_tokens.compose(numbers->tokenCoverage, numbers->weights)) return false;
    if (!m_slots.isEmpty() && !m_slots.compose(numbers->slotCoverage, none)) return false;
    m_shared.post(m_ticket, numbers);
    return true;
  }

  // Weights begin with few rows, so that there is something after a tenth of a second; counts are cheap.
  Status firstLook() {
    if (!weighs()) return sampled(std::max(m_request.tokens.outRows, m_request.slotWindow.outRows));
    ATTN_TRY(sampled(kFirstRows));
    return cells(m_request.tokens) > kManyMoreWeights ? sampled(m_request.tokens.outRows) : Status();
  }

  Status sampled(Index rows) {
    const auto numbers = empty();
    Tensor none;
    if (!m_tokens.isEmpty())
      ATTN_TRY(m_tokens.sample(rows, numbers->tokens, numbers->tokenCoverage, numbers->weights, m_quick));
    if (!m_slots.isEmpty())
      ATTN_TRY(m_slots.sample(rows, numbers->slotWindow, numbers->slotCoverage, none, m_quick));
    const CellWindow& shown = m_tokens.isEmpty() ? numbers->slotWindow : numbers->tokens;
    numbers->coarse = rowsRead(shown.rows, shown.outRows);
    m_shared.post(m_ticket, numbers);
    return {};
  }

  // Row of tiles by row of tiles, from the middle of the picture outwards.
  Status tiles(const TiledWindow& window) {
    if (window.isEmpty()) return {};
    std::vector<Index> rows;
    for (Index row = window.firstRow(); row < window.pastRow(); ++row)
      if (!window.isRowCached(row)) rows.push_back(row);
    const Index middle = window.firstRow() + window.pastRow() - 1;
    std::stable_sort(rows.begin(), rows.end(), [middle](Index a, Index b) {
      return std::abs(2 * a - middle) < std::abs(2 * b - middle);
    });
    for (const Index row : rows) {
      JobContext job;
      {
        const std::lock_guard lock(m_shared.mutex);
        if (m_shared.ticket != m_ticket) return cancelled();
        m_shared.tiles = job;
        m_shared.alsoNeeds = [&window, row, overSlots = &window == &m_slots](const NumberRequest& next) {
          const TiledWindow other(next.source, overSlots ? next.slotWindow : next.tokens, overSlots,
                                  next.reduce);
          return !other.isEmpty() && other.key(row, 0) == window.key(row, 0) && row >= other.firstRow() &&
                 row < other.pastRow();
        };
      }
      const Finally forget{m_shared};
      ATTN_TRY(window.makeRow(row, job));
      m_shared.post(m_ticket, nullptr);
    }
    return {};
  }

  // What alsoNeeds refers to is gone after its row, whatever way that ends.
  struct Finally {
    NumberMaker::Shared& shared;
    ~Finally() {
      const std::lock_guard lock(shared.mutex);
      shared.alsoNeeds = nullptr;
    }
  };

  NumberMaker::Shared& m_shared;
  const NumberRequest& m_request;
  quint64 m_ticket;
  JobContext m_quick;
  TiledWindow m_tokens;
  TiledWindow m_slots;
};

}  // namespace

bool NumberMaker::Shared::replace(const NumberRequest& request) {
  const std::lock_guard lock(mutex);
  wanted = request;
  ++ticket;
  quick.cancel();
  if (alsoNeeds && !alsoNeeds(request)) tiles.cancel();
  return !std::exchange(busy, true);
}

void NumberMaker::Shared::stop() {
  const std::lock_guard lock(mutex);
  wanted.reset();
  ++ticket;
  quick.cancel();
  tiles.cancel();
}

bool NumberMaker::Shared::isCurrent(quint64 number) {
  const std::lock_guard lock(mutex);
  return ticket == number;
}

void NumberMaker::Shared::post(quint64 number, const ViewNumbersPtr& numbers) {
  const std::lock_guard lock(mutex);
  if (ticket == number && answer) answer(number, numbers);
}

void makeNumbers(NumberMaker::Shared& shared) {
  while (true) {
    NumberRequest request;
    quint64 ticket = 0;
    JobContext quick;
    {
      const std::lock_guard lock(shared.mutex);
      if (!shared.wanted) {
        shared.busy = false;
        return;
      }
      request = std::move(*shared.wanted);
      shared.wanted.reset();
      ticket = shared.ticket;
      shared.quick = quick;
    }
    Status status;
    leavingOneCore([&] { status = guarded([&] { return Making(shared, request, ticket, quick).run(); }); });
    if (status || status.error().kind == ErrorKind::Cancelled) continue;
    auto failed = std::make_shared<ViewNumbers>();
    failed->tokens = request.tokens;
    failed->slotWindow = request.slotWindow;
    failed->complete = true;
    failed->error = QString::fromStdString(status.error().message);
    shared.post(ticket, failed);
  }
}

}  // namespace attnscope
