// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAbstractTableModel>
#include <QPointer>

namespace attnscope {

class ComputeService;
class Document;
class FidelityService;
struct Exploration;

// 64 x 64 tiles that a head executes on average, and how many its square has. These are amounts of work, no
// part and whole: steps with a part of the same tile execute it each, and tiles of a sorted order or of slots
// are no tiles of the square. So they are never written as "7 of 4".
struct TileCounts {
  double executed = 0.0;
  double square = 0.0;
};
[[nodiscard]] TileCounts tileCounts(const Exploration& exploration);
[[nodiscard]] QString tileCountText(double count);      // exact as long as that is short
[[nodiscard]] QString tileShareText(TileCounts tiles);  // "175 %", or "no"
[[nodiscard]] QString tileSentence(TileCounts tiles);   // both numbers, and what they mean

// What each column loses against full attention and what it costs on the input at hand, one row a column of
// the wall: counted from the executed plan, timed here.
class CostModel final : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Columns { Name, Mass, Recall, Error, Cells, Tiles, Pairs, Flops, Memory, Plan, Time, ColumnCount };
  enum Roles { SortRole = Qt::UserRole, LetterRole };

  CostModel(const Document* document, const ComputeService* service, const FidelityService* fidelity,
            QObject* parent = nullptr);

  [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
  [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
  [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  // The table as text with tabs, for the clipboard.
  [[nodiscard]] QString text() const;

 private:
  [[nodiscard]] QVariant value(int row, int column) const;  // invalid: none
  [[nodiscard]] QVariant fidelityValue(int row, int column) const;
  [[nodiscard]] QString valueText(int row, int column) const;
  [[nodiscard]] QString reasonForNone(int row, int column) const;

  const Document* m_document;
  const ComputeService* m_service;
  const FidelityService* m_fidelity;
  int m_rows = 0;
};

}  // namespace attnscope
