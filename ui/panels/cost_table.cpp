// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/cost_table.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHeaderView>
#include <QPainter>
#include <QShortcut>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "ui/icons.h"
#include "ui/models/cost_model.h"
#include "ui/panels/heading.h"
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
    painter->drawText(text, index.data(Qt::TextAlignmentRole).toInt(), index.data().toString());
    painter->restore();
  }
  [[nodiscard]] QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    const bool name = index.column() == CostModel::Name;
    const QFontMetrics metrics(name ? option.font : smallFont());
    return {metrics.horizontalAdvance(index.data().toString()) + (name ? 42 : 12), 28};
  }
};

}  // namespace

CostTable::CostTable(CostModel* model, QWidget* parent) : QWidget(parent), m_view(new QTableView(this)) {
  m_view->setModel(model);
  m_view->setItemDelegate(new CostDelegate(m_view));
  m_view->setShowGrid(false);
  m_view->setSelectionMode(QAbstractItemView::NoSelection);
  m_view->setEditTriggers(QAbstractItemView::NoEditTriggers);
  m_view->verticalHeader()->hide();
  m_view->verticalHeader()->setDefaultSectionSize(28);
  m_view->horizontalHeader()->setHighlightSections(false);
  m_view->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  m_view->horizontalHeader()->setSectionResizeMode(CostModel::Name, QHeaderView::Stretch);
  m_view->horizontalHeader()->setMinimumSectionSize(40);
  m_view->horizontalHeader()->setFont(smallFont());
  m_view->setAccessibleName(tr("Cost of the columns"));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 8, 0, 0);
  layout->setSpacing(6);
  auto* heading = makeHeading(tr("Cost on this input"), this);
  heading->setContentsMargins(12, 2, 0, 0);
  layout->addWidget(heading);
  layout->addWidget(m_view, 1);
  auto* copy = new QShortcut(QKeySequence::Copy, this);
  copy->setContext(Qt::WidgetWithChildrenShortcut);
  connect(copy, &QShortcut::activated, this,
          [model] { QGuiApplication::clipboard()->setText(model->text()); });
}

void CostTable::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  // What matters least goes first where all would not fit; copying always takes everything.
  m_view->setColumnHidden(CostModel::Memory, width() < 520);
  m_view->setColumnHidden(CostModel::Plan, width() < 440);
}

}  // namespace attnscope
