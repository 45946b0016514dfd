// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/cost_model.h"

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/compute_service.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

QString formatted(int column, double value) {
  switch (column) {
    case CostModel::Cells:
    case CostModel::Tiles:
      return toQ(percentText(value));
    case CostModel::Memory:
      return toQ(bytesText(value));
    case CostModel::Plan:
    case CostModel::Time:
      return toQ(durationText(value));
    default:
      return toQ(compactText(value));
  }
}

const char* headerHelp(int column) {
  switch (column) {
    case CostModel::Cells:
      return QT_TR_NOOP("share of all pairs whose value reaches the output");
    case CostModel::Tiles:
      return QT_TR_NOOP("share of all 64 x 64 tiles that a kernel executes");
    case CostModel::Pairs:
      return QT_TR_NOOP("scores computed, all heads");
    case CostModel::Flops:
      return QT_TR_NOOP("floating point operations, all heads; a multiply-add is two");
    case CostModel::Memory:
      return QT_TR_NOOP("buffers, tile maps and packed copies that exist at the same time");
    case CostModel::Plan:
      return QT_TR_NOOP("deciding who reads whom, and building the tile maps");
    case CostModel::Time:
      return QT_TR_NOOP("one forward pass of all heads on this device, measured once");
    default:
      return QT_TR_NOOP("column of the wall");
  }
}

}  // namespace

CostModel::CostModel(const Document* document, const ComputeService* service, QObject* parent)
    : QAbstractTableModel(parent), m_document(document), m_service(service), m_rows(document->columnCount()) {
  connect(document, &Document::columnsChanged, this, [this] {
    beginResetModel();
    m_rows = m_document->columnCount();
    endResetModel();
  });
  connect(service, &ComputeService::columnUpdated, this, [this](int column) {
    if (column < m_rows) Q_EMIT dataChanged(index(column, 0), index(column, ColumnCount - 1));
  });
}

int CostModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : m_rows;
}
int CostModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int{ColumnCount};
}

QVariant CostModel::value(int row, int column) const {
  const auto& exploration = m_service->column(row).exploration;
  if (!exploration) return {};
  const Cost& cost = exploration->cost;
  switch (column) {
    case Cells:
      return cost.cellDensity;
    case Tiles:
      return cost.tileDensity;
    case Pairs:
      return cost.pairs;
    case Flops:
      return cost.flops;
    case Memory:
      return cost.peakBytes;
    case Plan:
      return exploration->planSeconds;
    case Time:
      return exploration->runSeconds;
    default:
      return {};
  }
}

QVariant CostModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || index.row() >= m_document->columnCount()) return {};
  if (role == Qt::TextAlignmentRole)
    return QVariant(index.column() == Name ? Qt::AlignLeft | Qt::AlignVCenter
                                           : Qt::AlignRight | Qt::AlignVCenter);
  if (role == LetterRole) return index.row();
  if (index.column() == Name) {
    if (role != Qt::DisplayRole && role != SortRole) return {};
    const auto found = findMechanism(m_document->state().columns[static_cast<std::size_t>(index.row())].id);
    return found ? toQ((*found)->card().name) : QString();
  }
  const QVariant number = value(index.row(), index.column());
  if (role == SortRole) return number;
  if (role == Qt::DisplayRole)
    return number.isValid() ? formatted(index.column(), number.toDouble()) : tr("–");
  return {};
}

QVariant CostModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
  if (role == Qt::ToolTipRole) return tr(headerHelp(section));
  if (role == Qt::TextAlignmentRole) return QVariant(section == Name ? Qt::AlignLeft : Qt::AlignRight);
  if (role != Qt::DisplayRole) return {};
  const QStringList names{QString(),   tr("cells"),  tr("tiles"), tr("pairs"),
                          tr("FLOPs"), tr("memory"), tr("plan"),  tr("pass")};
  return names[section];
}

QString CostModel::text() const {
  QStringList lines;
  for (int row = -1; row < m_rows; ++row) {
    QStringList cells;
    for (int column = 0; column < ColumnCount; ++column)
      cells << (row < 0 ? headerData(column, Qt::Horizontal, Qt::DisplayRole)
                        : data(index(row, column), Qt::DisplayRole))
                   .toString();
    lines << cells.join(QLatin1Char('\t'));
  }
  return lines.join(QLatin1Char('\n')) + QLatin1Char('\n');
}

}  // namespace attnscope
