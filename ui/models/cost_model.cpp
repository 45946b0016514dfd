// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/cost_model.h"

#include <cmath>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "core/plan/tile_map.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/fidelity_service.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

bool isFidelity(int column) {
  return column == CostModel::Mass || column == CostModel::Recall || column == CostModel::Error;
}

QString formatted(int column, double value) {
  switch (column) {
    case CostModel::Mass:
    case CostModel::Recall:
    case CostModel::Cells:
      return toQ(percentText(value));
    case CostModel::Error:
      return toQ(numberText(value));
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
    case CostModel::Mass:
      return QT_TR_NOOP("share of full attention's weight on keys that this mechanism reads");
    case CostModel::Recall:
      return QT_TR_NOOP(
          "share of the 8 keys that full attention weighs most which are among the 8 that this mechanism "
          "weighs most; mean over rows and heads");
    case CostModel::Error:
      return QT_TR_NOOP(
          "output error: size of the difference to full attention's output, relative to the size of that "
          "output");
    case CostModel::Cells:
      return QT_TR_NOOP("share of all pairs whose value reaches the output");
    case CostModel::Tiles:
      return QT_TR_NOOP(
          "64 x 64 tiles that a kernel executes for one head, and that number relative to the tiles of the "
          "whole square; beyond 100 % where several steps execute a part of the same tile each");
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

TileCounts tileCounts(const Exploration& exploration) {
  const Shape shape = exploration.input.shape();
  const Index rows = (shape.nQ + kTile - 1) / kTile;
  const Index columns = (shape.nK + kTile - 1) / kTile;
  return {std::round(exploration.cost.tiles / static_cast<double>(shape.heads)),
          static_cast<double>(rows * columns)};
}

QString tileCountText(double count) {
  return toQ(count < 1e5 ? countText(static_cast<std::int64_t>(count)) : compactText(count));
}

QString tileShareText(TileCounts tiles) {
  return tiles.executed > 0.0 ? toQ(percentText(tiles.executed / tiles.square)) : QObject::tr("no");
}

QString tileSentence(TileCounts tiles) {
  if (tiles.executed <= 0.0) return QObject::tr("It computes no scores, and so executes no tiles.");
  const QString counts = QObject::tr("A head executes %1 tiles of 64 x 64 scores; the whole square has %2.")
                             .arg(tileCountText(tiles.executed), tileCountText(tiles.square));
  if (tiles.executed <= tiles.square) return counts;
  return counts + QLatin1Char(' ') +
         QObject::tr("It is more because several steps execute a part of the same tile each.");
}

CostModel::CostModel(const Document* document, const ComputeService* service, const FidelityService* fidelity,
                     QObject* parent)
    : QAbstractTableModel(parent),
      m_document(document),
      m_service(service),
      m_fidelity(fidelity),
      m_rows(document->columnCount()) {
  connect(document, &Document::columnsChanged, this, [this] {
    beginResetModel();
    m_rows = m_document->columnCount();
    endResetModel();
  });
  connect(service, &ComputeService::columnUpdated, this, [this](int column) {
    if (column < m_rows) Q_EMIT dataChanged(index(column, 0), index(column, ColumnCount - 1));
  });
  connect(fidelity, &FidelityService::updated, this, [this](int column) {
    if (column < m_rows) Q_EMIT dataChanged(index(column, Mass), index(column, Error));
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
  if (isFidelity(column)) return fidelityValue(row, column);
  const Cost& cost = exploration->cost;
  switch (column) {
    case Cells:
      return cost.cellDensity;
    case Tiles:
      return tileCounts(*exploration).executed;
    case Pairs:
      return cost.pairs;
    case Flops:
      return cost.flops;
    case Memory:
      return cost.peakBytes;
    case Plan:
      return exploration->planSeconds;
    case Time:
      return exploration->hasPass() ? QVariant(exploration->runSeconds) : QVariant();
    default:
      return {};
  }
}

QVariant CostModel::fidelityValue(int row, int column) const {
  const std::optional<Fidelity> fidelity = m_fidelity->of(row).fidelity;
  if (!fidelity) return {};
  if (column == Recall) return fidelity->recall;
  if (column == Error) return fidelity->outputError;
  return std::isnan(fidelity->capturedMass) ? QVariant() : QVariant(fidelity->capturedMass);
}

QString CostModel::valueText(int row, int column) const {
  const QVariant number = value(row, column);
  if (!number.isValid()) return tr("–");
  const Exploration& exploration = *m_service->column(row).exploration;
  // Sampled until a pass has run.
  const QString about = exploration.hasPass() || column == Plan ? QString() : QStringLiteral("≈ ");
  if (column != Tiles) return about + formatted(column, number.toDouble());
  const TileCounts tiles = tileCounts(exploration);
  if (tiles.executed <= 0.0) return tr("none");
  return about + tr("%1 (%2)").arg(tileCountText(tiles.executed), tileShareText(tiles));
}

QString CostModel::reasonForNone(int row, int column) const {
  if (!isFidelity(column) || value(row, column).isValid()) return {};
  const FidelityResult result = m_fidelity->of(row);
  return result.fidelity ? tr("It reads slots that mix tokens, so no key is left out or read by itself.")
                         : result.why;
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
  if (role == SortRole) return value(index.row(), index.column());
  if (role == Qt::DisplayRole) return valueText(index.row(), index.column());
  if (role == Qt::ToolTipRole) {
    const auto& exploration = m_service->column(index.row()).exploration;
    if (index.column() == Tiles && exploration) return tileSentence(tileCounts(*exploration));
    return reasonForNone(index.row(), index.column());
  }
  return {};
}

QVariant CostModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
  if (role == Qt::ToolTipRole) return tr(headerHelp(section));
  if (role == Qt::TextAlignmentRole) return QVariant(section == Name ? Qt::AlignLeft : Qt::AlignRight);
  if (role != Qt::DisplayRole) return {};
  const QStringList names{QString(),   tr("mass"),  tr("recall@8"), tr("error"), tr("cells"), tr("tiles"),
                          tr("pairs"), tr("FLOPs"), tr("memory"),   tr("plan"),  tr("pass")};
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
