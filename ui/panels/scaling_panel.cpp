// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/scaling_panel.h"

#include <QComboBox>
#include <QContextMenuEvent>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QStackedLayout>
#include <QVBoxLayout>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/panels/heading.h"
#include "ui/plots/panel.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

ScalingPanel::ScalingPanel(Document* document, ScalingRunner* runner, QWidget* parent)
    : QWidget(parent),
      m_document(document),
      m_runner(runner),
      m_plot(new ScalingPlot(this)),
      m_hint(makeNote(
          tr("Nothing measured yet. The clock runs each mechanism of the wall on inputs from 256 tokens up, "
             "all in turn at each length, and fits time = c · nᵅ."),
          this)),
      m_longest(new QComboBox(this)),
      m_measure(new QPushButton(tr("Measure"), this)) {
  for (const Index length : {4096, 16384, 65536})
    m_longest->addItem(tr("to n = %1").arg(toQ(countText(length))), QVariant::fromValue<qlonglong>(length));
  m_longest->setAccessibleName(tr("Longest input"));
  m_measure->setToolTip(tr("Measure the columns of the wall against length, here and now (F6)"));
  m_measure->setObjectName(QStringLiteral("measure"));
  m_hint->setAlignment(Qt::AlignCenter);
  m_hint->setMargin(24);
  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(12, 7, 10, 0);
  bar->addWidget(makeHeading(tr("Scaling · time measured here"), this));
  bar->addStretch(1);
  bar->addWidget(m_longest);
  bar->addWidget(m_measure);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 4);
  layout->setSpacing(2);
  layout->addLayout(bar);
  layout->addWidget(m_hint, 1);
  layout->addWidget(m_plot, 1);
  m_plot->setContextMenuPolicy(Qt::CustomContextMenu);
  connect(m_plot, &QWidget::customContextMenuRequested, this, [this](const QPoint& position) {
    QMenu menu(this);
    menu.addAction(tr("Export the curves…"), this, &ScalingPanel::exportAsked);
    menu.exec(m_plot->mapToGlobal(position));
  });
  connect(m_measure, &QPushButton::clicked, this,
          [this] { m_runner->isRunning() ? m_runner->cancel() : measure(); });
  connect(m_runner, &ScalingRunner::started, this, &ScalingPanel::refresh);
  connect(m_runner, &ScalingRunner::pointsChanged, this, &ScalingPanel::refresh);
  connect(m_runner, &ScalingRunner::finished, this, [this](const QString& error) {
    refresh();
    if (!error.isEmpty()) Q_EMIT failed(error);
  });
  refresh();
}

void ScalingPanel::measure() {
  SweepRequest request;
  QStringList names;
  QList<QColor> colors;
  for (int i = 0; i < m_document->columnCount(); ++i) {
    request.specs.push_back(callSpec(m_document->state(), i));
    const auto found = findMechanism(request.specs.back().id);
    names << (found ? toQ((*found)->card().name) : toQ(request.specs.back().id));
    colors << columnColor(i);
  }
  const Index longest = m_longest->currentData().toLongLong();
  for (Index n = 256; n <= longest; n *= 2) request.lengths.push_back(n);
  request.secondsPerPoint =
      0.5;  // a window answers sooner than a paper needs; `attnscope bench` measures longer
  m_plot->clear();
  m_plot->setCurves(names, colors);
  m_runner->start(request);
}

void ScalingPanel::refresh() {
  const bool any = m_runner->isRunning() || !m_runner->points().empty();
  m_hint->setVisible(!any);
  m_plot->setVisible(any);
  m_measure->setText(m_runner->isRunning() ? tr("Stop") : any ? tr("Measure again") : tr("Measure"));
  if (any) m_plot->setPoints(m_runner->points());
}

void ScalingPanel::setTheme(const PlotTheme& theme) {
  m_plot->setTheme(theme);
}

}  // namespace attnscope
