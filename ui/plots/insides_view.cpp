// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/insides_view.h"

#include <qcustomplot.h>

#include <QAccessible>
#include <QLabel>
#include <QSlider>
#include <QToolButton>
#include <algorithm>

#include "ui/plots/inside_cell.h"
#include "ui/plots/qcp_support.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr int kWantedWidth = 230;  // of one picture, in pixels of the window

}  // namespace

InsidesView::InsidesView(ViewLink* link, QWidget* parent)
    : QWidget(parent),
      m_link(link),
      m_theme(PlotTheme::light()),
      m_back(new QToolButton(this)),
      m_next(new QToolButton(this)),
      m_where(new QLabel(this)) {
  setObjectName(QStringLiteral("insides"));
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  m_back->setText(QStringLiteral("‹"));
  m_back->setAccessibleName(tr("Previous picture"));
  m_back->setObjectName(QStringLiteral("previousInside"));
  m_next->setText(QStringLiteral("›"));
  m_next->setAccessibleName(tr("Next picture"));
  m_next->setObjectName(QStringLiteral("nextInside"));
  for (QToolButton* button : {m_back, m_next}) button->setAutoRaise(true);
  connect(m_back, &QToolButton::clicked, this, [this] { setPage(m_page - 1); });
  connect(m_next, &QToolButton::clicked, this, [this] { setPage(m_page + 1); });
  if (m_link) {
    connect(m_link, &ViewLink::hoveredChanged, this, &InsidesView::mark);
    connect(m_link, &ViewLink::selectedChanged, this, &InsidesView::mark);
    connect(m_link, &ViewLink::groupChanged, this, [this] {
      mark();
      announce();
    });
  }
  rebuild();
}

InsidesView::~InsidesView() = default;

void InsidesView::setOwner(const QString& owner) {
  if (owner == m_owner) return;
  if (ownsGroup()) m_link->clearGroup();
  m_owner = owner;
}

void InsidesView::setPanels(std::vector<InsidePanel> panels) {
  m_panels = std::move(panels);
  m_places.clear();
  for (std::size_t i = 0; i < m_panels.size(); ++i) {
    const bool goesOn = i > 0 && !m_panels[i].series.empty() && m_panels[i].series == m_panels[i - 1].series;
    if (goesOn)
      ++m_places.back().past;
    else
      m_places.push_back({i, i + 1});
  }
  keepGroup();
  rebuild();  // keeps the page where it can: a changed parameter must not turn it
}

void InsidesView::setTheme(const PlotTheme& theme) {
  m_theme = theme;
  rebuild();
}

void InsidesView::setStyleChoices(const ViewStyle& style) {
  const bool same = style.colorMap == m_style.colorMap;
  m_style = style;
  if (!same) rebuild();
}

void InsidesView::setPage(int page) {
  m_page = page;
  rebuild();
}

PlotMetrics InsidesView::metrics() const {
  PlotMetrics metrics = plotMetrics(m_theme, 0.0, 9999, 9999, false);
  metrics.top = 0;
  return metrics;
}

std::size_t InsidesView::shownOf(const Place& place) const {
  const auto found = m_chosen.find(m_panels[place.first].series);
  const auto member = static_cast<std::size_t>(found == m_chosen.end() ? 0 : found->second);
  return std::min(place.first + member, place.past - 1);
}

QRect InsidesView::pictureRect(const std::string& title) const {
  for (const auto& cell : m_cells)
    if (cell->inside->panel().title == title) return cell->plot->geometry();
  return {};
}

std::unique_ptr<InsidesView::Cell> InsidesView::makeCell(int place, QRect area, const PlotMetrics& look) {
  auto one = std::make_unique<Cell>(this);
  const Place& panels = m_places[static_cast<std::size_t>(place)];
  const std::size_t shown = shownOf(panels);
  one->place = place;
  if (const auto count = static_cast<int>(panels.past - panels.first); count > 1) {
    const std::string series = m_panels[shown].series;
    const int line = one->addSwitch(this, QString::fromStdString(series), count,
                                    static_cast<int>(shown - panels.first), area, look, m_theme);
    connect(one->slider, &QSlider::valueChanged, this,
            [this, series](int member) { choose(series, member); });
    area.setTop(area.top() + line);
  }
  one->inside->setLook(look, m_theme, m_style);
  one->inside->setTitlesAbove(true);
  one->show(m_panels[shown], area);
  one->plot->show();
  return one;
}

void InsidesView::choose(const std::string& series, int member) {
  m_chosen[series] = member;
  for (const auto& cell : m_cells) {
    const Place& place = m_places[static_cast<std::size_t>(cell->place)];
    if (m_panels[place.first].series != series) continue;
    // The slider stays: it may be under the mouse.
    cell->show(m_panels[shownOf(place)], cell->plot->geometry());
    cell->nameMember(member);
    cell->plot->replot(QCustomPlot::rpQueuedReplot);
  }
  mark();
}

void InsidesView::rebuild() {
  m_cells.clear();
  const PlotMetrics look = metrics();
  const int pager = m_back->sizeHint().height();
  const int columns = std::max(1, width() / kWantedWidth);
  const int wanted = look.em * 9 + std::min(width() / columns, 400);
  const int rows = std::max(1, height() / std::max(1, wanted));
  m_perPage = columns * rows;
  const int count = static_cast<int>(m_places.size());
  const int pages = std::max(1, (count + m_perPage - 1) / m_perPage);
  m_page = std::clamp(m_page, 0, pages - 1);
  const int used = std::min(columns, std::max(1, count));
  const int lines = std::clamp((count + used - 1) / used, 1, rows);  // few pictures are as high as they can
  const QSize cell(width() / used, std::max(1, (height() - (pages > 1 ? pager : 0)) / lines));
  for (int i = m_page * m_perPage; i < std::min(count, (m_page + 1) * m_perPage); ++i) {
    const int at = i - m_page * m_perPage;
    const QRect area(QPoint(at % used * cell.width(), at / used * cell.height()), cell);
    m_cells.push_back(makeCell(i, area, look));
  }
  const int last = std::min(count, (m_page + 1) * m_perPage) - 1;
  m_focused = std::clamp(m_focused, m_page * m_perPage, std::max(m_page * m_perPage, last));
  placePager(pages);
  mark();
}

void InsidesView::placePager(int pages) {
  for (QWidget* part : std::initializer_list<QWidget*>{m_back, m_next, m_where}) {
    part->setVisible(pages > 1);
    part->raise();
  }
  if (pages < 2) return;
  m_where->setText(QStringLiteral("%1 / %2").arg(m_page + 1).arg(pages));
  QPalette palette = m_where->palette();
  palette.setColor(QPalette::WindowText, m_theme.secondaryText);
  m_where->setPalette(palette);
  palette.setColor(QPalette::ButtonText, m_theme.text);
  palette.setColor(QPalette::Disabled, QPalette::ButtonText, m_theme.frame);
  for (QToolButton* button : {m_back, m_next}) button->setPalette(palette);
  const int pager = m_back->sizeHint().height();
  const int left = metrics().left;
  const int y = height() - pager;
  m_back->setGeometry(left, y, pager, pager);
  m_where->setGeometry(left + pager + 4, y, m_where->sizeHint().width(), pager);
  m_next->setGeometry(m_where->geometry().right() + 5, y, pager, pager);
  m_back->setEnabled(m_page > 0);
  m_next->setEnabled(m_page + 1 < pages);
}

bool InsidesView::ownsGroup() const {
  return m_link && m_link->group() && m_link->group()->owner == m_owner;
}

// New panels may have a group of the same name with other tokens: the selection means the name.
void InsidesView::keepGroup() {
  if (!ownsGroup()) return;
  const std::vector<std::string>& chosen = m_link->group()->chosen;
  for (const InsidePanel& panel : m_panels) {
    if (!panel.groups) continue;
    std::vector<std::int32_t> found;
    for (const std::string& name : chosen)
      for (std::size_t g = 0; g < panel.groups->size(); ++g)
        if ((*panel.groups)[g].name == name) found.push_back(static_cast<std::int32_t>(g));
    if (found.size() != chosen.size()) continue;
    m_link->setGroup(selectionOf(panel, {-1, -1, found.front(), found.size() > 1 ? found[1] : -1}, m_owner));
    return;
  }
  m_link->clearGroup();
}

void InsidesView::mark() {
  if (!m_link) return;
  InsideMarks marks;
  marks.query = m_link->hoveredQuery() >= 0 ? m_link->hoveredQuery() : m_link->selectedQuery();
  marks.key = m_link->hoveredQuery() >= 0 ? m_link->hoveredKey() : m_link->selectedKey();
  marks.group = m_link->group();
  marks.ownGroup = ownsGroup();
  for (const auto& cell : m_cells) {
    marks.focused = hasFocus() && cell->place == m_focused;
    cell->inside->setMarks(marks);
    replotOverlay(*cell->plot);
  }
}

// For screen readers: what is selected, or where the keys are.
void InsidesView::announce() {
  const QString said = ownsGroup() ? groupSentence(*m_link->group()) : QString();
  if (said == accessibleDescription()) return;
  setAccessibleDescription(said);
  QAccessibleEvent changed(this, QAccessible::DescriptionChanged);
  QAccessible::updateAccessibility(&changed);
}

void InsidesView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  rebuild();
}

}  // namespace attnscope
