// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/wall.h"

#include <QEvent>
#include <QGridLayout>
#include <QTimer>
#include <algorithm>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/baseline_service.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/marginal_service.h"
#include "ui/jobs/reach_service.h"
#include "ui/models/cost_model.h"
#include "ui/panels/column_header.h"
#include "ui/panels/panel_cell.h"
#include "ui/panels/row_title.h"
#include "ui/plots/color_bar_view.h"
#include "ui/state/text.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

QString givenParameters(const MechanismSpec& spec) {
  QStringList parts;
  for (const auto& [id, text] : spec.params) parts << QStringLiteral("%1 = %2").arg(toQ(id), toQ(text));
  return parts.join(QStringLiteral(", "));
}

}  // namespace

Wall::Wall(Document* document, const Services& services, ViewLink* link, QWidget* parent)
    : QWidget(parent),
      m_document(document),
      m_service(services.compute),
      m_reach(services.reach),
      m_baselines(services.baselines),
      m_marginals(services.marginals),
      m_link(link),
      m_grid(new QGridLayout(this)),
      m_bar(new ColorBar(BarContent::Weight, this)),
      m_differenceBar(new ColorBar(BarContent::Difference, this)) {
  setObjectName(QStringLiteral("wall"));
  setAttribute(Qt::WA_StyledBackground);
  m_grid->setContentsMargins(4, 6, 6, 6);
  m_grid->setHorizontalSpacing(4);
  m_grid->setVerticalSpacing(4);
  const std::array<QString, kRows> names{tr("Pattern"), tr("Map"), tr("Difference"), tr("Reach"),
                                         tr("Insides")};
  for (int row = 0; row < kRows; ++row) {
    m_titles[static_cast<std::size_t>(row)] = new RowTitle(names[static_cast<std::size_t>(row)], this);
    m_grid->addWidget(m_titles[static_cast<std::size_t>(row)], row + 1, 0);
  }
  m_grid->addWidget(m_bar, static_cast<int>(rowOf(PanelKind::Map)) + 1, kMaxColumns + 1);
  m_grid->addWidget(m_differenceBar, static_cast<int>(rowOf(PanelKind::Difference)) + 1, kMaxColumns + 1);
  m_grid->setRowStretch(kRows + 1, 1);  // takes what rows at their full height leave; else spacing would
  m_grid->addItem(new QSpacerItem(0, 0, QSizePolicy::Minimum, QSizePolicy::Expanding), kRows + 1, 0);
  for (int i = 0; i < kMaxColumns; ++i) makeColumn(i);

  connect(m_document, &Document::columnsChanged, this, &Wall::updateStructure);
  connect(m_document, &Document::rowsChanged, this, &Wall::updateStructure);
  connect(m_document, &Document::columnChanged, this, &Wall::updateHeader);
  connect(m_document, &Document::styleChanged, this, &Wall::updateStyle);
  connect(m_document, &Document::viewsChanged, this, &Wall::updateViews);
  connect(m_document, &Document::selectionChanged, this, [this](int selected) {
    for (int i = 0; i < kMaxColumns; ++i) header(i)->setSelected(i == selected);
  });
  connect(m_service, &ComputeService::columnUpdated, this, &Wall::updateColumn);
  connect(m_service, &ComputeService::insidesUpdated, this, &Wall::updateInsides);
  connect(m_reach, &ReachService::updated, this, &Wall::updateReach);
  connect(m_baselines, &BaselineService::updated, this,
          [this](int column) { m_blinking ? updateColumn(column) : updateDifference(column); });
  connect(m_marginals, &MarginalService::updated, this, &Wall::updateMarginals);
  connect(m_service, &ComputeService::inputReady, this, [this] {
    const Shape shape = m_service->input()->shape();
    m_link->setBounds(shape.nK, shape.nQ);
  });
  for (ColorBar* bar : {m_bar, m_differenceBar}) {
    connect(bar, &ColorBar::scaleDragged, this, [this](double low, double high, bool first) {
      if (first) m_scaleGesture = m_document->newGesture();
      ViewStyle style = m_document->state().style;
      style.range = ScaleRange::Fixed;
      style.scale.low = low;
      style.scale.high = high;
      m_document->setStyle(style, m_scaleGesture);
    });
    connect(bar, &ColorBar::menuAsked, this, &Wall::scaleMenuAsked);
  }
  updateStructure();
  updateStyle();
}

void Wall::makeColumn(int column) {
  Column& made = m_columns[static_cast<std::size_t>(column)];
  made.header = new ColumnHeader(column, this);
  made.link = new ViewLink(this);
  made.link->follow(m_link);
  m_grid->addWidget(made.header, 0, column + 1);
  connect(made.header, &ColumnHeader::clicked, this, [this, column] { m_document->selectColumn(column); });
  connect(made.header, &ColumnHeader::removeAsked, this,
          [this, column] { m_document->removeColumn(column); });
  connect(made.header, &ColumnHeader::menuAsked, this,
          [this, column](const QPoint& position) { Q_EMIT headerMenuAsked(column, position); });
  for (int row = 0; row < kRows; ++row) {
    const PanelKind kind = kRowOrder[static_cast<std::size_t>(row)].kind;
    auto* view = new Panel(kind, made.link, this);
    made.panels[static_cast<std::size_t>(row)] = view;
    auto* cell = new PanelCell(view, this);
    made.cells[static_cast<std::size_t>(row)] = cell;
    m_grid->addWidget(cell, row + 1, column + 1);
    connect(view, &Panel::settled, this, [this, kind] {
      placeColorBars();
      if (showsWeights(kind)) fitScale(kind);
      Q_EMIT settled();
    });
    connect(view, &Panel::computeAnyway, this, [this, column] { m_service->requestPass(column); });
    connect(view, &Panel::labelClicked, m_document, &Document::toggleLabel);
    connect(view, &Panel::contextMenuAt, this,
            [this, column, kind](QPoint position) { Q_EMIT panelMenuAsked(column, kind, position); });
  }
}

Panel* Wall::panel(int column, PanelKind kind) const {
  return m_columns[static_cast<std::size_t>(column)].panels[rowOf(kind)];
}

bool Wall::rowVisible(int row) const {
  return m_document->state().rows.shows(kRowOrder[static_cast<std::size_t>(row)].kind);
}

void Wall::updateStructure() {
  const int count = m_document->columnCount();
  for (int row = 0; row < kRows; ++row) {
    m_titles[static_cast<std::size_t>(row)]->setVisible(rowVisible(row));
  }
  m_bar->setVisible(m_document->state().rows.map && !m_noMaps);
  m_differenceBar->setVisible(m_document->state().rows.difference && !m_noMaps);
  for (int i = 0; i < kMaxColumns; ++i) {
    Column& column = m_columns[static_cast<std::size_t>(i)];
    const bool used = i < count;
    column.header->setVisible(used);
    column.header->setSelected(i == m_document->selectedColumn());
    column.header->setRemovable(count > 1);
    m_grid->setColumnStretch(i + 1, used ? 1 : 0);
    for (int row = 0; row < kRows; ++row)
      column.cells[static_cast<std::size_t>(row)]->setVisible(used && rowVisible(row));
    if (!used) continue;
    updateHeader(i);
    updateInsides(i);  // who offers a pass depends on the rows
  }
  m_service->setInsidesWanted(m_document->state().rows.insides);
  m_reach->setWanted(m_document->state().rows.reach);
  m_baselines->setWanted(m_document->state().rows.difference || m_blinking);
  if (!m_document->state().rows.insides) m_link->clearGroup();  // nothing would say where it comes from
  updateViews();
  QTimer::singleShot(0, this, [this] {
    fitRows();
    placeColorBars();
  });
}

void Wall::setBlinking(bool blinking) {
  if (blinking == m_blinking) return;
  m_blinking = blinking;
  m_baselines->setWanted(m_document->state().rows.difference || m_blinking);
  for (int i = 0; i < m_document->columnCount(); ++i) updateColumn(i);
}

std::shared_ptr<const Exploration> Wall::pictured(int column) const {
  const ExplorationPtr& own = m_service->column(column).exploration;
  if (!m_blinking || !own) return own;
  const ExplorationPtr baseline = m_baselines->of(column).exploration;
  return baseline ? baseline : own;
}

void Wall::updateColumn(int index) {
  if (index >= m_document->columnCount()) return;
  Column& column = m_columns[static_cast<std::size_t>(index)];
  updateOrder();
  const ColumnResult& result = m_service->column(index);
  const ExplorationPtr picture = pictured(index);
  updateHeader(index);
  const bool current = result.exploration && m_service->input() &&
                       result.exploration->input.digest == m_service->input()->input.digest;
  for (const PanelKind kind : {PanelKind::Pattern, PanelKind::Map}) {
    Panel* shown = panel(index, kind);
    if (!result.exploration) {
      if (!result.error.isEmpty())
        shown->setError(result.error);
      else if (column.shown)
        shown->clear();
      shown->setBusy(result.busy);
      continue;
    }
    if (!result.error.isEmpty() && !current) {
      shown->setError(result.error);
      continue;
    }
    if (kind == PanelKind::Map && !picture->hasPass()) {
      shown->setRefused(passSentence(result));
      shown->setBusy(result.busy || result.passBusy);
      continue;
    }
    if (column.shown != picture || column.shownHead != m_service->head())
      shown->setExploration(picture, m_service->head());
    shown->setBusy(result.busy);
  }
  column.shown = picture;
  column.header->setStandIn(picture == result.exploration ? QString()
                                                          : tr("= %1").arg(m_baselines->of(index).shortName));
  column.shownHead = m_service->head();
  if (const bool none = noMaps(); none != std::exchange(m_noMaps, none)) updateStructure();
  updateInsides(index);
  updateReach(index);
  updateDifference(index);
  updateMarginals(index);
}

void Wall::updateViews() {
  for (int i = 0; i < m_document->columnCount(); ++i) {
    const ColumnView& view = m_document->state().views[static_cast<std::size_t>(i)];
    columnLink(i)->setSharesZoom(!view.ownZoom);
    header(i)->setMarks(view.baseline, view.ownZoom, view.sortBy >= 0);
    updateDifference(i);
  }
  for (const PanelKind kind : {PanelKind::Map, PanelKind::Difference}) fitScale(kind);
  updateOrder();
}

void Wall::updateOrder() {
  const int column = sortingColumn(m_document->state());
  const ExplorationPtr from = column >= 0 ? m_service->column(column).exploration : nullptr;
  const std::pair<int, Index> choice{
      column >= 0 ? m_document->state().views[static_cast<std::size_t>(column)].sortBy : -1,
      m_service->head()};
  if (from == m_orderFrom && choice == m_orderChoice) return;
  m_orderFrom = from;
  m_orderChoice = choice;
  m_order = nullptr;
  if (from && isSortable(from->input.shape())) {
    std::vector<TokenOrder> orders = tokenOrders(from->call.plan->plan(), m_service->head());
    if (choice.first < std::ssize(orders))
      m_order = std::make_shared<const TokenOrder>(std::move(orders[static_cast<std::size_t>(choice.first)]));
  }
  for (int i = 0; i < kMaxColumns; ++i)
    for (const PanelKind kind : {PanelKind::Pattern, PanelKind::Map, PanelKind::Difference, PanelKind::Reach})
      panel(i, kind)->setOrder(m_order);
}

void Wall::updateDifference(int index) {
  if (index >= m_document->columnCount() || !m_document->state().rows.difference) return;
  Column& column = m_columns[static_cast<std::size_t>(index)];
  Panel* shown = panel(index, PanelKind::Difference);
  const ColumnResult& result = m_service->column(index);
  const BaselineResult baseline = m_baselines->of(index);
  if (result.exploration && !result.exploration->hasPass()) {
    column.differs = nullptr;
    showWithoutPass(*shown, tr("It comes with the map."), result);
    shown->setBusy(result.busy || result.passBusy);
    return;
  }
  if (!result.exploration || !baseline.exploration) {
    column.differs = nullptr;
    if (!result.error.isEmpty() && !result.exploration)
      shown->setError(result.error);
    else if (!baseline.why.isEmpty())
      shown->setNote(baseline.why);
    else
      shown->clear();
    shown->setBusy(result.busy || baseline.busy);
    return;
  }
  if (column.differs != result.exploration || column.baseline != baseline.exploration ||
      column.differsHead != m_service->head()) {
    column.differs = result.exploration;
    column.baseline = baseline.exploration;
    column.differsHead = m_service->head();
    shown->setDifference(result.exploration, baseline.exploration, column.differsHead);
  }
  shown->setBusy(result.busy || baseline.busy);
}

void Wall::updateReach(int index) {
  if (index >= m_document->columnCount()) return;
  Column& column = m_columns[static_cast<std::size_t>(index)];
  Panel* shown = panel(index, PanelKind::Reach);
  const ReachResult result = m_reach->of(index);
  const ColumnResult& own = m_service->column(index);
  if (!result.why.isEmpty()) {
    shown->setError(result.why);
    column.reach = nullptr;
  } else if (result.value && column.reach != result.value) {
    column.reach = result.value;
    shown->setReach(result.exploration, result.value);
    fitRows();  // its margins follow from its labels
  } else if (!own.exploration) {
    if (!own.error.isEmpty())
      shown->setError(own.error);
    else
      shown->clear();
    column.reach = nullptr;
  }
  shown->setBusy(own.busy || result.busy);
}

void Wall::updateInsides(int index) {
  if (index >= m_document->columnCount()) return;
  Column& column = m_columns[static_cast<std::size_t>(index)];
  const ColumnResult& result = m_service->column(index);
  Panel* shown = panel(index, PanelKind::Insides);
  if (!result.exploration) {
    if (!result.error.isEmpty())
      shown->setError(result.error);
    else
      shown->clear();
    column.insides = nullptr;
    shown->setBusy(result.busy);
    return;
  }
  if (!result.exploration->hasPass()) {
    showWithoutPass(*shown, tr("They come with the map."), result);
    shown->setBusy(result.busy || result.passBusy);
    column.insides = nullptr;
    return;
  }
  if (!result.insidesError.isEmpty() && !result.insidesBusy) {
    shown->setError(result.insidesError);
    column.insides = nullptr;
    return;
  }
  if (result.insides && column.insides != result.insides) {
    column.insides = result.insides;
    shown->setInsides(*result.insides);
  }
  shown->setBusy(result.busy || result.insidesBusy);
}

void Wall::updateHeader(int index) {
  if (index >= m_document->columnCount()) return;
  ColumnHeader* shown = header(index);
  const MechanismSpec& spec = m_document->state().columns[static_cast<std::size_t>(index)];
  const auto found = findMechanism(spec.id);
  shown->setName(found ? toQ((*found)->card().name) : toQ(spec.id), givenParameters(spec));
  const QString owner =
      tr("%1 %2").arg(columnLetter(index)).arg(found ? toQ((*found)->card().name) : toQ(spec.id));
  for (Panel* part : m_columns[static_cast<std::size_t>(index)].panels) part->setOwner(owner);
  const ColumnResult& result = m_service->column(index);
  shown->setWarning(result.error);
  if (!result.exploration) {
    shown->setCost(result.busy ? tr("computing…") : QString(), {});
    return;
  }
  const Cost& cost = result.exploration->cost;
  const TileCounts tiles = tileCounts(*result.exploration);
  const QString pairs = toQ(percentText(cost.cellDensity));
  if (!result.exploration->hasPass()) {
    const QString work = tr("about %1FLOP").arg(toQ(compactText(cost.flops)));
    shown->setCost(tr("about %1 pairs · %2").arg(pairs, work), tr("pattern only"),
                   tr("about %1 pairs").arg(pairs));
    if (result.error.isEmpty()) shown->setToolTip(passSentence(result));
    return;
  }
  const QString executed = tr("%1 tiles").arg(tileShareText(tiles));
  shown->setCost(
      tr("%1 pairs · %2").arg(pairs, executed),
      tr("%1FLOP · %2").arg(toQ(compactText(cost.flops)), toQ(durationText(result.exploration->runSeconds))),
      tr("%1 pairs").arg(pairs));
  if (result.error.isEmpty())
    shown->setToolTip(
        tr("%1 of the pairs reach the output. %2 scores are computed for all heads. %3 %4FLOP, %5 for one "
           "pass on %6.")
            .arg(toQ(percentText(cost.cellDensity)), toQ(compactText(cost.pairs)), tileSentence(tiles),
                 toQ(compactText(cost.flops)), toQ(durationText(result.exploration->runSeconds)),
                 toQ(result.exploration->device)));
}

void Wall::updateStyle() {
  const ViewStyle& style = m_document->state().style;
  for (int i = 0; i < kMaxColumns; ++i)
    for (const PanelKind kind : {PanelKind::Pattern, PanelKind::Reach, PanelKind::Insides})
      panel(i, kind)->setStyleChoices(style);
  m_marginals->setWanted(style.marginals);
  for (int i = 0; i < m_document->columnCount(); ++i) updateMarginals(i);
  for (const PanelKind kind : {PanelKind::Map, PanelKind::Difference}) fitScale(kind);
  fitRows();
}

void Wall::updateMarginals(int index) {
  if (index >= m_document->columnCount()) return;
  const bool wanted = m_document->state().style.marginals && !m_blinking;
  panel(index, PanelKind::Map)->setMarginals(wanted ? m_marginals->of(index).value : nullptr);
}

void Wall::setTheme(const PlotTheme& theme) {
  for (Column& column : m_columns)
    for (Panel* shown : column.panels) shown->setTheme(theme);
  for (ColorBar* bar : {m_bar, m_differenceBar}) bar->setTheme(theme);
}

void Wall::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fitRows();
  QTimer::singleShot(0, this, &Wall::placeColorBars);
}

bool Wall::event(QEvent* event) {
  if (event->type() == QEvent::LayoutRequest) QTimer::singleShot(0, this, &Wall::placeColorBars);
  return QWidget::event(event);
}

bool Wall::isSettled() const {
  for (int i = 0; i < m_document->columnCount(); ++i)
    for (const Panel* shown : m_columns[static_cast<std::size_t>(i)].panels)
      if (shown->isVisible() && !shown->isSettled()) return false;
  return true;
}

}  // namespace attnscope
