// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/scaling_panel.h"

#include <QClipboard>
#include <QComboBox>
#include <QContextMenuEvent>
#include <QCoreApplication>
#include <QFileDialog>
#include <QGuiApplication>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSaveFile>
#include <QStackedLayout>
#include <QVBoxLayout>
#include <array>

#include "core/base/units.h"
#include "core/mechanisms/registry.h"
#include "kernels/backend_registry.h"
#include "kernels/bench/sweep_file.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/panels/heading.h"
#include "ui/plots/panel.h"
#include "ui/state/document.h"
#include "ui/state/text.h"

namespace attnscope {

ScalingPanel::ScalingPanel(Document* document, const ComputeService* service, ScalingRunner* runner,
                           QWidget* parent)
    : QWidget(parent),
      m_document(document),
      m_service(service),
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
  bar->addWidget(makeHeading(tr("Scaling"), this));
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
    fillMenu(menu);
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
  request.device = m_service->deviceChoice().device;
  request.precision = m_service->deviceChoice().precision;
  request.secondsPerPoint =
      0.5;  // a window answers sooner than a paper needs; `attnscope bench` measures longer
  const SweepRequest& last = m_runner->request();
  if (m_runner->isUnfinished() && last.specs == request.specs && last.lengths == request.lengths &&
      last.device == request.device && last.precision == request.precision)
    request.known = m_runner->points();
  m_overlay.clear();
  m_plot->clear();
  m_plot->setOverlay({});
  m_plot->setCurves(names, colors);
  Q_EMIT measuring();
  m_runner->start(request);
}

void ScalingPanel::fillMenu(QMenu& menu) {
  menu.addAction(tr("Export the curves…"), this, &ScalingPanel::exportAsked);
  menu.addAction(tr("Copy as command line"), this, [this] {
    QGuiApplication::clipboard()->setText(toQ(benchCommandLine(m_runner->request())));
  });
  menu.addSeparator();
  menu.addAction(tr("Save the measurement…"), this, &ScalingPanel::save);
  menu.addAction(tr("Lay another measurement under it…"), this, &ScalingPanel::chooseOverlay);
  if (!m_overlay.empty())
    menu.addAction(tr("Take the other measurement away"), this, [this] {
      m_overlay.clear();
      m_plot->setOverlay({});
    });
  QMenu* theory = menu.addMenu(tr("Draw beside the curves"));
  const std::array<std::pair<const char*, QString>, 4> choices{{{"none", tr("Nothing")},
                                                                {"pairs", tr("Pairs compared")},
                                                                {"flops", tr("FLOPs counted")},
                                                                {"bytes", tr("Memory counted")}}};
  for (const auto& [name, text] : choices) {
    QAction* action = theory->addAction(text, this, [this, chosen = name] {
      m_theory = chosen;
      m_plot->setTheory(chosen);
    });
    action->setCheckable(true);
    action->setChecked(m_theory == name);
  }
}

void ScalingPanel::save() {
  const QString path = QFileDialog::getSaveFileName(
      this, tr("Save the measurement"), QStringLiteral("scaling.json"), tr("Measurements (*.json)"));
  if (path.isEmpty()) return;
  const auto backend = findBackend(m_runner->request().device);
  const SweepRun run{m_runner->request(), m_runner->points(),
                     backend ? (*backend)->info().name : std::string(),
                     "attnscope " + QCoreApplication::applicationVersion().toStdString()};
  QSaveFile file(path);
  const QByteArray text = QByteArray::fromStdString(sweepJson(run));
  if (!file.open(QIODevice::WriteOnly) || file.write(text) != text.size() || !file.commit())
    Q_EMIT failed(tr("%1 was not written: %2. Choose another folder or name.").arg(path, file.errorString()));
}

void ScalingPanel::chooseOverlay() {
  const QString path =
      QFileDialog::getOpenFileName(this, tr("Open a measurement"), {}, tr("Measurements (*.json)"));
  if (!path.isEmpty()) layUnder(path);
}

void ScalingPanel::layUnder(const QString& path) {
  const auto run = readSweep(path.toStdString());
  if (!run) {
    Q_EMIT failed(toQ(run.error().message));
    return;
  }
  const auto points = overlayPoints(*run, m_runner->request().specs);
  if (!points) {
    Q_EMIT failed(toQ(points.error().message));
    return;
  }
  m_overlay = *points;
  m_plot->setOverlay(m_overlay);
}

void ScalingPanel::refresh() {
  const bool any = m_runner->isRunning() || !m_runner->points().empty();
  m_hint->setVisible(!any && !m_folded);
  m_plot->setVisible(any && !m_folded);
  m_measure->setText(m_runner->isRunning()      ? tr("Stop")
                     : m_runner->isUnfinished() ? tr("Go on")
                     : any                      ? tr("Measure again")
                                                : tr("Measure"));
  if (any) m_plot->setPoints(m_runner->points());
}

void ScalingPanel::setFolded(bool folded) {
  m_folded = folded;
  m_longest->setVisible(!folded);
  refresh();
}

void ScalingPanel::setTheme(const PlotTheme& theme) {
  m_plot->setTheme(theme);
}

}  // namespace attnscope
