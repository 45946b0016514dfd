// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QPointer>

namespace attnscope {

class ComputeService;
class Document;

// What each column costs on the input at hand, one row a column of the wall: counted from the executed plan,
// timed here.
class CostModel final : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Columns { Name, Cells, Tiles, Pairs, Flops, Memory, Plan, Time, ColumnCount };
  enum Roles { SortRole = Qt::UserRole, LetterRole };

  CostModel(const Document* document, const ComputeService* service, QObject* parent = nullptr);

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  // The table as text with tabs, for the clipboard.
  [[nodiscard]] QString text() const;

 private:
  [[nodiscard]] QVariant value(int row, int column) const;

  const Document* m_document;
  const ComputeService* m_service;
  int m_rows = 0;
};

}  // namespace attnscope
