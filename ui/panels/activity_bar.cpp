// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/activity_bar.h"

#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>
#include <algorithm>

#include "core/base/units.h"
#include "ui/jobs/compute_service.h"
#include "ui/jobs/scaling_runner.h"
#include "ui/panels/device_menu.h"
#include "ui/panels/heading.h"
#include "ui/state/text.h"
#include "ui/theme.h"

namespace attnscope {

namespace {

constexpr double kShowAfterSeconds = 0.25;  // what is done before that needs no bar

// Why the CPU draws maps that a device was to draw.
std::string mapNote(const Exploration& exploration) {
  return exploration.matrix ? exploration.matrix->fellBack() : std::string();
}

}  // namespace

ActivityBar::ActivityBar(ComputeService* service, ScalingRunner* runner, QWidget* parent)
    : QStatusBar(parent),
      m_service(service),
      m_runner(runner),
      m_timer(new QTimer(this)),
      m_device(new QToolButton(this)),
      m_gpu(makeNote({}, this)),
      m_what(makeNote({}, this)),
      m_progress(new QProgressBar(this)),
      m_left(makeNote({}, this)),
      m_cancel(new QPushButton(tr("Cancel"), this)) {
  setSizeGripEnabled(false);
  setContentsMargins(0, 0, 8, 0);
  m_device->setFont(smallFont());
  m_device->setAutoRaise(true);
  m_device->setPopupMode(QToolButton::InstantPopup);
  m_device->setMenu(new DeviceMenu(service, m_device));
  m_device->setToolTip(tr("Which device computes, and in what precision"));
  m_device->setAccessibleName(tr("Device and precision"));
  m_device->setObjectName(QStringLiteral("device"));
  for (QLabel* label : {m_gpu, m_what, m_left}) label->setWordWrap(false);
  m_progress->setRange(0, 1000);
  m_progress->setTextVisible(false);
  m_progress->setFixedWidth(140);
  m_progress->setAccessibleName(tr("Progress"));
  m_left->setMinimumWidth(70);
  m_cancel->setFont(smallFont());
  m_cancel->setToolTip(tr("Stop what is running (Ctrl+.). What was shown before stays."));
  addWidget(m_device);
  addWidget(m_gpu);
  addPermanentWidget(m_what);
  addPermanentWidget(m_progress);
  addPermanentWidget(m_left);
  addPermanentWidget(m_cancel);
  m_timer->setInterval(100);
  connect(m_timer, &QTimer::timeout, this, &ActivityBar::refresh);
  connect(m_service, &ComputeService::activityChanged, this, &ActivityBar::refresh);
  connect(m_service, &ComputeService::devicesKnown, this, &ActivityBar::refreshDevice);
  connect(m_service, &ComputeService::columnUpdated, this, &ActivityBar::refreshDevice);
  connect(m_runner, &ScalingRunner::started, this, &ActivityBar::refresh);
  connect(m_runner, &ScalingRunner::finished, this, &ActivityBar::refresh);
  connect(m_cancel, &QPushButton::clicked, this, [this] {
    m_runner->cancel();
    m_service->cancelAll();
  });
  m_device->setText(tr("Looking for devices…"));
  refresh();
}

QString ActivityBar::deviceText() const {
  return m_device->text();
}

void ActivityBar::refreshDevice() {
  QString device;
  QStringList notes;
  for (int i = 0; i < kMaxColumns; ++i) {
    const ExplorationPtr& exploration = m_service->column(i).exploration;
    if (!exploration) continue;
    if (device.isEmpty()) device = toQ(exploration->device);
    for (const std::string& note : {exploration->fellBack, mapNote(*exploration)})
      if (!note.empty()) notes << tr("%1: %2").arg(columnLetter(i), toQ(note));
  }
  for (const DeviceInfo& info : m_service->devices()) {
    if (info.available && device.isEmpty()) device = toQ(info.name);
    if (!info.reason.empty())
      notes << (info.available ? tr("GPU not used: %1") : tr("no CUDA device: %1")).arg(toQ(info.reason));
  }
  if (device.isEmpty()) return;
  m_device->setText(device.replace(QStringLiteral(", "), QStringLiteral(" · ")));
  m_notes = notes.join(QStringLiteral(" · "));
  showNotes();
}

void ActivityBar::showNotes() {
  const int place = std::max(160, width() / 2 - m_device->width());
  m_gpu->setText(m_gpu->fontMetrics().elidedText(m_notes, Qt::ElideRight, place));
  m_gpu->setToolTip(m_gpu->text() == m_notes ? QString() : m_notes);
}

void ActivityBar::resizeEvent(QResizeEvent* event) {
  QStatusBar::resizeEvent(event);
  showNotes();
}

void ActivityBar::refresh() {
  refreshDevice();  // maps may have been left to the CPU since
  Activity shown;
  bool any = false;
  if (m_runner->isRunning()) {
    shown = {tr("Measuring %1").arg(m_runner->currentWork()), m_runner->fraction(), m_runner->seconds()};
    any = true;
  } else if (const auto list = m_service->activities(); !list.empty()) {
    shown = list.front();
    any = true;
  }
  if (any != m_timer->isActive()) any ? m_timer->start() : m_timer->stop();
  const bool visible = any && shown.seconds >= kShowAfterSeconds;
  for (QWidget* part : std::initializer_list<QWidget*>{m_what, m_progress, m_left, m_cancel})
    part->setVisible(visible);
  if (!visible) return;
  m_what->setText(shown.what);
  m_progress->setRange(0, shown.fraction > 0.0 ? 1000 : 0);  // no news yet: a busy bar
  m_progress->setValue(static_cast<int>(shown.fraction * 1000));
  const double left = shown.fraction > 0.02 ? shown.seconds * (1.0 - shown.fraction) / shown.fraction : 0.0;
  m_left->setText(left > 0.5 ? tr("%1 left").arg(toQ(durationText(left))) : QString());
}

}  // namespace attnscope
