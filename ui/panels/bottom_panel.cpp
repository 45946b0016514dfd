// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/bottom_panel.h"

#include <QSplitter>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/icons.h"
#include "ui/panels/cost_table.h"
#include "ui/panels/scaling_panel.h"

namespace attnscope {

BottomPanel::BottomPanel(ScalingPanel* scaling, CostTable* costs, QWidget* parent)
    : QWidget(parent),
      m_scaling(scaling),
      m_costs(costs),
      m_splitter(new QSplitter(Qt::Horizontal, this)),
      m_fold(new QToolButton(this)) {
  m_splitter->setHandleWidth(1);
  m_splitter->setChildrenCollapsible(false);
  m_splitter->addWidget(m_scaling);
  m_splitter->addWidget(m_costs);
  m_splitter->setStretchFactor(0, 1);
  m_splitter->setStretchFactor(1, 1);
  m_sizes = {360, 510};
  m_splitter->setSizes(m_sizes);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(m_splitter);
  m_fold->setObjectName(QStringLiteral("fold"));
  m_fold->setAutoRaise(true);
  m_costs->addTrailing(m_fold);
  connect(m_fold, &QToolButton::clicked, this, [this] { setFolded(!m_folded); });
  connect(m_scaling, &ScalingPanel::measuring, this, [this] { setFolded(false); });
  showFold();
}

void BottomPanel::showFold() {
  m_fold->setIcon(glyphIcon(m_folded ? Glyph::ChevronUp : Glyph::ChevronDown));
  const QString text =
      m_folded ? tr("Unfold the measurements (Ctrl+J)") : tr("Fold the measurements to one line (Ctrl+J)");
  m_fold->setToolTip(text);
  m_fold->setAccessibleName(text);
}

void BottomPanel::setFolded(bool folded) {
  if (folded == m_folded) return;
  m_folded = folded;
  showFold();
  m_scaling->setFolded(folded);
  m_costs->setFolded(folded);
  // One line of headings: the numbers beside the second get the width. Later, when what was hidden no longer
  // counts.
  if (folded) m_sizes = m_splitter->sizes();
  QTimer::singleShot(0, this, [this] {
    m_splitter->setSizes(m_folded ? QList<int>{m_scaling->minimumSizeHint().width(), width()} : m_sizes);
  });
  setMaximumHeight(folded ? m_splitter->sizeHint().height() : QWIDGETSIZE_MAX);
  Q_EMIT foldedChanged(folded);
}

}  // namespace attnscope
