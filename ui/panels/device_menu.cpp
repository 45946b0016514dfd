// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/device_menu.h"

#include <algorithm>

#include "ui/jobs/compute_service.h"
#include "ui/state/text.h"

namespace attnscope {

namespace {

struct PrecisionText {
  Precision precision;
  QString text;
};

std::vector<PrecisionText> precisionTexts() {
  return {{Precision::Fp32, DeviceMenu::tr("Attention in float32")},
          {Precision::Tf32, DeviceMenu::tr("Attention in TF32, on tensor cores: 11 bits")},
          {Precision::Bf16, DeviceMenu::tr("Attention in bfloat16, on tensor cores: 8 bits")}};
}

QAction* addChoice(QMenu* menu, QActionGroup& group, const QString& text, bool chosen) {
  QAction* action = menu->addAction(text);
  action->setActionGroup(&group);
  action->setCheckable(true);
  action->setChecked(chosen);
  return action;
}

}  // namespace

DeviceMenu::DeviceMenu(ComputeService* service, QWidget* parent) : QMenu(parent), m_service(service) {
  setTitle(tr("&Device and precision"));
  setToolTipsVisible(true);
  connect(this, &QMenu::aboutToShow, this, &DeviceMenu::fill);
  // Later: the action that chose is one of those that are made anew.
  connect(service, &ComputeService::devicesKnown, this, &DeviceMenu::fill, Qt::QueuedConnection);
  connect(service, &ComputeService::deviceChosen, this, &DeviceMenu::fill, Qt::QueuedConnection);
  fill();
}

void DeviceMenu::fill() {
  clear();
  m_devices = std::make_unique<QActionGroup>(nullptr);
  m_precisions = std::make_unique<QActionGroup>(nullptr);
  addDevices();
  addSeparator();
  addPrecisions();
}

void DeviceMenu::addDevices() {
  const DeviceChoice chosen = m_service->deviceChoice();
  const auto choose = [this](const std::string& device) {
    m_service->setDeviceChoice(m_service->possible({device, m_service->deviceChoice().precision}));
  };
  QAction* automatic =
      addChoice(this, *m_devices, tr("Automatic: a GPU that agrees with the CPU, else the CPU"),
                chosen.device == "auto");
  connect(automatic, &QAction::triggered, this, [choose] { choose("auto"); });
  if (m_service->devices().empty()) addAction(tr("Looking for devices…"))->setEnabled(false);
  for (const DeviceInfo& info : m_service->devices()) {
    if (!info.available) {
      addAction(tr("No CUDA device: %1").arg(toQ(info.reason)))->setEnabled(false);
      continue;
    }
    QAction* action = addChoice(this, *m_devices, toQ(info.name), chosen.device == info.id);
    if (!info.reason.empty()) action->setToolTip(tr("Not used unasked: %1").arg(toQ(info.reason)));
    connect(action, &QAction::triggered, this, [choose, id = info.id] { choose(id); });
  }
}

void DeviceMenu::addPrecisions() {
  const DeviceChoice chosen = m_service->deviceChoice();
  const std::vector<Precision> possible = m_service->precisions(chosen.device);
  for (const PrecisionText& entry : precisionTexts()) {
    QAction* action = addChoice(this, *m_precisions, entry.text, chosen.precision == entry.precision);
    action->setEnabled(std::find(possible.begin(), possible.end(), entry.precision) != possible.end());
    if (!action->isEnabled()) action->setToolTip(tr("This device has no such arithmetic."));
    connect(action, &QAction::triggered, this, [this, precision = entry.precision] {
      m_service->setDeviceChoice({m_service->deviceChoice().device, precision});
    });
  }
}

}  // namespace attnscope
