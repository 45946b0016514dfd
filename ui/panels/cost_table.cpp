// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/cost_table.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHeaderView>
#include <QPainter>
#include <QShortcut>
#include <QStackedWidget>
#include <QStyledItemDelegate>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <array>

#include "ui/icons.h"
#include "ui/models/cost_model.h"
#include "ui/panels/heading.h"
#include "ui/plots/pareto_plot.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

// A badge before the name of the first cell, a thin line below every row.
class CostDelegate final : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const Chrome chrome = Chrome::of(option.palette);
    painter->save();
    painter->setPen(chrome.border);
    painter->drawLine(option.rect.bottomLeft(), option.rect.bottomRight());
    painter->setPen(chrome.text);
    painter->setFont(index.column() == CostModel::Name ? option.font : smallFont());
    QRect text = option.rect.adjusted(4, 0, -6, 0);
    if (index.column() == CostModel::Name) {
      drawBadge(*painter, QRectF(text.left() + 2, option.rect.center().y() - 8, 17, 17),
                index.data(CostModel::LetterRole).toInt());
      text.setLeft(text.left() + 28);
    }
    painter->drawText(
        text, index.data(Qt::TextAlignmentRole).toInt(),
        painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, text.width()));
    painter->restore();
  }
  [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const bool name = index.column() == CostModel::Name;
    const QFontMetrics metrics(name ? option.font : smallFont());
    return {metrics.horizontalAdvance(index.data().toString()) + (name ? 42 : 12), 28};
  }
};

// A long value of a column. Widths come from these and not from the values at hand, so that no column comes
// and goes while a slider moves.
QString longValue(int column) {
  switch (column) {
    case CostModel::Name:
      return QStringLiteral("Full attention");
    case CostModel::Tiles:
      return QStringLiteral("1,234 of 1,024");
    case CostModel::Error:
      return QStringLiteral("0.1234");
    case CostModel::Memory:
    case CostModel::Plan:
    case CostModel::Time:
      return QStringLiteral("12.3 ms");
    default:
      return QStringLiteral("99.9 %");
  }
}

}  // namespace

CostTable::CostTable(CostModel* model, QWidget* parent)
    : QWidget(parent),
      m_model(model),
      m_view(new QTableView(this)),
      m_chart(new ParetoPlot(this)),
      m_bar(new QHBoxLayout),
      m_asChart(new QToolButton(this)),
      m_pages(new QStackedWidget(this)),
      m_summary(makeNote({}, this)) {
  m_view->setModel(model);
  m_view->setItemDelegate(new CostDelegate(m_view));
  m_view->setShowGrid(false);
  m_view->setSelectionMode(QAbstractItemView::NoSelection);
  m_view->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_view->setTabKeyNavigation(false);  // arrows go from cell to cell, Tab goes on to what comes next
  m_view->verticalHeader()->hide();
  m_view->verticalHeader()->setDefaultSectionSize(28);
  m_view->horizontalHeader()->setHighlightSections(false);
  m_view->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  m_view->horizontalHeader()->setSectionResizeMode(CostModel::Name, QHeaderView::Stretch);
  m_view->horizontalHeader()->setMinimumSectionSize(40);
  m_view->horizontalHeader()->setFont(smallFont());
  m_view->setAccessibleName(tr("Fidelity and cost of the columns"));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 8, 0, 0);
  layout->setSpacing(6);
  auto* heading = makeHeading(tr("Fidelity and cost"), this);
  heading->setContentsMargins(12, 2, 0, 0);
  m_asChart->setObjectName(QStringLiteral("asChart"));
  m_asChart->setText(tr("Chart"));
  m_asChart->setToolTip(tr("Output error against cost: which columns are worth their price"));
  m_asChart->setCheckable(true);
  m_asChart->setProperty("framed", true);
  m_summary->setObjectName(QStringLiteral("costSummary"));
  m_summary->setWordWrap(false);
  m_summary->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  m_summary->hide();
  m_bar->setContentsMargins(0, 0, 10, 0);
  m_bar->addWidget(heading);
  m_bar->addWidget(m_summary, 1);
  m_bar->addStretch(0);
  m_bar->addWidget(m_asChart);
  layout->addLayout(m_bar);
  m_pages->addWidget(m_view);
  m_pages->addWidget(m_chart);
  layout->addWidget(m_pages, 1);
  connect(m_asChart, &QToolButton::toggled, m_pages,
          [this](bool on) { m_pages->setCurrentIndex(on ? 1 : 0); });
  connect(model, &QAbstractItemModel::dataChanged, this, &CostTable::updateChart);
  connect(model, &QAbstractItemModel::modelReset, this, &CostTable::updateChart);
  updateChart();
  auto* copy = new QShortcut(QKeySequence::Copy, this);
  copy->setContext(Qt::WidgetWithChildrenShortcut);
  connect(copy, &QShortcut::activated, this,
          [model] { QGuiApplication::clipboard()->setText(model->text()); });
}

void CostTable::setTheme(const PlotTheme& theme) {
  m_chart->setTheme(theme);
}

void CostTable::updateChart() {
  std::vector<Trade> trades;
  for (int row = 0; row < m_model->rowCount(); ++row) {
    const auto value = [&](int column) {
      return m_model->data(m_model->index(row, column), CostModel::SortRole);
    };
    const QVariant error = value(CostModel::Error);
    const QVariant flops = value(CostModel::Flops);
    if (!error.isValid() || !(flops.toDouble() > 0.0)) continue;
    trades.push_back({row, value(CostModel::Name).toString(), flops.toDouble(), error.toDouble()});
  }
  m_chart->setTrades(std::move(trades));
  updateSummary();
}

void CostTable::updateSummary() {
  QStringList parts;
  for (int row = 0; row < m_model->rowCount(); ++row) {
    const QString mass = m_model->data(m_model->index(row, CostModel::Mass), Qt::DisplayRole).toString();
    parts << tr("%1 %2").arg(columnLetter(row)).arg(mass);
  }
  m_summary->setText(tr("mass: %1").arg(parts.join(QStringLiteral(" · "))));
  m_summary->setToolTip(tr("Share of full attention's weight on the pairs that each column reads"));
}

void CostTable::setFolded(bool folded) {
  m_summary->setVisible(folded);
  m_asChart->setVisible(!folded);
  m_pages->setVisible(!folded);
}

void CostTable::addTrailing(QWidget* widget) {
  m_bar->addWidget(widget);
}

void CostTable::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fitColumns();
}

void CostTable::fitColumns() {
  QHeaderView* header = m_view->horizontalHeader();
  std::array<int, CostModel::ColumnCount> widths{};
  int needed = 0;
  for (int column = 0; column < CostModel::ColumnCount; ++column) {
    m_view->setColumnHidden(column, false);  // a hidden section does not say how wide it would be
    const bool name = column == CostModel::Name;
    const QFontMetrics metrics(name ? font() : smallFont());
    int& width = widths[static_cast<std::size_t>(column)];
    width = std::max({metrics.horizontalAdvance(longValue(column)) + (name ? 42 : 12),
                      header->sectionSizeHint(column), header->minimumSectionSize()});
    needed += width;
  }
  // What matters least goes first where all would not fit; copying always takes everything.
  for (const int column : {CostModel::Memory, CostModel::Plan, CostModel::Flops, CostModel::Pairs,
                           CostModel::Tiles, CostModel::Cells, CostModel::Time}) {
    if (needed <= width()) break;
    m_view->setColumnHidden(column, true);
    needed -= widths[static_cast<std::size_t>(column)];
  }
}

}  // namespace attnscope
