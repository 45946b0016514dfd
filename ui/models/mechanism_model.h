// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractItemModel>
#include <QHash>
#include <QImage>
#include <QSortFilterProxyModel>
#include <vector>

#include "core/mechanisms/mechanism.h"
#include "ui/state/document.h"

namespace attnscope {

// The catalogue as a tree of two levels, families and their mechanisms, with live pictures and the letters of
// the columns in which each mechanism stands.
class MechanismModel final : public QAbstractItemModel {
  Q_OBJECT

 public:
  enum Roles {
    IdRole = Qt::UserRole,  // QString, empty for a family
    PictureRole,            // QImage, null until it is made
    SubtitleRole,           // "n log n · 2020"
    ColumnsRole,            // QList<int>: columns that show it
    SearchRole,             // what the search box looks through
  };

  explicit MechanismModel(const Document* document, QObject* parent = nullptr);

  [[nodiscard]] QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  [[nodiscard]] QModelIndex parent(const QModelIndex& child) const override;
  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] Qt::ItemFlags flags(const QModelIndex& index) const override;

  [[nodiscard]] QModelIndex indexOf(const QString& mechanism) const;
  void setPicture(const QString& mechanism, const QImage& picture);

 private:
  struct Group {
    Family family;
    std::vector<const Mechanism*> members;
  };
  [[nodiscard]] const Mechanism* mechanismAt(const QModelIndex& index) const;
  [[nodiscard]] QVariant mechanismData(const Mechanism& mechanism, int role) const;
  void updateColumns();

  const Document* m_document;
  std::vector<Group> m_groups;
  QHash<QString, QImage> m_pictures;
};

// Keeps mechanisms whose name, paper, authors, year or complexity contain every word of the search.
class MechanismFilter final : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  explicit MechanismFilter(QObject* parent = nullptr);
  void setWords(const QString& text);

 protected:
  [[nodiscard]] bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

 private:
  QStringList m_words;
};

}  // namespace attnscope
