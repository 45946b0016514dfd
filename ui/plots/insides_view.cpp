// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/plots/insides_view.h"

#include <qcustomplot.h>

#include <QLabel>
#include <QMouseEvent>
#include <QToolButton>
#include <algorithm>

#include "ui/plots/qcp_support.h"
#include "ui/state/view_link.h"

namespace attnscope {

namespace {

constexpr int kWantedWidth = 230;  // of one picture, in pixels of the window

}  // namespace

struct InsidesView::Cell {
  explicit Cell(QWidget* parent) : plot(makeBarePlot(parent)), inside(std::make_shared<InsidePlot>(*plot)) {}
  ~Cell() { retirePlot(plot, inside); }
  QCustomPlot* plot;
  std::shared_ptr<InsidePlot> inside;
};

InsidesView::InsidesView(ViewLink* link, QWidget* parent)
    : QWidget(parent),
      m_link(link),
      m_theme(PlotTheme::light()),
      m_back(new QToolButton(this)),
      m_next(new QToolButton(this)),
      m_where(new QLabel(this)) {
  setObjectName(QStringLiteral("insides"));
  setMouseTracking(true);
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
  }
  rebuild();
}

InsidesView::~InsidesView() = default;

void InsidesView::setPanels(std::vector<InsidePanel> panels) {
  m_panels = std::move(panels);
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

void InsidesView::rebuild() {
  m_cells.clear();
  const PlotMetrics look = metrics();
  const int pager = m_back->sizeHint().height();
  const int columns = std::max(1, width() / kWantedWidth);
  const int wanted = look.em * 9 + std::min(width() / columns, 400);
  const int rows = std::max(1, height() / std::max(1, wanted));
  const int perPage = columns * rows;
  const int count = static_cast<int>(m_panels.size());
  const int pages = std::max(1, (count + perPage - 1) / perPage);
  m_page = std::clamp(m_page, 0, pages - 1);
  const bool paged = pages > 1;
  const int used = std::min(columns, std::max(1, count));
  const QSize cell(width() / used, std::max(1, (height() - (paged ? pager : 0)) / rows));
  for (int i = m_page * perPage; i < std::min(count, (m_page + 1) * perPage); ++i) {
    auto one = std::make_unique<Cell>(this);
    const int at = i - m_page * perPage;
    one->inside->setLook(look, m_theme, m_style);
    one->inside->setPanel(m_panels[static_cast<std::size_t>(i)]);
    one->inside->update(cell);
    one->plot->setGeometry(QRect(QPoint(at % used * cell.width(), at / used * cell.height()), cell));
    one->plot->setAccessibleName(QString::fromStdString(m_panels[static_cast<std::size_t>(i)].title));
    one->plot->show();
    m_cells.push_back(std::move(one));
  }
  for (QWidget* part : std::initializer_list<QWidget*>{m_back, m_next, m_where}) {
    part->setVisible(paged);
    part->raise();
  }
  if (paged) {
    m_where->setText(QStringLiteral("%1 / %2").arg(m_page + 1).arg(pages));
    QPalette palette = m_where->palette();
    palette.setColor(QPalette::WindowText, m_theme.secondaryText);
    m_where->setPalette(palette);
    palette.setColor(QPalette::ButtonText, m_theme.text);
    palette.setColor(QPalette::Disabled, QPalette::ButtonText, m_theme.frame);
    for (QToolButton* button : {m_back, m_next}) button->setPalette(palette);
    const int y = height() - pager;
    m_back->setGeometry(look.left, y, pager, pager);
    m_where->setGeometry(look.left + pager + 4, y, m_where->sizeHint().width(), pager);
    m_next->setGeometry(m_where->geometry().right() + 5, y, pager, pager);
    m_back->setEnabled(m_page > 0);
    m_next->setEnabled(m_page + 1 < pages);
  }
  mark();
}

void InsidesView::mark() {
  if (!m_link) return;
  const qint64 query = m_link->hoveredQuery() >= 0 ? m_link->hoveredQuery() : m_link->selectedQuery();
  for (const auto& cell : m_cells) {
    cell->inside->setMarked(query);
    replotOverlay(*cell->plot);
  }
}

qint64 InsidesView::tokenAt(QPointF position) const {
  for (const auto& cell : m_cells)
    if (QRectF(cell->plot->geometry()).contains(position))
      return cell->inside->tokenAt(position - QPointF(cell->plot->pos()));
  return -1;
}

void InsidesView::mouseMoveEvent(QMouseEvent* event) {
  if (m_link) m_link->setHovered(tokenAt(event->position()), -1);
}

void InsidesView::mouseReleaseEvent(QMouseEvent* event) {
  const qint64 token = tokenAt(event->position());
  if (m_link && token >= 0 && event->button() == Qt::LeftButton) m_link->setSelected(token, -1);
}

void InsidesView::leaveEvent(QEvent* event) {
  QWidget::leaveEvent(event);
  if (m_link) m_link->clearHovered();
}

void InsidesView::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  rebuild();
}

}  // namespace attnscope
