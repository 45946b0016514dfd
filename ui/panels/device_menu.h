// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QActionGroup>
#include <QMenu>
#include <memory>

namespace attnscope {

class ComputeService;

// Which device computes, and to what attention rounds the inputs of its products: what is there, what is
// chosen, and why a device or a precision cannot be had. Filled anew each time it opens.
class DeviceMenu final : public QMenu {
  Q_OBJECT

 public:
  explicit DeviceMenu(ComputeService* service, QWidget* parent = nullptr);

 private:
  void fill();
  void addDevices();
  void addPrecisions();

  ComputeService* m_service;
  std::unique_ptr<QActionGroup> m_devices;
  std::unique_ptr<QActionGroup> m_precisions;
};

}  // namespace attnscope
