// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/mechanism_model.h"

#include <algorithm>

#include "core/mechanisms/registry.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

QString toolTipOf(const MechanismCard& card) {
  QString text = QStringLiteral("<p><b>%1</b>").arg(toQ(card.name).toHtmlEscaped());
  if (!card.paper.empty())
    text += QStringLiteral(" (%1)<br>%2").arg(card.year).arg(toQ(card.paper).toHtmlEscaped());
  text += QStringLiteral("</p><p>%1</p>").arg(toQ(card.summary).toHtmlEscaped());
  if (!card.paper.empty())
    text += QStringLiteral("<p>%1: %2</p>")
                .arg(QObject::tr("complexity in the survey"), toQ(card.surveyComplexity).toHtmlEscaped());
  if (!card.ours.empty())
    text += QStringLiteral("<p>%1 %2</p>")
                .arg(QObject::tr("Ours, not the paper's:"), toQ(card.ours).toHtmlEscaped());
  return text;
}

}  // namespace

MechanismModel::MechanismModel(const Document* document, QObject* parent)
    : QAbstractItemModel(parent), m_document(document) {
  for (const Mechanism* mechanism : allMechanisms()) {
    const Family family = mechanism->card().family;
    auto group = std::find_if(m_groups.begin(), m_groups.end(),
                              [family](const Group& g) { return g.family == family; });
    if (group == m_groups.end()) group = m_groups.insert(m_groups.end(), Group{family, {}});
    group->members.push_back(mechanism);
  }
  connect(m_document, &Document::columnsChanged, this, &MechanismModel::updateColumns);
}

QModelIndex MechanismModel::index(int row, int column, const QModelIndex& parent) const {
  if (!hasIndex(row, column, parent)) return {};
  // Families carry 0, mechanisms the number of their family plus one.
  return createIndex(row, column, parent.isValid() ? static_cast<quintptr>(parent.row()) + 1 : quintptr{0});
}

QModelIndex MechanismModel::parent(const QModelIndex& child) const {
  if (!child.isValid() || child.internalId() == 0) return {};
  return createIndex(static_cast<int>(child.internalId()) - 1, 0, quintptr{0});
}

int MechanismModel::rowCount(const QModelIndex& parent) const {
  if (!parent.isValid()) return static_cast<int>(m_groups.size());
  if (parent.internalId() != 0 || parent.column() != 0) return 0;
  return static_cast<int>(m_groups[static_cast<std::size_t>(parent.row())].members.size());
}

int MechanismModel::columnCount(const QModelIndex&) const {
  return 1;
}

const Mechanism* MechanismModel::mechanismAt(const QModelIndex& index) const {
  if (!index.isValid() || index.internalId() == 0) return nullptr;
  return m_groups[static_cast<std::size_t>(index.internalId()) - 1]
      .members[static_cast<std::size_t>(index.row())];
}

QVariant MechanismModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid()) return {};
  if (const Mechanism* mechanism = mechanismAt(index)) return mechanismData(*mechanism, role);
  if (role == Qt::DisplayRole)
    return QString::fromUtf8(familyName(m_groups[static_cast<std::size_t>(index.row())].family));
  return {};
}

QVariant MechanismModel::mechanismData(const Mechanism& mechanism, int role) const {
  const MechanismCard& card = mechanism.card();
  switch (role) {
    case Qt::DisplayRole:
      return toQ(card.name);
    case Qt::ToolTipRole:
      return toolTipOf(card);
    case Qt::AccessibleDescriptionRole:
      return toQ(card.summary);
    case IdRole:
      return toQ(card.id);
    case PictureRole:
      return m_pictures.value(toQ(card.id));
    case SubtitleRole:
      return card.year > 0 ? tr("%1 · %2").arg(toQ(card.surveyComplexity)).arg(card.year)
                           : toQ(card.surveyComplexity);
    case SearchRole:
      return QStringLiteral("%1 %2 %3 %4 %5 %6")
          .arg(toQ(card.id), toQ(card.name), toQ(card.paper), toQ(card.authors))
          .arg(card.year)
          .arg(toQ(card.surveyComplexity));
    case ColumnsRole: {
      QList<int> columns;
      for (int i = 0; i < m_document->columnCount(); ++i)
        if (m_document->state().columns[static_cast<std::size_t>(i)].id == card.id) columns << i;
      return QVariant::fromValue(columns);
    }
    default:
      return {};
  }
}

Qt::ItemFlags MechanismModel::flags(const QModelIndex& index) const {
  if (!index.isValid()) return Qt::NoItemFlags;
  if (index.internalId() == 0) return Qt::ItemIsEnabled;
  return Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemNeverHasChildren;
}

QModelIndex MechanismModel::indexOf(const QString& mechanism) const {
  const std::string id = toStd(mechanism);
  for (std::size_t g = 0; g < m_groups.size(); ++g)
    for (std::size_t i = 0; i < m_groups[g].members.size(); ++i)
      if (m_groups[g].members[i]->card().id == id)
        return createIndex(static_cast<int>(i), 0, quintptr{g + 1});
  return {};
}

void MechanismModel::setPicture(const QString& mechanism, const QImage& picture) {
  const QModelIndex index = indexOf(mechanism);
  if (!index.isValid()) return;
  m_pictures.insert(mechanism, picture);
  Q_EMIT dataChanged(index, index, {PictureRole});
}

void MechanismModel::updateColumns() {
  for (int g = 0; g < rowCount(); ++g) {
    const QModelIndex family = index(g, 0);
    const int rows = rowCount(family);
    if (rows > 0) Q_EMIT dataChanged(index(0, 0, family), index(rows - 1, 0, family), {ColumnsRole});
  }
}

MechanismFilter::MechanismFilter(QObject* parent) : QSortFilterProxyModel(parent) {
  setRecursiveFilteringEnabled(true);  // a family is shown with what is left of it
}

void MechanismFilter::setWords(const QString& text) {
  m_words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
  invalidateFilter();
}

bool MechanismFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
  if (!parent.isValid()) return false;  // families stand or fall with their members
  const QString text = sourceModel()->index(row, 0, parent).data(MechanismModel::SearchRole).toString();
  return std::all_of(m_words.begin(), m_words.end(),
                     [&text](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

}  // namespace attnscope
