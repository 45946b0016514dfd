// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/bottom_panel.h"

#include <QSplitter>
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
  m_splitter->setSizes({360, 510});
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(m_splitter);
  m_fold->setObjectName(QStringLiteral("fold"));
  m_fold->setAutoRaise(true);
  m_costs->addTrailing(m_fold);
  connect(m_fold, &QToolButton::clicked, this, [this] { setFolded(!m_folded); });
  connect(m_scaling, &ScalingPanel::measuring, this, [this] { setFolded(false); });
  m_folded = true;  // so that the next line sets up the button
  setFolded(false);
}

void BottomPanel::setFolded(bool folded) {
  if (folded == m_folded) return;
  m_folded = folded;
  m_scaling->setFolded(folded);
  m_costs->setFolded(folded);
  m_fold->setIcon(glyphIcon(folded ? Glyph::ChevronUp : Glyph::ChevronDown));
  const QString text =
      folded ? tr("Unfold the measurements (Ctrl+J)") : tr("Fold the measurements to one line (Ctrl+J)");
  m_fold->setToolTip(text);
  m_fold->setAccessibleName(text);
  setMaximumHeight(folded ? m_splitter->sizeHint().height() : QWIDGETSIZE_MAX);
  Q_EMIT foldedChanged(folded);
}

}  // namespace attnscope
