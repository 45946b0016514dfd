// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QToolButton;
class QTimer;

namespace attnscope {

class ComputeService;
class Document;
class InputShade;
class MarginalService;
class PairTable;
class ReachService;
class RowCurve;
class RowReader;
class ViewLink;

// The pair under the cross-hair in words: who reads whom, with which weight and rank in every column, and
// why; the whole row as curves and on the input itself; what the selected mechanism is. While the cursor is
// elsewhere it shows the pair that was clicked.
class Inspector final : public QWidget {
  Q_OBJECT

 public:
  Inspector(Document* document, ComputeService* service, ReachService* reach, MarginalService* marginals,
            ViewLink* link, QWidget* parent = nullptr);

  // Everything that is shown, as text.
  [[nodiscard]] QString text() const;
  [[nodiscard]] bool isIdle() const;

 Q_SIGNALS:
  void updated();

 private:
  void ask();
  void showReading();
  void showShade();
  void showCard();
  void showGroup();
  void showPairTitle();
  void showHops();
  void showSums();
  void speak();

  Document* m_document;
  ComputeService* m_service;
  ReachService* m_reach;
  MarginalService* m_marginals;
  ViewLink* m_link;
  RowReader* m_reader;
  QTimer* m_askSoon;
  QWidget* m_groupBox;
  QLabel* m_group;       // what is selected in the insides
  QLabel* m_groupWords;  // its first tokens
  QLabel* m_pair;
  QLabel* m_position;
  QLabel* m_hops;  // layers until the pair is connected
  QLabel* m_sums;  // what the key receives, over how many keys the query spreads
  QLabel* m_hint;
  PairTable* m_table;
  QLabel* m_rowHeading;
  QToolButton* m_alongQueries;
  RowCurve* m_curve;
  QLabel* m_shadeHeading;
  InputShade* m_shade;
  QLabel* m_formulaHeading;
  QLabel* m_formula;
  QLabel* m_summary;
};

}  // namespace attnscope
