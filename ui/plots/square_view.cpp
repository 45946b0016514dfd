// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/square_view.h"

#include <qcustomplot.h>

#include <QRubberBand>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/plots/cell_image.h"
#include "ui/plots/group_bands.h"
#include "ui/plots/qcp_support.h"
#include "ui/plots/square_support.h"
#include "ui/plots/tile_colors.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr int kWordsFromPixels = 300;
constexpr int kWideFromPixels = 240;  // narrower squares need the room of six-digit numbers
constexpr Index kLongNumbers = 100000;

// Where a token stands; no places: the text's own order.
qint64 placeOf(const std::vector<std::int32_t>& places, qint64 token) {
  return token >= 0 && token < std::ssize(places) ? places[static_cast<std::size_t>(token)] : token;
}

}  // namespace

SquareView::SquareView(PanelKind kind, ViewLink* link, QWidget* parent)
    : QWidget(parent),
      m_kind(kind),
      m_link(link),
      m_plot(makeBarePlot(this)),
      m_square(std::make_unique<SquarePlot>(*m_plot)),
      m_theme(PlotTheme::light()),
      m_band(new QRubberBand(QRubberBand::Rectangle, this)) {
  setObjectName(QStringLiteral("square"));
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  m_busyTimer.setInterval(40);
  connect(&m_busyTimer, &QTimer::timeout, this, [this] {
    m_square->overlay.phase = std::fmod(m_square->overlay.phase + 0.02, 1.0);
    replotOverlay(*m_plot);
  });
  connect(&m_motionClock, &QVariantAnimation::valueChanged, this,
          [this](const QVariant& t) { drawMotion(t.toDouble()); });
  connect(&m_motionClock, &QVariantAnimation::finished, this, &SquareView::endMotion);
  connect(&m_maker, &NumberMaker::ready, this, &SquareView::take);
  connect(&m_maker, &NumberMaker::tilesArrived, this, &SquareView::paintSoon);
  if (m_link) {
    connect(m_link, &ViewLink::viewportChanged, this, &SquareView::updateView);
    connect(m_link, &ViewLink::hoveredChanged, this, &SquareView::updateOverlay);
    connect(m_link, &ViewLink::selectedChanged, this, &SquareView::updateOverlay);
    connect(m_link, &ViewLink::groupChanged, this, &SquareView::updateGroup);
  }
  updateLook();
}

SquareView::~SquareView() {
  m_maker.cancel();
  m_countJob.cancel();
  m_countPool.waitForDone();
  delete m_plot;  // before m_square, which its layers call
}

void SquareView::setExploration(std::shared_ptr<const Exploration> exploration, Index head) {
  takeExploration(std::move(exploration));
  if (m_kind == PanelKind::Map) {
    show(weightSource(m_exploration, head));
    return;
  }
  SquareContent& content = m_square->content;
  const NumberSource source = supportSource(*m_exploration, head);
  content.slotCount = m_exploration->call.plan->slotCount();
  content.slotShare =
      slotShare(content.keys, content.slotCount, m_exploration->readsTokens[static_cast<std::size_t>(head)]);
  m_labelPairs.clear();
  show(source);
  countLabels();
}

void SquareView::setReach(std::shared_ptr<const Exploration> exploration,
                          const std::shared_ptr<const Reach>& reach) {
  takeExploration(std::move(exploration));
  m_layers = reach->layers;
  m_square->content.legend = reachLegend(*reach);
  show(reachSource(reach));
}

void SquareView::setDifference(std::shared_ptr<const Exploration> exploration,
                               const std::shared_ptr<const Exploration>& baseline, Index head) {
  takeExploration(std::move(exploration));
  show(differenceSource(m_exploration, baseline, head));
}

void SquareView::takeExploration(std::shared_ptr<const Exploration> exploration) {
  endMotion();
  m_exploration = std::move(exploration);
  SquareContent& content = m_square->content;
  const Plan& plan = m_exploration->call.plan->plan();
  content.queries = plan.shape.nQ;
  content.keys = plan.shape.nK;
  content.queryTexts = sharedTexts(m_exploration, m_exploration->input.tokensQ);
  content.keyTexts = sharedTexts(m_exploration, m_exploration->input.tokensK);
}

void SquareView::show(NumberSource source) {
  m_base = std::move(source);
  applySource();
}

void SquareView::applySource() {
  m_source = m_base;
  if (m_kind == PanelKind::Pattern)
    m_source = withoutLabels(m_source, hiddenLabels(m_exploration->call.plan->plan(), m_style.hidden));
  applyOrder();
  if (m_square->content.order) m_source = inOrder(std::move(m_source), m_square->content.order);
  if (m_kind == PanelKind::Pattern) updateLegend();
  m_stamp = newStamp();
  m_tokenTiles.reset();
  m_slotTiles.reset();
  m_square->content.tokenPatches.clear();
  m_square->content.slotPatches.clear();
  m_request = {};
  m_numbers.reset();  // its picture stays until the new one is there
  updateLook();
  updateView();
}

void SquareView::setMarginals(std::shared_ptr<const Marginals> marginals) {
  if (m_marginals == marginals) return;
  m_marginals = std::move(marginals);
  if (!m_exploration) return;
  applyOrder();
  m_plot->replot(QCustomPlot::rpQueuedRefresh);
}

void SquareView::setOrder(std::shared_ptr<const TokenOrder> order) {
  if (m_order == order) return;
  m_order = std::move(order);
  if (!m_exploration) return;
  endMotion();
  const bool moves = canMove();
  const SquareOverlay& overlay = m_square->overlay;
  Departure from;
  if (moves)
    from = {m_square->content.tokenImage, m_square->content.slotImage, m_queryPlaces, m_keyPlaces,
            QPointF(static_cast<double>(overlay.selectedKey), static_cast<double>(overlay.selectedQuery))};
  applySource();
  if (moves) startMotion(std::move(from));
}

void SquareView::applyOrder() {
  SquareContent& content = m_square->content;
  const AttentionInput& input = m_exploration->input;
  content.marginals = m_marginals;
  content.queryTexts = sharedTexts(m_exploration, input.tokensQ);
  content.keyTexts = sharedTexts(m_exploration, input.tokensK);
  layOut(content, m_order);
  m_queryPlaces = content.order ? placesOf(content.order->queries) : std::vector<std::int32_t>{};
  m_keyPlaces = content.order ? placesOf(content.order->keys) : std::vector<std::int32_t>{};
  updateGroup();
}

void SquareView::setOwner(const QString& owner) {
  m_owner = owner;
  updateGroup();
}

void SquareView::setBusy(bool busy) {
  m_square->overlay.busy = busy;
  if (busy)
    m_busyTimer.start();
  else
    m_busyTimer.stop();
  replotOverlay(*m_plot);
}

void SquareView::setStyleChoices(const ViewStyle& style) {
  if (sameStyle(style, m_style)) return;
  const bool moved = style.marginals != m_style.marginals;
  const bool filtered = m_kind == PanelKind::Pattern && style.hidden != m_style.hidden;
  m_style = style;
  if (filtered && m_exploration) applySource();
  if (moved) {
    updateLook();
    updateView();
  }
  if (!showsWeights(m_kind)) return;
  m_stamp = newStamp();
  updatePatches();
  recolor();
  if (m_request.reduce != style.reduce) requestNumbers();
}

void SquareView::setScaleNote(const QString& note) {
  if (note == m_square->content.scaleNote) return;
  m_square->content.scaleNote = note;
  setAccessibleDescription(note);
  m_plot->replot(QCustomPlot::rpQueuedRefresh);
}

void SquareView::setTheme(const PlotTheme& theme) {
  endMotion();
  m_theme = theme;
  m_stamp = newStamp();
  updateLook();
  m_square->update();
  recolor();
}

void SquareView::clear() {
  endMotion();
  m_maker.cancel();
  m_countJob.cancel();
  m_exploration.reset();
  m_source = {};
  m_request = {};
  m_numbers.reset();
  m_drawn = {};
  m_tokenTiles.reset();
  m_slotTiles.reset();
  m_square->content = {};
  m_plot->replot(QCustomPlot::rpQueuedReplot);
}

bool SquareView::isSettled() const {
  return !m_motion && !m_fresh && !m_maker.isRunning() && !m_countJob.isRunning() &&
         (!m_exploration || (m_numbers && m_numbers->complete));
}

void SquareView::updateLook() {
  const SquareContent& content = m_square->content;
  // Words beside the axes take a third of a small square; there the cross-hair and the inspector name the
  // tokens.
  const bool roomForWords = std::min(width(), height()) >= kWordsFromPixels;
  PlotMetrics metrics = plotMetrics(m_theme, 0.0, content.queries, content.keys,
                                    roomForWords && (content.queryTexts || content.keyTexts));
  if (std::max(content.queries, content.keys) > kLongNumbers && width() < kWideFromPixels)
    shortenNumbers(metrics);
  // Two lines of names whatever the mechanism, so that the squares of a row are equally large.
  if (!showsWeights(m_kind)) metrics.legend = static_cast<int>(std::ceil(2.3 * metrics.em));
  if (m_style.marginals) addStrips(metrics);
  m_square->setLook(metrics, m_theme);
}

QRectF SquareView::effectiveViewport() const {
  const QRectF own(0.0, 0.0, static_cast<double>(m_square->content.keys),
                   static_cast<double>(m_square->content.queries));
  const QRectF wanted = m_link ? m_link->viewport().intersected(own) : own;
  if (wanted.isEmpty()) return own;
  // Where a cell is less than a pixel, whole cells: the picture then has exactly one number for each pixel.
  const QRect area = m_square->layout().all();
  const double cell = area.isEmpty() ? 1.0 : area.height() * devicePixelRatioF() / wanted.height();
  return cell < 1.0 ? QRectF(wanted.toAlignedRect()).intersected(own) : wanted;
}

void SquareView::updateView() {
  if (!m_exploration) return;
  m_square->setSize(size());
  m_square->update();
  m_square->content.viewport = effectiveViewport();
  m_square->update();
  updateOverlay();
  requestNumbers();
  paintSoon();
}

// Whatever happens within one turn of the event loop is painted once.
void SquareView::paintSoon() {
  if (std::exchange(m_paintPending, true)) return;
  QTimer::singleShot(0, this, [this] {
    m_paintPending = false;
    updatePatches();
    if (!std::exchange(m_fresh, false) || !m_numbers) {
      m_plot->replot(QCustomPlot::rpQueuedRefresh);
      return;
    }
    recolor();
    if (isSettled()) emit settled();
  });
}

void SquareView::requestNumbers() {
  if (!m_exploration || !isVisible()) return;
  const SquareLayout& layout = m_square->layout();
  const SquareContent& content = m_square->content;
  const auto pixels = [this](int length) {
    return static_cast<Index>(std::lround(length * devicePixelRatioF()));
  };
  NumberRequest request;
  request.source = m_source;
  request.reduce = m_style.reduce;
  if (!layout.tokens.isEmpty())
    request.tokens = cellWindow(content.viewport, content.queries, content.keys,
                                pixels(layout.tokens.height()), pixels(layout.tokens.width()));
  if (!layout.slotArea.isEmpty()) {
    const QRectF view(0.0, content.viewport.y(), static_cast<double>(content.slotCount),
                      content.viewport.height());
    request.slotWindow = cellWindow(view, content.queries, content.slotCount,
                                    pixels(layout.slotArea.height()), pixels(layout.slotArea.width()));
  }
  const bool same = request.tokens == m_request.tokens && request.slotWindow == m_request.slotWindow &&
                    request.reduce == m_request.reduce;
  if (same) return;  // m_request is emptied when the exploration changes
  m_request = request;
  m_tokenTiles = std::make_unique<TiledWindow>(m_source, request.tokens, false, request.reduce);
  m_slotTiles = std::make_unique<TiledWindow>(m_source, request.slotWindow, true, request.reduce);
  m_maker.request(request);
}

bool SquareView::isPictureCurrent() const {
  return m_numbers && m_numbers->complete && m_numbers->tokens == m_request.tokens &&
         m_numbers->slotWindow == m_request.slotWindow;
}

// What is known of the viewport while its own picture is being made.
void SquareView::updatePatches() {
  SquareContent& content = m_square->content;
  if (m_motion) {
    content.tokenPatches.clear();
    content.slotPatches.clear();
    return;
  }
  // A scale by rows needs the whole row, which a tile does not know.
  const bool byTile = !showsWeights(m_kind) || m_style.scale.kind != ValueScale::Kind::RowMax;
  if (isPictureCurrent() || !m_tokenTiles || m_source.id == 0 || !byTile) {
    content.tokenPatches.clear();
    content.slotPatches.clear();
    updateCorner();
    return;
  }
  constexpr int kMilliseconds = 3;
  const auto painter = [this](bool overSlots) {
    return [this, overSlots](const NumberTile& tile, const TileKey& key) {
      return paintedTile(tile, key, overSlots);
    };
  };
  TileColors& colors = TileColors::shared();
  bool all = colors.collect(*m_tokenTiles, m_stamp, painter(false), kMilliseconds, content.tokenPatches);
  all = colors.collect(*m_slotTiles, m_stamp, painter(true), kMilliseconds, content.slotPatches) && all;
  updateCorner();
  if (!all) paintSoon();
}

void SquareView::updateCorner() {
  QString& corner = m_square->content.corner;
  corner.clear();
  if (isPictureCurrent() || !m_exploration) return;
  if (m_numbers && !m_numbers->complete && !m_numbers->coarse.isEmpty())
    corner = tr("coarse: %1").arg(m_numbers->coarse);
  else if (m_maker.isRunning())
    corner = tr("coarse");
}

QImage SquareView::paintedTile(const NumberTile& tile, const TileKey& key, bool overSlots) const {
  if (!tile.counts && m_kind == PanelKind::Difference) return differenceImage(tile.weights, m_style);
  if (!tile.counts) return weightImage(tile.weights, weightStyle(), m_theme.plotBackground);
  const Coverage coverage = (overSlots ? m_slotTiles : m_tokenTiles)->coverageOfTile(tile, key);
  return coverageImage(coverage, m_theme.plotBackground,
                       m_kind == PanelKind::Reach ? layerColors(m_layers) : std::vector<QColor>{});
}

ViewStyle SquareView::weightStyle() const {
  ViewStyle style = m_style;
  style.scale.diverging = style.scale.diverging || m_exploration->matrix->isSigned();
  return style;
}

void SquareView::take(const ViewNumbersPtr& numbers) {
  if (!numbers->error.isEmpty()) {
    emit failed(numbers->error);
    return;
  }
  m_numbers = numbers;
  m_drawn = {};
  m_drawn.add(numbers->weights);
  m_fresh = true;
  paintSoon();
}

void SquareView::recolor() {
  if (m_motion) return;  // at its end
  if (m_numbers && m_exploration) {
    SquareContent& content = m_square->content;
    if (m_kind == PanelKind::Pattern) {
      content.tokenImage = coverageImage(m_numbers->tokenCoverage, m_theme.plotBackground);
      content.slotImage = coverageImage(m_numbers->slotCoverage, m_theme.plotBackground);
    } else if (m_kind == PanelKind::Reach) {
      content.tokenImage =
          coverageImage(m_numbers->tokenCoverage, m_theme.plotBackground, layerColors(m_layers));
    } else if (m_kind == PanelKind::Difference) {
      content.tokenImage = differenceImage(m_numbers->weights, m_style);
    } else {
      content.tokenImage = weightImage(m_numbers->weights, weightStyle(), m_theme.plotBackground);
    }
    content.tokenCells = m_numbers->tokens.rect();
    content.slotCells = m_numbers->slotWindow.rect();
  }
  // Drawn at once, shown with the next frame: whoever waits for settled() grabs the finished picture.
  m_plot->replot(QCustomPlot::rpQueuedRefresh);
}

void SquareView::updateOverlay() {
  if (!m_link) return;
  SquareOverlay& overlay = m_square->overlay;
  overlay.hoveredQuery = placeOf(m_queryPlaces, m_link->hoveredQuery());
  overlay.hoveredKey = placeOf(m_keyPlaces, m_link->hoveredKey());
  overlay.selectedQuery = placeOf(m_queryPlaces, m_link->selectedQuery());
  overlay.selectedKey = placeOf(m_keyPlaces, m_link->selectedKey());
  replotOverlay(*m_plot);
}

void SquareView::updateGroup() {
  if (!m_link) return;
  SquareOverlay& overlay = m_square->overlay;
  const SelectedGroupPtr group = m_motion ? nullptr : m_link->group();  // its bands return at the end
  overlay.groupRows = group ? inPlaces(group->tokens.queries, m_queryPlaces) : TokenRanges{};
  overlay.groupColumns = group ? inPlaces(group->tokens.keys, m_keyPlaces) : TokenRanges{};
  overlay.groupSlots = TokenRanges{};
  // Slots belong to one mechanism: beside another they would mark something else.
  if (group && group->owner == m_owner) overlay.groupSlots = group->tokens.slotColumns;
  replotOverlay(*m_plot);
}

void SquareView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  endMotion();
  m_plot->setGeometry(rect());
  updateLook();
  updateView();
  if (m_kind == PanelKind::Pattern && m_exploration) updateLegend();  // counts need room
}

void SquareView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  updateView();  // hidden squares ask for nothing
}

}  // namespace attnscope
